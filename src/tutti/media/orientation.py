"""How decoded pictures and frames are brought upright: turned, mirrored, and their pixels made square."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Turn: TypeAlias = tuple[bool, bool, bool]
"""Whether to transpose, then to mirror from left to right, then to mirror from top to bottom."""
UPRIGHT: Turn = (False, False, False)
_WIDEST_PIXEL = 16.0
"""A pixel more than this many times as wide as high, or as high as wide, is an error of the file."""


def turned(array: NDArray[np.uint8], transposed: bool, mirrored: bool, flipped: bool) -> NDArray[np.uint8]:
    """Apply a `Turn`. Shapes: (H, W, 3) uint8 → (H, W, 3) or (W, H, 3)."""
    if transposed:
        array = array.transpose(1, 0, 2)
    if mirrored:
        array = array[:, ::-1]
    if flipped:
        array = array[::-1]
    return np.ascontiguousarray(array)


def turn_of(frame: Any) -> Turn:
    """The turn nearest to the display matrix of a decoded frame (ISO 14496-12, section 8.3.2; Matroska: Projection).

    Its first two rows are (a, b) and (c, d), with x' = a x + c y and y' = b x + d y. Angles between the right ones are
    rounded to the nearest.
    """
    from av.sidedata.sidedata import Type  # here, since pictures need no PyAV

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(found, np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def shown_size(stream: Any, width: int, height: int) -> tuple[int, int]:
    """Width and height of coded pixels once they are square, before any turn.

    Args:
        stream: The stream of pictures, which says how wide a pixel is.
        width: Coded width, in pixels.
        height: Coded height, in pixels.
    """
    ratio = float(stream.sample_aspect_ratio or 1)
    if not 1 / _WIDEST_PIXEL <= ratio <= _WIDEST_PIXEL:
        ratio = 1.0
    return max(1, round(width * ratio)), height


def upright(frame: Any, size: tuple[int, int], interpolation: str = "BILINEAR") -> NDArray[np.uint8]:
    """A decoded frame, scaled to a width and height and then turned. Shapes: (H, W, 3) uint8."""
    return turned(frame.reformat(*size, format="rgb24", interpolation=interpolation).to_ndarray(), *turn_of(frame))
