"""Pattern and finish of a surface, by descriptors that can be stated.

Pattern: a surface of two tones (share of the variance between them, Otsu 1979) has edges; how much these agree in
direction (the second circular moment of gradients) tells stripes, how much in two directions at right angles (the
fourth) tells checks, and neither, with many small round parts, dots.
Finish: highlights that lose the surface's colour are gloss, those that keep it metal, and none is matt (dichromatic
reflection: Shafer 1985).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.search.looks.planes import Plane, Region, eroded, local_mean, otsu, parts_of
from tutti.search.query.colours import Lab

PATTERNS = ("plain", "striped", "dotted", "checked")
FINISHES = ("matt", "gloss", "metallic")
_LEAST_PIXELS = 300
_CONTRAST, _TWO_TONES = 6.0, 0.6
_ONE_WAY, _TWO_WAYS = 0.55, 0.18
_LEAST_PARTS, _SPECK = 4, 9
_HIGHLIGHT = 12.0
_KEPT = 0.72
"""Share of the body's chroma that a highlight keeps at least, on metal."""


class Surface(NamedTuple):
    """What a surface is like; None where the descriptors do not tell."""

    pattern: str | None
    finish: str | None
    contrast: float
    """Standard deviation of the colours, in units of L*a*b*, after evening out the light."""
    tones: float
    """Share of the variance that lies between two tones."""
    one_way: float
    two_ways: float
    """How much edges agree in one direction, and in two at right angles, from 0 to 1."""
    highlight: float
    """L* of the brightest fiftieth above the median."""
    kept: float
    """Chroma of the highlights as a share of the body's."""


def surface_of(lab: Lab, region: Region) -> Surface:
    """Describe a surface. Shapes: (H, W, 3) float32, (H, W)."""
    if region.sum() < _LEAST_PIXELS:
        return Surface(None, None, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    level = _levelled(lab.astype(np.float64), region)
    own = level[region]
    contrast = float(np.sqrt(own.var(0).sum()))
    _, _, axes = np.linalg.svd(own - own.mean(0), full_matrices=False)
    tone = np.where(region, (level - own.mean(0)) @ axes[0], 0.0)
    threshold, tones = otsu(tone[region])
    one_way, two_ways = _agreement(tone, region)
    pattern = _pattern(contrast, tones, one_way, two_ways, tone > threshold, region)
    highlight, kept = _highlights(lab, region)
    finish = _finish(highlight, kept) if pattern == "plain" else None
    return Surface(pattern, finish, contrast, tones, one_way, two_ways, highlight, kept)


def _levelled(lab: NDArray[np.float64], region: Region) -> NDArray[np.float64]:
    """Lightness without what falls off over the whole surface: a quadratic in both directions."""
    y, x = np.mgrid[0 : region.shape[0], 0 : region.shape[1]] / max(region.shape)
    table = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    fit, *_ = np.linalg.lstsq(table[region], lab[..., 0][region], rcond=None)
    out = lab.copy()
    out[..., 0] -= table @ fit - np.median(lab[..., 0][region])
    return out


def _agreement(tone: Plane, region: Region) -> tuple[float, float]:
    inner = eroded(region, 2)
    smooth = local_mean(tone, 1)
    down, across = np.gradient(smooth)
    size, angle = np.hypot(down, across)[inner], np.arctan2(down, across)[inner]
    if not size.size or size.max() < 1e-6:
        return 0.0, 0.0
    size = np.where(size > 0.3 * np.quantile(size, 0.98), size, 0.0)
    total = max(float(size.sum()), 1e-9)
    return tuple(float(np.abs((size * np.exp(1j * times * angle)).sum()) / total) for times in (2, 4))  # type: ignore[return-value]


def _pattern(
    contrast: float, tones: float, one_way: float, two_ways: float, high: Region, region: Region
) -> str | None:
    """The pattern; a highlight or a shadow, which does not come again, is none."""
    if contrast < _CONTRAST:
        return "plain"
    bright, dim = _pieces(high, region), _pieces(~high, region)
    if max(len(bright), len(dim)) < _LEAST_PARTS:
        return "plain"
    if one_way > _ONE_WAY and tones > _TWO_TONES:
        return "striped"
    if two_ways > _TWO_WAYS and one_way < _ONE_WAY:
        return "checked"
    return "dotted" if tones > _TWO_TONES and max(sum(bright), sum(dim)) >= _LEAST_PARTS else None


def _pieces(tone: Region, region: Region) -> list[bool]:
    """Whether each connected piece of a tone is round, of those that are no specks."""
    numbers = parts_of(tone & eroded(region, 2))
    pieces = []
    for number in np.flatnonzero(np.bincount(numbers.ravel()) >= _SPECK):
        if number:
            rows, columns = np.nonzero(numbers == number)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            square = max(height, width) <= 2 * min(height, width)
            pieces.append(bool(square and len(rows) > 0.55 * height * width))
    return pieces


def _highlights(lab: Lab, region: Region) -> tuple[float, float]:
    inner = eroded(region, 2)
    own = lab[inner if inner.sum() >= _LEAST_PIXELS else region]
    lightness, chroma = own[:, 0], np.hypot(own[:, 1], own[:, 2])
    median = float(np.median(lightness))
    bright = lightness >= np.quantile(lightness, 0.98)
    body = float(np.median(chroma[np.abs(lightness - median) <= 6]))
    return float(lightness[bright].mean() - median), float(np.median(chroma[bright]) / max(body, 1.0))


def _finish(highlight: float, kept: float) -> str:
    if highlight < _HIGHLIGHT:
        return "matt"
    return "metallic" if kept >= _KEPT else "gloss"
