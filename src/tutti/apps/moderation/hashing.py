"""Entries of lists of known media, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tutti.content import Audio, Image
from tutti.errors import InputError
from tutti.media import Limits, decode_audio, decode_image, wrap
from tutti.settings import read_settings
from tutti.trust.forensics.hash_lists import entry_of_picture, entry_of_sound
from tutti.trust.forensics.sound_prints import RATE_HZ


def entries_of(path: Path, label: str) -> list[dict[str, Any]]:
    """The entry of a picture or recording.

    Raises:
        InputError: It cannot be read, is of another kind, or has too little detail to be known again.
        CapacityError: It is over a budget.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a picture or a recording.")
    part, limits = wrap(path), Limits.from_settings(read_settings())
    if isinstance(part, Image):
        entry = entry_of_picture(decode_image(part, limits), label)
    elif isinstance(part, Audio):
        samples = decode_audio(part, limits).resampled(RATE_HZ).samples
        entry = entry_of_sound(samples if samples.ndim == 1 else samples.mean(1), label)
    else:
        raise InputError(f"{path} is {part.modality}; expected a picture or a recording.")
    if entry is None:
        raise InputError(f"{path} has too little detail to be told from others; it cannot be listed.")
    return [entry]
