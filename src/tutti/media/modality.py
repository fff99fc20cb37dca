"""From a bare value to a part of its modality, by content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np

from tutti.content import Audio, Document, Image, Media, Modality, Part, ReadFile, Text, Video
from tutti.errors import InputError
from tutti.media.containers import container, picture_stream
from tutti.media.images import is_animated
from tutti.media.limits import Limits
from tutti.media.sniff import ANIMATIONS, DOCUMENTS, FILMS, MATROSKA, MP4, PICTURES, SOUNDS, Format, describe, sniff
from tutti.media.sources import opened
from tutti.settings import read_settings

_MOST_KEPT_BYTES = 8_000_000
"""Larger files are opened again when they are decoded, and read piece by piece."""


_PARTS: dict[Modality, type[Image | Audio | Video | Document]] = {
    "image": Image, "audio": Audio, "video": Video, "document": Document,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Medium(Media):
    """A medium whose modality is not known yet."""

    modality: ClassVar[Modality] = "medium"  # type: ignore[assignment]  # only its name in errors


def wrap(
    value: Any,
    *,
    sample_rate_hz: int | None = None,
    frames_per_s: float | None = None,
    limits: Limits | None = None,
    keep: bool = False,
) -> Part:
    """Put a path, encoded bytes, a `data:` URL or a numpy array in the part of its modality. Parts pass through.

    The content of a file decides, not its name. An MP4 or Matroska file without moving pictures is audio; a GIF, WebP
    or AVIF of more than one frame is video. Arrays: uint8 (H, W), (H, W, 3) or (H, W, 4) is an image, uint8
    (F, H, W, 3) a video, float32 or int16 (S,) or (S, C) audio.

    Args:
        value: The medium.
        sample_rate_hz: Sample rate of an audio array, in hertz.
        frames_per_s: Frame rate of a video array, in frames a second.
        limits: Budgets; those of the environment when not given.
        keep: Keep the content of a small file in the part, so that it is opened once; for parts that are soon decoded.

    Raises:
        InputError: The value cannot be read or its format is not known, or a setting of the environment is no number.
        CapacityError: The file has more bytes than allowed; those of films count when they are decoded.
    """
    if isinstance(value, (Text, Media)):
        return value
    if isinstance(value, np.ndarray):
        return _wrap_array(value, sample_rate_hz, frames_per_s)
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    if not isinstance(value, (str, os.PathLike, bytes)):
        raise InputError(
            f"A {type(value).__name__} was given as a medium; expected a path, bytes, a data: URL or a numpy array."
        )
    limits = limits or Limits.from_settings(read_settings())
    with opened(_Medium(value), limits.streaming()) as file:
        modality = _modality_of(file, _Medium(value), limits)
        path = isinstance(value, os.PathLike) or (isinstance(value, str) and not value.startswith("data:"))
        if keep and path and file.seek(0, os.SEEK_END) <= _MOST_KEPT_BYTES:
            file.seek(0)
            value = ReadFile(str(os.fspath(value)), file.read())
    parts: dict[str, Part] = {
        "image": Image(value),
        "audio": Audio(value),
        "video": Video(value),
        "document": Document(value),
    }
    return parts[modality]


def modality_of(value: str | os.PathLike[str] | bytes, limits: Limits) -> Modality:
    """What encoded content is. Errors as for `wrap`."""
    with opened(_Medium(value), limits.streaming()) as file:
        return _modality_of(file, _Medium(value), limits)


def _modality_of(file: BinaryIO, probe: _Medium, limits: Limits) -> Modality:
    found = sniff(file)
    if found not in (MP4, MATROSKA):  # of those, the header is all that is read here
        limits.check_bytes(probe.name, file.seek(0, os.SEEK_END))
        file.seek(0)
    if found is None:
        raise InputError(
            f"{probe.name} is not a medium that Tutti reads: {describe(file)}; "
            f"expected {PICTURES}; {SOUNDS}; {FILMS}; or {DOCUMENTS}."
        )
    return _modality(file, found, probe.name)


def _modality(file: BinaryIO, found: Format, name: str) -> Modality:
    if found in (MP4, MATROSKA):
        with container(file, found, name) as opened_container:
            return "audio" if picture_stream(opened_container) is None else "video"
    if found in ANIMATIONS:
        return "video" if is_animated(file, found, name) else "image"
    return found.modality


def _wrap_array(value: np.ndarray[Any, Any], sample_rate_hz: int | None, frames_per_s: float | None) -> Part:
    if value.dtype == np.uint8 and value.ndim == 4:
        return Video(value, frames_per_s=frames_per_s)
    if value.dtype == np.uint8 and value.ndim in (2, 3):
        return Image(value)
    if value.dtype in (np.float32, np.int16) and value.ndim in (1, 2):
        return Audio(value, sample_rate_hz=sample_rate_hz)
    raise InputError(
        f"An array of {value.dtype} with shape {value.shape} is no medium that Tutti knows; "
        "expected uint8 (H, W, 3) for an image, uint8 (F, H, W, 3) for a video, or float32 (S,) for audio."
    )
