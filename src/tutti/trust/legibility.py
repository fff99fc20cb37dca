"""How legible a line of text is: height of its letters, contrast, and blur, that of compression too, in one score.

The score is the probability that the reader of text reads such a line right, by a logistic regression on lines that
were rendered and degraded at graded strengths (`benchmarks/verification_legibility.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.trust.pieces import Box

LEGIBLE = 0.5
"""Lines below that score are not relied on."""
_BLURRED_PX = 4.0
"""Pixels over which the sharpest edge of a picture goes from dark to light, above which it shows no small text."""
_LEAST_CONTRAST = 0.08
_WEIGHTS = (0.461, 1.114, 2.579, -1.911)
"""Of 1, and of the logarithms of letter height, contrast, and edges over letter height."""
_TILE = 48


@dataclass(frozen=True, slots=True)
class Legibility:
    """What decides whether a line can be read."""

    letter_px: float
    """Height of capital letters, in pixels."""
    contrast: float
    """Between ink and ground, from 0 to 1."""
    edge_px: float
    """Pixels over which an edge goes from ink to ground; about 1 where it is sharp."""

    def features(self) -> tuple[float, ...]:
        """What the score is a function of, in the order of the weights."""
        letter = math.log(max(self.letter_px, 1.0))
        contrast = math.log(max(self.contrast, 0.004))
        return 1.0, letter, contrast, math.log(max(self.edge_px, 0.5)) - letter

    @property
    def score(self) -> float:
        """Probability that such a line is read right."""
        return score_of(self.features())


def score_of(features: tuple[float, ...]) -> float:
    """The logistic function of weighted features."""
    total = sum(weight * value for weight, value in zip(_WEIGHTS, features, strict=True))
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, total))))


def legibility(grey: NDArray[np.float32], box: Box) -> Legibility:
    """How legible a line is.

    Args:
        grey: (H, W) float32, luminance from 0 to 1.
        box: Of the line.
    """
    height, width = grey.shape
    left, top, right, bottom = (round(side) for side in box)
    crop = grey[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    letter = 0.7 * max(1, min(bottom - top, right - left))
    if min(crop.shape) < 3:
        return Legibility(letter, 0.0, 9.0)
    dark, light = _two_classes(crop)
    contrast = light - dark
    return Legibility(letter, contrast, _edge_px(crop))


def shows_nothing_small(grey: NDArray[np.float32]) -> bool:
    """Whether a picture is so blurred, or so flat, that text may have been lost in it."""
    return min(grey.shape) < 64 or sharpest_edge(grey) > _BLURRED_PX


def sharpest_edge(grey: NDArray[np.float32]) -> float:
    """Pixels over which the sharpest edges of a picture go from dark to light; infinite where there is none."""
    smooth = _around(grey, 1)
    height, width = smooth.shape
    edges = []
    for top in range(0, max(1, height - _TILE + 1), _TILE // 2):
        for left in range(0, max(1, width - _TILE + 1), _TILE // 2):
            tile = smooth[top : top + _TILE, left : left + _TILE]
            low, high = np.quantile(tile, [0.01, 0.99])
            if high - low > _LEAST_CONTRAST:
                edges.append(_edge_px(tile))
    return float(np.quantile(edges, 0.1)) if edges else math.inf


def levelled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture whose faint parts are as strong as its others: each place by mean and spread around it (Niblack 1986).

    Shapes: (H, W, 3) uint8 → (H, W, 3) uint8, grey.
    """
    grey = luminance(pixels)
    radius = max(8, min(grey.shape) // 12)
    mean = _around(grey, radius)
    spread = np.sqrt(np.maximum(_around(grey * grey, radius) - mean * mean, 0)) + 0.006
    level = np.clip(0.5 + 0.2 * (_around(grey, 1) - mean) / spread, 0, 1)
    return np.repeat((level * 255).astype(np.uint8)[..., None], 3, axis=2)


def _around(grey: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """The mean of the square around each pixel; the picture's edge goes on outside."""
    mean = np.pad(grey.astype(np.float64), radius + 1, mode="edge").cumsum(0).cumsum(1)
    size = 2 * radius + 1
    sums = mean[size:, size:] - mean[:-size, size:] - mean[size:, :-size] + mean[:-size, :-size]
    return np.asarray(sums[: grey.shape[0], : grey.shape[1]] / size**2, np.float32)


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rec. 601 luma. Shapes: (H, W, 3) uint8 → (H, W) float32 from 0 to 1."""
    weights = np.array([0.299, 0.587, 0.114], np.float32) / 255
    return np.asarray(pixels.astype(np.float32) @ weights, np.float32)


def _two_classes(crop: NDArray[np.float32]) -> tuple[float, float]:
    """Means of the dark and the light pixels, apart where that separates them best (Otsu 1979)."""
    counts, edges = np.histogram(crop, 64, (0.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        dark, light = sums / below, (sums[-1] - sums) / above
        between = np.where((below > 0) & (above > 0), below * above * (light - dark) ** 2, -1.0)
    best = int(between.argmax())
    return (float(dark[best]), float(light[best])) if between[best] > 0 else (0.0, 0.0)


def _edge_px(crop: NDArray[np.float32]) -> float:
    """Contrast over the steepest slope, in pixels."""
    down, right = np.gradient(crop)
    slope = float(np.quantile(np.hypot(down, right), 0.99))
    low, high = np.quantile(crop, [0.02, 0.98])
    return min(20.0, float(high - low) / max(slope, 1e-4))
