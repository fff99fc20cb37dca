"""Phase 1 on scenes: what is at every place of a picture, and at every moment of a recording.

A trunk that has learned this hands the decoder tokens that already say what is where, in the manner of token labelling
(Jiang et al. 2021, section 3.2); the classifiers are thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.drawing import COLOURS, SHAPES
from recipes.tutti_mini.objects import DIGITS, HEARD, KEYWORDS, WORDS
from recipes.tutti_mini.pairs import log_mel, warped
from recipes.tutti_mini.pools import SIDE, Pools
from recipes.tutti_mini.scenes import Scene, Thing, make_picture_scene, make_word_scene
from recipes.tutti_mini.sound_scenes import make_sound_scene
from tutti.training.objectives import IGNORE

NOTHING = 0
"""Class of a place or moment at which there is nothing."""
MOMENTS = ("", *HEARD, *(f"digit {name}" for name in DIGITS), *(f"keyword {name}" for name in KEYWORDS))
"""Classes of moments."""
COLOUR_NAMES = tuple(COLOURS)
QUIET = 0.3
"""Weight of a moment at which nothing is heard."""
_CELLS = SMALL.trunks["image"].side
_CELL = SIDE / _CELLS
_FRAMES_PER_S = 100
_LEAST = _CELL / 2 + 0.01


def place_names(pools: Pools) -> tuple[str, ...]:
    """Classes of places: nothing, and all that scenes may hold."""
    photos = {kind.name for classes in pools.photos.values() for kind in classes}
    texts = (*(f"word {word}" for word in WORDS), *(f"number {number}" for number in range(100)))
    return ("", *sorted({*pools.names, *photos, *SHAPES}), *texts)


@dataclass(frozen=True, eq=False)
class PlaceSource:
    """Pictures with the class and the colour of what is at each of 8 x 8 places."""

    pools: Pools
    names: tuple[str, ...]
    count: int
    words: int = 0
    """How many of them are words."""

    def __repr__(self) -> str:
        return f"{self.count} picture scenes ({self.words} of words) with {len(self.names)} classes of places"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch: values (n, 3, 64, 64) uint8; classes and colours (n, 64) int64, weights (n, 64)."""
        index = {name: number for number, name in enumerate(self.names)}
        scenes = [make_word_scene(rng, self.pools) for _ in range(self.words)]
        scenes += [make_picture_scene(rng, self.pools) for _ in range(self.count - self.words)]
        pixels = np.stack([scene.picture for scene in scenes if scene.picture is not None])
        labels = np.array([places(scene.facts.things, index) for scene in scenes])
        weights = np.stack([_shares(numbers) for numbers in labels[:, 2]])
        return {
            "values": torch.from_numpy(np.moveaxis(pixels, -1, 1).copy()),
            "classes": torch.from_numpy(labels[:, 0]),
            "colours": torch.from_numpy(labels[:, 1]),
            "weights": torch.from_numpy(weights),
        }


def places(things: tuple[Thing, ...], index: dict[str, int]) -> NDArray[np.int64]:
    """Class, colour and number of the thing at each place, row by row: (3, 64).

    A colour that is not known is `IGNORE`; things are numbered from 1, and 0 is the ground.
    """
    centres = (np.arange(_CELLS) + 0.5) * _CELL
    out = np.full((3, _CELLS, _CELLS), IGNORE, np.int64)
    out[0] = out[2] = NOTHING
    for number, thing in enumerate(things, 1):
        left, top, right, bottom = thing.box
        x, y = (left + right) / 2, (top + bottom) / 2
        across = np.abs(centres - x) < max(_LEAST, (right - left) / 2)
        along = np.abs(centres - y) < max(_LEAST, (bottom - top) / 2)
        inside = along[:, None] & across[None]
        key = f"{thing.kind} {thing.name}" if thing.kind in ("word", "number") else thing.name
        out[0][inside], out[2][inside] = index[key], number
        if thing.colour in COLOURS:
            out[1][inside] = COLOUR_NAMES.index(thing.colour)
    return out.reshape(3, -1)


def _shares(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weight of each place, so that every thing counts once, however large it is, and so does the ground."""
    _, index, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return (1 / counts[index]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class MomentSource:
    """Recordings with the class of what is heard at every token of the trunk."""

    pools: Pools
    count: int

    def __repr__(self) -> str:
        return f"{self.count} sound scenes with {len(MOMENTS)} classes of moments"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch: values (n, 64, frames), classes (n, frames / 8) int64."""
        scenes = [make_sound_scene(rng, self.pools) for _ in range(self.count)]
        longest = max(len(scene.sound) for scene in scenes if scene.sound is not None)
        mels = [warped(log_mel(scene.sound, longest), rng) for scene in scenes]
        tokens = -(-mels[0].shape[1] // SMALL.trunks["audio"].stride)
        classes = np.stack([moments(scene, tokens) for scene in scenes])
        weights = np.where(classes == NOTHING, QUIET, 1).astype(np.float32)
        drawn = {"values": np.stack(mels), "classes": classes, "weights": weights}
        return {name: torch.from_numpy(array) for name, array in drawn.items()}


def moments(scene: Scene, tokens: int) -> NDArray[np.int64]:
    """Class at each token; where several things sound at once, `IGNORE`."""
    heard = scene.facts.heard
    if len(heard) > 1 and not scene.facts.in_turn:
        return np.full(tokens, IGNORE, np.int64)
    out = np.full(tokens, NOTHING, np.int64)
    centres = (np.arange(tokens) + 0.5) * SMALL.trunks["audio"].stride / _FRAMES_PER_S
    for one in heard:
        prefix = {"digits": "digit ", "keyword": "keyword "}.get(one.kind, "")
        for name, start, end in one.spans:
            out[(centres >= start) & (centres < end)] = MOMENTS.index(f"{prefix}{name}")
    return out


def spotted(logits: Tensor, classes: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Cross entropy over places or moments, and how many of those with something are right.

    Shapes: logits (n, places, classes), classes and weights (n, places).
    """
    flat, wanted = logits.flatten(0, 1).float(), classes.flatten()
    share = weights.flatten() * (wanted != IGNORE)
    losses = F.cross_entropy(flat, wanted, ignore_index=IGNORE, reduction="none")
    there = share * (wanted > NOTHING)
    right = ((flat.argmax(-1) == wanted) * there).sum() / there.sum().clamp_min(1e-6)
    return {"loss": (losses * share).sum() / share.sum().clamp_min(1e-6), "accuracy": right}
