"""The thing in a photograph told from its ground: colours of the middle against colours of the picture's edge.

Who photographs a thing has it in the middle, and the ground reaches the edge. Both places are gathered to a few
colours; a pixel belongs to the thing if it is nearer to a colour of the middle than to any of the edge, and is
connected with the middle. Where the middle has the edge's colours there is nothing to tell apart, and the middle
itself is taken.
Measured beside OpenCV's GrabCut by `benchmarks/shopping.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.search.looks.planes import Plane, Region, centres_of, eroded, local_mean, parts_of
from tutti.search.query.colours import Lab

_RING, _CORE = 0.04, 0.08
"""Width of the ring along the edge, and half the side of the middle, as shares of the shorter side."""
_RING_COLOURS, _CORE_COLOURS, _APART = 10, 4, 9.0
_LEAST_RING, _LEAST_CORE = 0.02, 0.1
"""A colour with a smaller share is noise; of the ring, the thing touching the edge."""
_SAME = 5.0
"""A colour of the middle that is as near to one of the edge belongs to both."""
_LIGHTNESS = 0.7
"""Lightness counts for less than hue, as shadows differ in it."""
_SMALLEST, _LARGEST = 0.005, 0.85
_PART = 0.3
"""Other parts of at least this share of the largest belong to the thing, too."""


class Ground(NamedTuple):
    """Where the thing is."""

    thing: Region
    told: bool
    """Whether it was told from its ground; otherwise it is the middle of the picture."""
    separation: float
    """How far the thing's colours lie from the ground's, in units of L*a*b*."""


def ground_of(lab: Lab) -> Ground:
    """Tell the thing from its ground. Shapes: (H, W, 3) float32."""
    height, width = lab.shape[:2]
    weighted = lab.astype(np.float64) * np.array([_LIGHTNESS, 1, 1])
    scaled: NDArray[np.float64] = np.stack([local_mean(plane, 1) for plane in np.moveaxis(weighted, 2, 0)], axis=2)
    ring, core = _ring(height, width), _core(height, width, _CORE)
    edge = _colours(scaled[ring], _RING_COLOURS, _LEAST_RING)
    middle = _colours(scaled[core], _CORE_COLOURS, _LEAST_CORE)
    apart = np.linalg.norm(middle[:, None] - edge, axis=2).min(1)
    middle = middle[apart >= _SAME]
    if not len(middle):
        return Ground(_core(height, width, 1.5 * _CORE), False, 0.0)
    to_edge, to_middle = _away(scaled, edge), _away(scaled, middle)
    thing = _thing(to_middle < to_edge)
    if not _SMALLEST < thing.mean() < _LARGEST:
        return Ground(_core(height, width, 1.5 * _CORE), False, 0.0)
    return Ground(thing, True, float(np.median(to_edge[thing])))


def inside(thing: Region) -> Region:
    """The thing without its rim, where its colour and the ground's are mixed; all of it where it is thin."""
    for times in (3, 2, 1):
        inner = eroded(thing, times)
        if inner.sum() > 0.4 * thing.sum():
            return inner
    return thing


def _colours(points: NDArray[np.float64], most: int, least: float) -> NDArray[np.float64]:
    centres, shares = centres_of(points, most, _APART)
    return np.asarray(centres[shares >= min(least, float(shares.max()))])


def _away(scaled: NDArray[np.float64], centres: NDArray[np.float64]) -> Plane:
    return np.asarray(np.min([np.linalg.norm(scaled - centre, axis=2) for centre in centres], axis=0))


def _thing(own: Region) -> Region:
    """The part that is largest about the middle, and those that are nearly as large there."""
    numbers = parts_of(own)
    if not numbers.any():
        return own
    weights = np.bincount(numbers.ravel(), _middleness(*own.shape).ravel())
    weights[0] = 0
    kept = np.flatnonzero(weights >= _PART * weights.max())
    return _filled(np.isin(numbers, kept[kept > 0]))


def _filled(region: Region) -> Region:
    """Without holes: what of the rest is not connected with the picture's edge belongs to the region."""
    rest = parts_of(~region)
    edge = np.unique(np.concatenate([rest[0], rest[-1], rest[:, 0], rest[:, -1]]))
    return np.asarray(region | (rest > 0) & ~np.isin(rest, edge))


def _middleness(height: int, width: int) -> Plane:
    y, x = np.mgrid[0:height, 0:width]
    return np.asarray(np.exp(-4 * ((2 * y / (height - 1) - 1) ** 2 + (2 * x / (width - 1) - 1) ** 2)))


def _ring(height: int, width: int) -> Region:
    band = max(1, round(_RING * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[band:-band, band:-band] = False
    return ring


def _core(height: int, width: int, half: float) -> Region:
    y, x = np.mgrid[0:height, 0:width]
    side = max(2.0, half * min(height, width))
    return np.asarray((abs(y - (height - 1) / 2) <= side) & (abs(x - (width - 1) / 2) <= side))
