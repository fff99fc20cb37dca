"""Tiny packs made up in memory, so that scenes can be composed without the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.tutti_mini.objects import DIGITS, HEARD, KEYWORDS, emoji_names
from recipes.tutti_mini.packs import Pictures, Sounds
from recipes.tutti_mini.pools import Pools

SPEAKERS = ("george", "lucas", "nicolas")


def emoji_pack(name: str, brightness: int) -> Pictures:
    rng = np.random.default_rng(brightness)
    labels = list(emoji_names())
    pixels = np.zeros((len(labels), 64, 64, 4), np.uint8)
    pixels[:, 8:56, 12:52, :3] = rng.integers(0, brightness, (len(labels), 1, 1, 3))
    pixels[:, 8:56, 12:52, 3] = 255
    return Pictures(
        name, [{"label": label, "text": [label], "file": f"{label}.png", "split": "train"} for label in labels], pixels
    )


def photo_pack(name: str, labels: tuple[str, ...]) -> Pictures:
    rows = []
    for number, label in enumerate(labels * 10):
        split = "val" if number % 5 == 0 else "train"
        row = {"label": label, "text": [label], "file": f"{number}.png", "split": split}
        row |= {"brand": f"brand{number}", "coarse": label}
        colour = {"auto_color": "red", "auto_color_share": 0.9} if name == "clothing" else {}
        rows.append({**row, **colour})
    rng = np.random.default_rng(len(name))
    return Pictures(name, rows, rng.integers(0, 256, (len(rows), 64, 64, 3), dtype=np.uint8))


def sound_pack(name: str, labels: tuple[str, ...], seconds: float) -> Sounds:
    rng = np.random.default_rng(len(labels))
    rows, waves = [], []
    for label in labels:
        for speaker in SPEAKERS:
            for split in ("train", "val"):
                file = f"{label}-{speaker}-{split}.ogg"
                rows.append({"label": label, "text": [label], "file": file, "split": split, "speaker": speaker})
                waves.append(rng.uniform(-0.5, 0.5, int(seconds * 16_000)).astype(np.float32))
    return Sounds(name, rows, waves)


@pytest.fixture(scope="session")
def pictures() -> dict[str, Pictures]:
    names = {
        "cifar10": ("automobile", "dog", "cat", "ship"),
        "clothing": ("t-shirt", "pants", "longsleeve", "hat"),
        "grocery": ("Apple", "Milk", "Red-Beet", "Lemon"),
        "hand_digits": DIGITS,
        "cxr": ("pneumonia", "no finding"),
        "makeup_shades": ("fair", "medium", "very deep"),
    }
    photos = {name: photo_pack(name, labels) for name, labels in names.items()}
    styles = ("emoji_noto", "emoji_openmoji", "emoji_twemoji")
    return photos | {name: emoji_pack(name, 80 * number) for number, name in enumerate(styles, 1)}


@pytest.fixture(scope="session")
def sounds() -> dict[str, Sounds]:
    return {
        "sound_esc10": sound_pack("sound_esc10", tuple(HEARD), 2.0),
        "speech_digits": sound_pack("speech_digits", DIGITS, 0.4),
        "speech_keywords": sound_pack("speech_keywords", KEYWORDS, 0.8),
    }


@pytest.fixture(scope="session")
def pools(pictures: dict[str, Pictures], sounds: dict[str, Sounds]) -> Pools:
    """What is trained on."""
    return Pools.build(pictures, sounds, held_out=False)
