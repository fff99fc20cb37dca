"""What scenes are composed of: the packs' pictures and sounds by name, either those to train on or those held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipes.tutti_mini.objects import (
    EMOJI_GROUPS,
    ENVIRONMENT,
    HEARD,
    INSTRUMENTS,
    KEYWORDS,
    PHOTO_NAMES,
    SOUND_LABELS,
    emoji_names,
)
from recipes.tutti_mini.packs import (
    EMOJI,
    HELD_OUT_STYLE,
    HOLD_OUT,
    MADE_DIGITS,
    Pictures,
    Sounds,
    load_pictures,
    load_sounds,
)
from recipes.tutti_mini.voices import RATE_HZ, Row

SIDE = 64
PHOTO_PACKS = ("cifar10", "clothing", "grocery", "hand_digits", "cxr", "makeup_shades")
SOUND_PACKS = (
    "sound_esc10", "sound_ambient", "sound_instruments", "sound_instruments_cc0", "speech_digits", "speech_keywords",
    "speech_words_pd", MADE_DIGITS,
)  # fmt: skip
Wave = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Photo:
    """Where a class of photos lies."""

    pack: str
    name: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pools:
    """Everything that a scene may be composed of; never changed by drawing from it."""

    emoji: dict[str, list[NDArray[np.uint8]]]
    """Plain name → sprites (64, 64, 4), colours multiplied by alpha."""
    group_of: dict[str, str]
    """Plain name of an emoji → its group."""
    photos: dict[str, list[Photo]]
    """Pack → its classes."""
    pictures: dict[str, Pictures]
    sounds: dict[str, list[Wave]]
    """Sound → recordings."""
    digits: dict[str, dict[str, list[Wave]]]
    """Speaker → digit → recordings."""
    keywords: dict[str, list[Wave]]
    textures: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, SIDE, SIDE, 3), np.uint8))
    names: list[str] = field(default_factory=list)
    """The emoji's plain names, in order."""

    @classmethod
    def build(cls, pictures: Mapping[str, Pictures], sounds: Mapping[str, Sounds], held_out: bool) -> Pools:
        """Sort packs by name.

        Args:
            pictures: Packs by their names; an absent pack is done without.
            sounds: The same for recordings.
            held_out: Whether to take what is held out (and the held-out emoji style) instead of what is trained on.
        """
        emoji: dict[str, list[NDArray[np.uint8]]] = {}
        for pack in (HELD_OUT_STYLE,) if held_out else EMOJI:
            if pack in pictures:
                _add_emoji(emoji, pictures[pack])
        photos = {pack: _classes(pictures[pack], held_out) for pack in PHOTO_PACKS if pack in pictures}
        groups = dict(_groups())
        textured = [
            pictures[pack].pixels[kind.rows[::10]] for pack in ("cifar10", "grocery") for kind in photos.get(pack, [])
        ]
        extra = {"textures": np.concatenate(textured)} if textured else {}
        kept = {name: _kept(pack, held_out) for name, pack in sounds.items() if name in SOUND_PACKS}
        return cls(
            emoji=emoji,
            group_of=groups,
            photos={pack: classes for pack, classes in photos.items() if classes},
            pictures=dict(pictures),
            sounds=_heard(kept),
            digits=_spoken_digits([*kept.get("speech_digits", []), *kept.get(MADE_DIGITS, [])]),
            keywords=_keywords([*kept.get("speech_keywords", []), *kept.get("speech_words_pd", [])]),
            names=sorted(emoji),
            **extra,
        )

    @classmethod
    def load(cls, data: Path, cache: Path, held_out: bool) -> Pools:
        """Read the packs and sort them; arguments as in `build` and `packs.load_pictures`."""
        styles = (HELD_OUT_STYLE,) if held_out else EMOJI
        pictures = {name: load_pictures(data, cache, name) for name in (*styles, *PHOTO_PACKS)}
        packs = [name for name in SOUND_PACKS if not (held_out and name == MADE_DIGITS)]
        sounds = {name: load_sounds(data, cache, name) for name in packs}
        return cls.build(pictures, sounds, held_out)

    def sounds_of(self, kind: str) -> list[str]:
        """Names of the sounds at hand: "environment", "instrument" or "any"."""
        names = {"environment": ENVIRONMENT, "instrument": INSTRUMENTS, "any": HEARD}[kind]
        return [name for name in names if name in self.sounds]


def photo_name(pack: str, row: Row) -> str:
    """What a photo's class is called in an answer."""
    label = str(row["coarse"] if pack == "grocery" else row["label"])
    return PHOTO_NAMES.get(pack, {}).get(label, label.lower().replace("-", " ") if pack != "clothing" else label)


def _groups() -> list[tuple[str, str]]:
    names = emoji_names()
    return [
        (names[entry.partition("=")[0]], group) for group, text in EMOJI_GROUPS.items() for entry in text.split(";")
    ]


def _add_emoji(emoji: dict[str, list[NDArray[np.uint8]]], pack: Pictures) -> None:
    names = emoji_names()
    for row, pixels in zip(pack.rows, pack.pixels, strict=True):
        if row["label"] in names:
            emoji.setdefault(names[row["label"]], []).append(sprite(pixels))


def sprite(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An RGBA picture cut to what is visible, on a square of 64, colours multiplied by alpha."""
    visible = pixels[..., 3] > 8
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else pixels
    height, width = part.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    premultiplied = part.astype(np.uint16)
    premultiplied[..., :3] = premultiplied[..., :3] * premultiplied[..., 3:] // 255
    image = Image.frombuffer("RGBa", (width, height), premultiplied.astype(np.uint8).tobytes(), "raw", "RGBa", 0, 1)
    out = np.zeros((SIDE, SIDE, 4), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    out[..., :3] = np.minimum(out[..., :3], out[..., 3:])
    return out


def _classes(pack: Pictures, held_out: bool) -> list[Photo]:
    rows: dict[str, list[int]] = {}
    for index, row in enumerate(pack.rows):
        if HOLD_OUT[pack.name](row) == held_out:
            rows.setdefault(photo_name(pack.name, row), []).append(index)
    return [Photo(pack.name, name, np.array(indices)) for name, indices in sorted(rows.items())]


def _kept(pack: Sounds, held_out: bool) -> list[tuple[Row, Wave]]:
    return [pair for pair in zip(pack.rows, pack.waves, strict=True) if HOLD_OUT[pack.name](pair[0]) == held_out]


def _heard(kept: Mapping[str, list[tuple[Row, Wave]]]) -> dict[str, list[Wave]]:
    out: dict[str, list[Wave]] = {}
    for pack, pairs in kept.items():
        if pack.startswith("sound_"):
            for row, wave in pairs:
                name = SOUND_LABELS.get(row["label"], row["label"])
                if name in HEARD and len(wave) > RATE_HZ // 8 and np.abs(wave).max() > 0.01:
                    out.setdefault(name, []).append(wave)
    return out


def _spoken_digits(pairs: list[tuple[Row, Wave]]) -> dict[str, dict[str, list[Wave]]]:
    out: dict[str, dict[str, list[Wave]]] = {}
    for row, wave in pairs:
        out.setdefault(row["speaker"], {}).setdefault(row["label"], []).append(wave)
    return out


def _keywords(pairs: list[tuple[Row, Wave]]) -> dict[str, list[Wave]]:
    out: dict[str, list[Wave]] = {}
    for row, wave in pairs:
        if row["label"] in KEYWORDS and row.get("lang", "en") == "en":
            out.setdefault(row["label"], []).append(wave)
    return out
