"""The packs as arrays in memory: pictures of 64 x 64, sounds of 16 kHz, and who may be trained on.

Decoded once into a cache folder; after that a pack loads in milliseconds.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini import voices
from recipes.tutti_mini.voices import Row
from tutti.training.packs import PackReader

SIZE = 64
"""Side of a picture in pixels."""
HELD_OUT_STYLE = "emoji_twemoji"
HELD_OUT_SPEAKER = "lucas"
MADE_DIGITS = "speech_digits_made"
"""A pack that is not read but made: see `voices`."""


def _own_split(row: Row) -> bool:
    return bool(row["split"] != "train")


def _every_tenth(row: Row) -> bool:
    """For packs without a split: a tenth, by a sum over the file's name."""
    return sum(row["file"].encode()) % 10 == 0


HOLD_OUT: dict[str, Callable[[Row], bool]] = {
    "cifar10": _own_split,
    "cifar10_test": lambda row: True,
    "clothing": _own_split,
    "cxr": _own_split,
    "grocery": _own_split,
    "hand_digits": _own_split,
    "makeup_shades": lambda row: sum(row["brand"].encode()) % 10 == 0,
    "emoji_fluent_flat": lambda row: False,
    "emoji_noto": lambda row: False,
    "emoji_openmoji": lambda row: False,
    HELD_OUT_STYLE: lambda row: True,
    "sound_ambient": _own_split,
    "sound_esc10": _own_split,
    "sound_instruments": _own_split,
    "sound_instruments_cc0": _every_tenth,
    "speech_digits": lambda row: row["speaker"] == HELD_OUT_SPEAKER,
    MADE_DIGITS: lambda row: False,
    "speech_intents": _own_split,
    "speech_keywords": _own_split,
    "speech_words_pd": _every_tenth,
}
"""Pack → which of its rows are never trained on: a whole style, speaker or brands, or the pack's own split."""

PHOTOS = ("cifar10", "clothing", "cxr", "grocery", "hand_digits", "makeup_shades")
EMOJI = ("emoji_fluent_flat", "emoji_noto", "emoji_openmoji")
SOUNDS = (
    "sound_ambient",
    "sound_esc10",
    "sound_instruments",
    "sound_instruments_cc0",
    "speech_digits",
    "speech_keywords",
    "speech_words_pd",
    "speech_intents",
    MADE_DIGITS,
)


@dataclass(frozen=True, eq=False)
class Pictures:
    """A pack of pictures."""

    name: str
    rows: list[Row]
    pixels: NDArray[np.uint8]
    """(n, 64, 64, 3), or (n, 64, 64, 4) where the pictures have alpha."""

    def part(self, held_out: bool) -> Pictures:
        """The rows to train on, or those held out."""
        keep = [index for index, row in enumerate(self.rows) if HOLD_OUT[self.name](row) == held_out]
        return Pictures(self.name, [self.rows[index] for index in keep], self.pixels[keep])


@dataclass(frozen=True, eq=False)
class Sounds:
    """A pack of recordings."""

    name: str
    rows: list[Row]
    waves: list[NDArray[np.float32]]
    """Mono samples at 16 kHz."""

    def part(self, held_out: bool) -> Sounds:
        """The rows to train on, or those held out."""
        keep = [index for index, row in enumerate(self.rows) if HOLD_OUT[self.name](row) == held_out]
        return Sounds(self.name, [self.rows[index] for index in keep], [self.waves[index] for index in keep])


def load_pictures(data: Path, cache: Path, name: str) -> Pictures:
    """Read a pack of pictures.

    Args:
        data: The folder that holds the packs.
        cache: Where the decoded form is kept.
        name: The pack.
    """
    pack = PackReader(data / name)
    saved = cache / f"{name}.npy"
    if not saved.exists():
        pixels = np.stack([fit_square(open_picture(pack, row)) for row in pack.rows])
        cache.mkdir(parents=True, exist_ok=True)
        np.save(saved, pixels)
    return Pictures(name, pack.rows, np.load(saved))


def load_sounds(data: Path, cache: Path, name: str) -> Sounds:
    """Read a pack of recordings; arguments as in `load_pictures`."""
    pack = PackReader(data / name) if name != MADE_DIGITS else None
    rows = voices.make_rows() if pack is None else pack.rows
    saved = cache / f"{name}.npz"
    if not saved.exists():
        waves = [voices.speak(row) if pack is None else _wave(pack, row) for row in rows]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(saved, samples=np.concatenate(waves).astype(np.float16), lengths=[len(wave) for wave in waves])
    stored = np.load(saved)
    samples = stored["samples"].astype(np.float32)
    return Sounds(name, rows, np.split(samples, np.cumsum(stored["lengths"])[:-1]))


def fit_square(picture: Any) -> NDArray[np.uint8]:
    """tutti-mini's rule: the long side becomes 64, the rest is filled with the mean colour of the border.

    The same as its `preprocessor_config.json` says; pictures with alpha are filled with nothing instead.
    """
    from tutti.processing.images import border_mean

    width, height = picture.size
    scale = SIZE / max(width, height)
    small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), 3)
    pixels = np.asarray(small)
    out = np.empty((SIZE, SIZE, pixels.shape[2]), np.uint8)
    out[:] = 0 if pixels.shape[2] == 4 else border_mean(pixels)
    top, left = (SIZE - pixels.shape[0]) // 2, (SIZE - pixels.shape[1]) // 2
    out[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return out


def open_picture(pack: PackReader, row: Row) -> Any:
    """A row's picture as Pillow opens it, as large as the pack has it; emoji keep their alpha."""
    from PIL import Image

    mode = "RGBA" if pack.folder.name.startswith("emoji_") else "RGB"
    return Image.open(io.BytesIO(pack.content(row["file"]))).convert(mode)


def _wave(pack: PackReader, row: Row) -> NDArray[np.float32]:
    import soundfile

    samples: NDArray[np.float32] = soundfile.read(io.BytesIO(pack.content(row["file"])), dtype="float32")[0]
    return samples
