"""Depth and heat to one channel of pixels, as ImageBind takes them.

The official code has no loader for either. Depth follows what is written in its issues 14 and 69: disparity instead of
depth (Girdhar et al. 2023, section 4), with the numbers of Omnivore (Girdhar et al. 2022). Heat is a picture's grey in
their data (LLVIP), which cameras scale to what they see: so the coldest place becomes 0 and the hottest 1. All numbers
can be set in `preprocessor_config.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, UnsupportedConfig

Grid = NDArray[np.float32]
_MAX_PIXELS = 64_000_000


@dataclass(frozen=True, kw_only=True)
class DepthMap:
    """Metres to normalized disparity."""

    size: int = 224
    """S, the side of the map in pixels."""
    focal_times_baseline: float = 38.91
    """Pixels times metres of the camera: disparity = this / metres. That of a Kinect: 518.86 pixels, 0.075 m."""
    min_depth: float = 0.01
    """What is nearer counts as so near, in metres."""
    max_depth: float = 50.0
    """What is farther, or has no reading (0), counts as so far, in metres."""
    max_disparity: float = 75.0
    """Disparity in pixels that becomes 1; what is above is cut."""
    mean: float = 0.0418
    std: float = 0.0295

    def __post_init__(self) -> None:
        numbers = (self.focal_times_baseline, self.min_depth, self.max_depth, self.max_disparity, self.std)
        if not all(number > 0 for number in numbers) or self.min_depth > self.max_depth:
            raise UnsupportedConfig("The settings for depth have a number not above zero, or limits that cross.")

    def __call__(self, metres: Grid) -> Grid:
        """Shapes: (H, W) float32 metres → (1, S, S) float32.

        Raises:
            CapacityError: The map is too long and narrow.
        """
        known = np.where(metres > 0, metres, self.max_depth).clip(self.min_depth, self.max_depth)
        disparity = (self.focal_times_baseline / known).clip(max=self.max_disparity) / self.max_disparity
        return (_square(disparity.astype(np.float32), self.size) - np.float32(self.mean)) / np.float32(self.std)


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Kelvin to brightness between a picture's coldest and hottest place."""

    size: int = 224
    """S, the side of the map in pixels."""
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise UnsupportedConfig(f"The settings for heat have the std {self.std!r}; expected one above zero.")

    def __call__(self, kelvin: Grid) -> Grid:
        """Shapes: (H, W) float32 kelvin → (1, S, S) float32. A picture of one temperature is dark.

        Raises:
            CapacityError: The map is too long and narrow.
        """
        low, high = float(kelvin.min()), float(kelvin.max())
        bright = (kelvin - np.float32(low)) / np.float32(high - low or 1.0)
        return (_square(bright, self.size) - np.float32(self.mean)) / np.float32(self.std)


def _square(grid: Grid, side: int) -> Grid:
    """The short side to `side` pixels (bicubic), then the centre. Shapes: (H, W) → (1, side, side)."""
    from PIL import Image

    height, width = grid.shape
    long = int(side * max(height, width) / min(height, width))
    if side * long > _MAX_PIXELS:
        raise CapacityError(
            f"The map is {width} x {height}; with a short side of {side} it would have {side * long:,} pixels, "
            f"more than {_MAX_PIXELS:,}: crop it first."
        )
    sides = (side, long) if width <= height else (long, side)
    resized = np.asarray(Image.fromarray(grid).resize(sides, Image.Resampling.BICUBIC))
    return center(resized[None], side)


def center(planes: Grid, side: int) -> Grid:
    """The centre, its margins rounded to the even number as torchvision does. Shapes: (…, H, W) → (…, side, side)."""
    top, left = (round((there - side) / 2) for there in planes.shape[-2:])
    return np.ascontiguousarray(planes[..., top : top + side, left : left + side])
