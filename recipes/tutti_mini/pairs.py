"""Pictures and sounds with their captions, augmented: what trunks are pre-trained and aligned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recipes.tutti_mini.packs import MADE_DIGITS, SIZE, Pictures, Sounds
from recipes.tutti_mini.voices import RATE_HZ, Row
from tutti.processing.audio import LogMel

LOG_MEL = LogMel(feature_size=64, chunk_length=30, pad_multiple_frames=64)
MEAN, STD = 0.5, 0.25
"""Pixels become (x / 255 - MEAN) / STD."""

PHOTO_PROMPTS = ("{}", "a photo of {}", "a picture of {}", "this is {}")
EMOJI_PROMPTS = ("{}", "{}", "an emoji of {}", "a drawing of {}", "a picture of {}")
SOUND_PROMPTS = ("{}", "the sound of {}", "a recording of {}", "you can hear {}")
WORD_PROMPTS = ("the word {}", "someone says {}", "a voice saying {}", "{}")
GATED = 0.4
"""How often what is quiet in a recording falls silent, or to one level, as after a noise gate."""
DYNAMIC_RANGE = 2.0
"""From the loudest to silence, in units of the features: 80 dB, as `LogMel` cuts off."""
SPEECH_PACKS = ("speech_digits", "speech_keywords", "speech_words_pd", "speech_intents", MADE_DIGITS)
MICROPHONE = 0.15
"""How far a microphone's curve bends, as a standard deviation in units of the features: 6 dB."""
NO_FLIP = ("flag", "left", "right", "hand", "keycap", "clock", "letter", "button", "arrow", "sign", "point")


def article(name: str) -> str:
    """The name with its indefinite article, where it takes one."""
    if name.endswith(("s", "wear", "milk", "juice")) and not name.endswith("ss"):
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def key_of(pack: str, row: Row, broad: bool = False) -> str:
    """What a row is, so that rows of the same thing are each other's positives; `broad`: apple, not its variety."""
    if broad and "coarse" in row:
        return _plain(row["coarse"])
    label = _plain(row["label"])
    if pack == "makeup_shades":
        return f"{label} foundation"
    if pack == "cxr":
        return f"chest x-ray {label}"
    if pack == "hand_digits":
        return f"hand showing {label}"
    if pack in SPEECH_PACKS:
        return f"spoken {row['text'][0]}"
    if pack.startswith("sound_"):
        return {"hi hat": "hi-hat"}.get(label, label)
    return label


def _plain(label: str | int) -> str:
    return str(label).lower().replace("-", " ")


def caption(pack: str, row: Row, rng: np.random.Generator, broad: bool = False) -> str:
    """One of the ways to say what a row shows or sounds like, `broad` as in `key_of`."""
    label = _plain(row["label"])
    if pack.startswith("emoji_"):
        words = row["text"][-1] if len(row["text"]) > 1 and rng.random() < 0.15 else row["text"][0]
        return str(rng.choice(EMOJI_PROMPTS)).format(words)
    if pack in SPEECH_PACKS:
        return str(rng.choice(WORD_PROMPTS)).format(row["text"][0])
    if pack.startswith("sound_"):
        name = label if rng.random() < 0.5 else str(rng.choice(row["text"]))
        return str(rng.choice(SOUND_PROMPTS)).format(name)
    if pack in ("cxr", "hand_digits", "makeup_shades"):
        return str(rng.choice(row["text"]))
    if pack == "grocery":
        coarse = _plain(row["coarse"])
        names = (coarse,) if broad else (label, label, str(rng.choice(row["text"])), f"{label}, a kind of {coarse}")
        return str(rng.choice(PHOTO_PROMPTS)).format(str(rng.choice(names)))
    if pack == "clothing" and row.get("auto_color") and row["auto_color_share"] > 0.5 and rng.random() < 0.3:
        return f"a photo of a {row['auto_color']} {label}"
    name = article(label) if rng.random() < 0.7 else label
    return str(rng.choice(PHOTO_PROMPTS)).format(name)


class Keys:
    """Meanings as numbers, the same in every process."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = sorted(set(names))
        self.index = {name: number for number, name in enumerate(self.names)}

    def __call__(self, names: Sequence[str]) -> Tensor:
        """Shape (n,) int64."""
        return torch.tensor([self.index[name] for name in names])


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureBatch:
    """Pictures and what they show."""

    pixels: Tensor
    """(n, 3, 64, 64) uint8."""
    captions: list[str]
    keys: list[str]


class PicturePairs:
    """Draws augmented pictures with captions.

    Args:
        packs: Where from.
        shares: How often each; same length.
        strength: How far augmentation goes. Pre-training takes most; later phases less, so that what is learned last
            looks like what will be seen.
        colour: How far that of light and colours goes, as a factor of `strength`.
    """

    def __init__(
        self, packs: Sequence[Pictures], shares: Sequence[float], strength: float = 1.0, colour: float = 1.0
    ) -> None:
        self.packs = tuple(packs)
        self.strength, self.colour = strength, colour
        self.shares = np.array(shares) / np.sum(shares)
        self.keys = {pack.name: [key_of(pack.name, row) for row in pack.rows] for pack in packs}
        self.broad = {pack.name: [key_of(pack.name, row, broad=True) for row in pack.rows] for pack in packs}
        self.may_flip = {pack.name: _may_flip(pack) for pack in packs}

    def __repr__(self) -> str:
        shares = (f"{pack.name}: {share:.2f}" for pack, share in zip(self.packs, self.shares, strict=True))
        return f"PicturePairs({', '.join(shares)}, strength={self.strength:g}, colour={self.colour:g})"

    def captions(self, rng: np.random.Generator, count: int, broad: bool = False) -> tuple[list[str], list[str]]:
        """Captions and keys of so many rows, without their pictures; `broad` as in `key_of`."""
        captions, keys = [], []
        for pack, number in zip(self.packs, rng.multinomial(count, self.shares), strict=True):
            for index in rng.integers(len(pack.rows), size=number):
                captions.append(caption(pack.name, pack.rows[index], rng, broad))
                keys.append((self.broad if broad else self.keys)[pack.name][index])
        return captions, keys

    def draw(self, rng: np.random.Generator, count: int, broad: bool = False) -> PictureBatch:
        """Draw so many; `broad` as in `key_of`."""
        pixels: list[Tensor] = []
        captions: list[str] = []
        keys: list[str] = []
        for pack, number in zip(self.packs, rng.multinomial(count, self.shares), strict=True):
            if not number:
                continue
            chosen = rng.integers(len(pack.rows), size=number)
            values = torch.from_numpy(pack.pixels[chosen]).permute(0, 3, 1, 2)
            drawn = augment_sprites if values.shape[1] == 4 else augment_photos
            pixels.append(drawn(values, self.may_flip[pack.name][chosen], rng, self.strength, self.colour))
            captions += [caption(pack.name, pack.rows[index], rng, broad) for index in chosen]
            keys += [(self.broad if broad else self.keys)[pack.name][index] for index in chosen]
        return PictureBatch(pixels=torch.cat(pixels), captions=captions, keys=keys)


def _may_flip(pack: Pictures) -> NDArray[np.bool_]:
    if pack.name == "hand_digits":
        return np.zeros(len(pack.rows), bool)
    return np.array([not any(word in str(row["label"]) for word in NO_FLIP) for row in pack.rows])


def normalize(pixels: Tensor) -> Tensor:
    """uint8 pixels to the model's values. Shapes: (…, 3, 64, 64) → the same, float32."""
    return (pixels.float() / 255 - MEAN) / STD


def augment_photos(
    pixels: Tensor, may_flip: NDArray[np.bool_], rng: np.random.Generator, strength: float = 1.0, colour: float = 1.0
) -> Tensor:
    """Random view, mirror, light and colour, and a patch blotted out. Shapes: (n, 3, 64, 64) uint8 → the same."""
    n = len(pixels)
    zoom = rng.uniform(1 - 0.3 * strength, 1.05, n)
    shift = rng.uniform(-1, 1, (n, 2)) * np.maximum(0.08, 1 - zoom)[:, None]
    angle = rng.normal(0, 0.06 * strength, n)
    views = _warp(pixels.float(), zoom, angle, shift, may_flip & (rng.random(n) < 0.5), "border")
    views = _recolour(views, rng, 0.25 * strength * colour)
    side = rng.integers(10, 24, n)
    corner = rng.integers(0, SIZE, (n, 2)) - side[:, None] // 2
    rows, columns = np.arange(SIZE)[None, :, None], np.arange(SIZE)[None, None]
    inside = (
        (rows >= corner[:, :1, None])
        & (rows < (corner[:, :1] + side[:, None])[..., None])
        & (columns >= corner[:, 1:, None])
        & (columns < (corner[:, 1:] + side[:, None])[..., None])
        & (rng.random(n) < 0.5 * strength)[:, None, None]
    )
    fill = torch.from_numpy(rng.uniform(0, 255, (n, 3, 1, 1)).astype(np.float32))
    views = torch.where(torch.from_numpy(inside)[:, None], fill, views)
    return views.clamp(0, 255).to(torch.uint8)


def augment_sprites(
    pixels: Tensor, may_flip: NDArray[np.bool_], rng: np.random.Generator, strength: float = 1.0, colour: float = 1.0
) -> Tensor:
    """Random size, place, angle and light on a random ground. Shapes: (n, 4, 64, 64) uint8 → (n, 3, 64, 64)."""
    n = len(pixels)
    zoom = rng.uniform(0.95, 1 + 0.6 * strength, n)
    shift = rng.uniform(-1, 1, (n, 2)) * (0.05 + np.maximum(0, zoom - 1))[:, None]
    values = pixels.float()
    values = restyle(torch.cat((values[:, :3] * values[:, 3:] / 255, values[:, 3:]), dim=1), rng)
    flip = may_flip & (rng.random(n) < 0.25)
    views = _warp(values, zoom, rng.normal(0, 0.08 * strength, n), shift, flip, "zeros")
    shown = _recolour(views[:, :3], rng, 0.2 * strength * colour)
    ground = grounds(n, rng)
    return (shown + ground * (1 - views[:, 3:] / 255)).clamp(0, 255).to(torch.uint8)


def restyle(sprites: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of them as if drawn by somebody else: without thin dark lines, with lines, softer, or in fewer colours.

    Shapes: (n, 4, 64, 64), colours multiplied by alpha → the same.
    """
    way = rng.choice(5, size=len(sprites), p=(0.5, 0.2, 0.1, 0.1, 0.1))
    out = sprites.clone()
    without, lined, soft, flat = (torch.from_numpy(np.flatnonzero(way == one)) for one in (1, 2, 3, 4))
    grown = F.max_pool2d(sprites[without], 3, stride=1, padding=1)
    out[without] = -F.max_pool2d(-grown, 3, stride=1, padding=1)
    solid = sprites[lined, 3:]
    edge = solid + F.max_pool2d(-solid, 3, stride=1, padding=1)
    out[lined, :3] = sprites[lined, :3] * (1 - edge / 255)
    out[soft] = F.avg_pool2d(sprites[soft], 3, stride=1, padding=1)
    out[flat, :3] = ((sprites[flat, :3] / 51).round() * 51).minimum(sprites[flat, 3:])
    return out


def grounds(n: int, rng: np.random.Generator) -> Tensor:
    """Backgrounds: white, plain, or running from one colour to another. Shape (n, 3, 64, 64) float, 0 to 255."""
    first = rng.uniform(0, 255, (n, 3, 1, 1))
    pale = rng.random(n) < 0.4
    first[pale] = 255 - 0.25 * first[pale]
    first[rng.random(n) < 0.35] = 255
    second = np.where((rng.random(n) < 0.3)[:, None, None, None], rng.uniform(0, 255, (n, 3, 1, 1)), first)
    ramp = np.linspace(0, 1, SIZE)
    down = rng.random(n) < 0.5
    slope = np.where(down[:, None, None, None], ramp[None, None, :, None], ramp[None, None, None])
    return torch.from_numpy((first + (second - first) * slope).astype(np.float32))


def _warp(
    pixels: Tensor,
    zoom: NDArray[np.float64],
    angle: NDArray[np.float64],
    shift: NDArray[np.float64],
    flip: NDArray[np.bool_],
    padding: str,
) -> Tensor:
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    mirror = np.where(flip, -1.0, 1.0)
    theta = np.stack((np.stack((cos * mirror, -sin, shift[:, 0]), 1), np.stack((sin * mirror, cos, shift[:, 1]), 1)), 1)
    grid = F.affine_grid(torch.from_numpy(theta.astype(np.float32)), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode=padding, align_corners=False)


def _recolour(pixels: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    n = len(pixels)
    # Colours tell some things apart, such as tones of skin: most pictures keep theirs nearly.
    strength = strength * rng.uniform(0, 1, (n, 1, 1, 1))
    gain = torch.from_numpy(rng.uniform(1 - strength, 1 + strength, (n, 1, 1, 1)).astype(np.float32))
    tint = torch.from_numpy(rng.uniform(1 - strength / 3, 1 + strength / 3, (n, 3, 1, 1)).astype(np.float32))
    blend = torch.from_numpy(rng.uniform(1 - 1.5 * strength, 1 + strength, (n, 1, 1, 1)).astype(np.float32))
    grey = pixels.mean(1, keepdim=True)
    return (grey + (pixels - grey) * blend) * gain * tint


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundBatch:
    """Recordings and what is heard."""

    features: Tensor
    """(n, 64, frames) log-mel."""
    captions: list[str]
    keys: list[str]


LENGTHS_S = {1.92: 0.4, 3.2: 0.2, 5.12: 0.4}
"""Lengths of batches of recordings in seconds, and how often each."""


class SoundPairs:
    """Draws augmented recordings with captions.

    Args:
        packs: Where from.
        shares: How often each; same length.
        lengths_s: As `LENGTHS_S`.
    """

    def __init__(
        self, packs: Sequence[Sounds], shares: Sequence[float], lengths_s: Mapping[float, float] = LENGTHS_S
    ) -> None:
        self.packs = tuple(packs)
        self.lengths_s = dict(lengths_s)
        self.shares = np.array(shares) / np.sum(shares)
        self.keys = {pack.name: [key_of(pack.name, row) for row in pack.rows] for pack in packs}
        self.by_key: dict[str, dict[str, list[int]]] = {}
        for name, keys in self.keys.items():
            groups: dict[str, list[int]] = {}
            for index, key in enumerate(keys):
                groups.setdefault(key, []).append(index)
            self.by_key[name] = groups

    def __repr__(self) -> str:
        shares = (f"{pack.name}: {share:.2f}" for pack, share in zip(self.packs, self.shares, strict=True))
        return f"SoundPairs({', '.join(shares)})"

    def draw(self, rng: np.random.Generator, count: int) -> SoundBatch:
        """Draw so many, classes of a pack about equally often, all padded with near silence to the longest."""
        waves: list[NDArray[np.float32]] = []
        captions: list[str] = []
        keys: list[str] = []
        longest = int(rng.choice(list(self.lengths_s), p=list(self.lengths_s.values())) * RATE_HZ)
        for pack, number in zip(self.packs, rng.multinomial(count, self.shares), strict=True):
            names = list(self.by_key[pack.name])
            sizes = np.array([len(self.by_key[pack.name][name]) for name in names]) ** 0.5
            for name in rng.choice(len(names), size=number, p=sizes / sizes.sum()):
                index = int(rng.choice(self.by_key[pack.name][names[name]]))
                waves.append(augment_sound(pack.waves[index], longest, rng))
                captions.append(caption(pack.name, pack.rows[index], rng))
                keys.append(names[name])
        return SoundBatch(features=log_mels(waves, longest, rng), captions=captions, keys=keys)


def augment_sound(wave: NDArray[np.float32], longest: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random speed, stretch in time, loudness and noise; at most `longest` samples."""
    speed = rng.uniform(0.75, 1.3)
    places = np.arange(0, len(wave) - 1, speed)
    wave = np.interp(places, np.arange(len(wave)), wave).astype(np.float32)
    if len(wave) > longest:
        start = int(rng.integers(len(wave) - longest + 1))
        wave = wave[start : start + longest]
    level = float(np.sqrt(np.mean(wave**2))) + 1e-5
    noise = rng.standard_normal(len(wave)).astype(np.float32)
    wave = wave + noise * np.float32(level * rng.choice([0.0, 0.01, 0.05, 0.15]))
    return np.clip(wave * np.float32(10 ** rng.uniform(-0.7, 0.3)), -1, 1).astype(np.float32)


def warped(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """As if from a longer or shorter throat, and through another microphone.

    The bands are stretched and shifted (VTLP: Jaitly and Hinton 2013), a smooth curve over them, of a few decibels
    (1 is 40 dB), is added, and some lose what is quiet. Shapes: (64, frames) → the same.
    """
    bands = len(mel)
    places = (np.arange(bands) * rng.uniform(0.84, 1.2) + rng.uniform(-2, 2)).clip(0, bands - 1.001)
    low = places.astype(np.int64)
    share = (places - low).astype(np.float32)[:, None]
    waves = np.cos(np.pi * np.arange(1, 4)[:, None] * (np.arange(bands) + 0.5) / bands)
    curve = (rng.normal(0, MICROPHONE / np.arange(1, 4)) @ waves).astype(np.float32)
    heard = np.asarray(mel[low] * (1 - share) + mel[low + 1] * share + curve[:, None])
    if rng.random() < GATED:
        loudest = heard.max()
        silence, quiet = loudest - DYNAMIC_RANGE, loudest - rng.uniform(0.4, 0.9) * DYNAMIC_RANGE
        heard = np.where(heard < quiet, silence if rng.random() < 0.5 else quiet, heard).astype(np.float32)
    return heard


def log_mel(wave: NDArray[np.float32] | None, samples: int) -> NDArray[np.float32]:
    """Log-mel of a recording, filled with silence to so many samples. Shape (64, frames)."""
    padded = np.zeros(samples, np.float32)
    if wave is not None:
        padded[: len(wave)] = wave
    return LOG_MEL(padded)


def log_mels(waves: Sequence[NDArray[np.float32]], longest: int, rng: np.random.Generator) -> Tensor:
    """Log-mel of recordings that start somewhere in near silence; a band of time and of pitch is blotted out in half.

    SpecAugment: Park et al. 2019, section 2. Shape (n, 64, frames).
    """
    out = []
    for wave in waves:
        room = max(0, longest - len(wave))
        padded = np.zeros(longest, np.float32)
        start = int(rng.integers(room + 1))
        padded[start : start + len(wave)] = wave
        padded += rng.standard_normal(longest).astype(np.float32) * np.float32(10 ** rng.uniform(-5, -2.8))
        mel = warped(LOG_MEL(padded), rng)
        if rng.random() < 0.5:
            low, span = int(rng.integers(64)), int(rng.integers(2, 10))
            mel[low : low + span] = mel.min()
            when, long = int(rng.integers(mel.shape[1])), int(rng.integers(4, 24))
            mel[:, when : when + long] = mel.min()
        out.append(mel)
    return torch.from_numpy(np.stack(out))
