"""Which region of a picture a score rests on: the one that lowers it most when it is covered.

Occlusion sensitivity: Zeiler and Fergus 2014, section 4.2. It works with any model, and says what the score depends on
and not what is ill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class ScoredRegion(NamedTuple):
    """A rectangle in pixels, from the left and the top, and by how much covering it lowers the score."""

    left: int
    top: int
    right: int
    bottom: int
    score: float


def occluded(
    picture: NDArray[np.uint8], score: Callable[[NDArray[np.uint8]], float], *, cells: int = 4
) -> tuple[float, ScoredRegion]:
    """The score of a picture, and the region that it rests on most.

    Args:
        picture: (H, W, 3) uint8.
        score: What is explained; it is asked `cells`² + 1 times.
        cells: Rows and columns of the grid that is covered one cell at a time, with the picture's mean grey.

    Returns:
        The score of the whole, and the cell; the whole picture with a score of 0 where no cell lowers it.
    """
    height, width = picture.shape[:2]
    whole = score(picture)
    grey = np.uint8(round(float(picture.mean())))
    best = ScoredRegion(0, 0, width, height, 0.0)
    for row in range(cells):
        for column in range(cells):
            top, bottom = row * height // cells, (row + 1) * height // cells
            left, right = column * width // cells, (column + 1) * width // cells
            covered = picture.copy()
            covered[top:bottom, left:right] = grey
            drop = whole - score(covered)
            if drop > best.score:
                best = ScoredRegion(left, top, right, bottom, drop)
    return whole, best
