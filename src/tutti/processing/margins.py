"""Plain margins around what a picture shows: a product on a banner, a photograph on a slide.

A picture that is made small enough for a trunk leaves little of a thing with much of one colour around it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LIKE = 24
"""Levels of 256 that a channel of a margin may be off its colour: what JPEG makes of a plain ground."""
_PLAIN = 0.98
"""Share of an edge that has its colour where there is a margin."""
_STRAY = 0.01
"""Share of a line of the margin that may have another colour."""
_MOST = 0.6
"""Margins that leave more of the picture than this are no trouble and stay."""
_LEAST = 24
"""Pixels along each side that must be left."""


def without_margins(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """What lies within margins of one colour, above and below or at both sides; None where they are small or none.

    Shapes: (H, W, 3) uint8 → (H', W', 3), a view.
    """
    height, width = pixels.shape[:2]
    top, bottom = _within(pixels)
    left, right = _within(pixels[top:bottom].swapaxes(0, 1))
    over, under = _within(pixels[top:bottom, left:right])
    top, bottom = top + over, top + under
    if (bottom - top) * (right - left) > _MOST * height * width or min(bottom - top, right - left) < _LEAST:
        return None
    return pixels[top:bottom, left:right]


def _within(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """The first row that belongs to no margin, and the row behind the last; all rows unless there are two margins."""
    every = (0, len(pixels))
    first, last = (np.median(pixels[row], axis=0).astype(np.int16) for row in (0, -1))
    if np.abs(first - last).max() > _LIKE:
        return every
    others = [_others(pixels[row], first) for row in (0, -1)]
    if max(others) > 1 - _PLAIN:
        return every
    rows = np.flatnonzero(_others(pixels, first) > _STRAY)
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else every


def _others(pixels: NDArray[np.uint8], colour: NDArray[np.int16]) -> NDArray[np.float64]:
    """Share of each row's pixels that have another colour. Shapes: (…, W, 3) and (3,) → (…)."""
    off = np.abs(pixels.astype(np.int16) - colour).max(-1) > _LIKE
    return np.asarray(off.mean(-1))
