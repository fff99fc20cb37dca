"""Covering boxes of a picture so that nothing of what was there can be computed from what is left.

A blur is a linear filter and can be undone (Richardson 1972, Wiener deconvolution); so boxes are filled, or reduced to
a few cells to which noise is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.trust.pieces import Box

Cover: TypeAlias = Literal["solid", "pixelate"]
"""Fill with one grey, or with a few cells of the mean colour with noise."""
_GREY = 96
_CELLS = 6
"""Cells along the longer side of a box: a face is not recognised from six by six."""
_NOISE = 24.0
"""Standard deviation of the noise on each cell, in levels of 256."""
_LEVELS = 32


def covered(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], how: Cover = "solid", rng: np.random.Generator | None = None
) -> NDArray[np.uint8]:
    """A copy in which boxes are covered.

    Args:
        pixels: (H, W, 3) uint8.
        boxes: Left, top, right, bottom in pixels; parts outside the picture count for nothing.
        how: What with.
        rng: Draws the noise; one that nobody can foresee where not given.
    """
    made = pixels.copy()
    for box in boxes:
        left, top, right, bottom = whole_pixels(box, pixels.shape)
        if left >= right or top >= bottom:
            continue
        spot = made[top:bottom, left:right]
        spot[:] = _GREY if how == "solid" else _cells(spot, rng or np.random.default_rng())
    return made


def whole_pixels(box: Box, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A box grown to whole pixels and cut to the picture."""
    left, top, right, bottom = box
    return (
        max(0, int(np.floor(left))),
        max(0, int(np.floor(top))),
        min(shape[1], int(np.ceil(right))),
        min(shape[0], int(np.ceil(bottom))),
    )


def _cells(spot: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = spot.shape[:2]
    side = max(1, -(-max(height, width) // _CELLS))
    made = np.empty_like(spot)
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = spot[top : top + side, left : left + side].reshape(-1, 3)
            mean = cell.mean(0) + rng.normal(0, _NOISE)
            step = 256 // _LEVELS
            made[top : top + side, left : left + side] = np.clip(np.round(mean / step) * step, 0, 255)
    return made
