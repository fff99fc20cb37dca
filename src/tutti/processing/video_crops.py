"""Videos to views: frames of windows spread over time, crops spread over space, as ImageBind takes them.

Reference implementation: `imagebind/data.py`, `load_and_transform_video_data`, with pytorchvideo's sampler and scaling.
We differ in: frames at the very edge of a window belong to it, where rounding may leave them out in the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, UnsupportedConfig
from tutti.media.frame_sampling import WindowEnds
from tutti.media.video import Clip

Planes = NDArray[np.float32]
_MAX_PIXELS = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Views:
    """How a video is seen: `clips` windows of `clip_s` seconds, first and last frame of each, `crops` squares of it."""

    size: int
    """S, the side of a view in pixels."""
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    clips: int = 5
    clip_s: float = 2.0
    crops: int = 3
    """1 takes the centre, 3 both ends of the long side besides."""

    def __post_init__(self) -> None:
        if self.crops not in (1, 3) or self.clips < 1 or not self.clip_s > 0:
            raise UnsupportedConfig("The settings for video must have clips of some seconds, and 1 or 3 crops.")

    @property
    def choice(self) -> WindowEnds:
        """Which frames are needed."""
        return WindowEnds(self.clips, self.clip_s)

    def __call__(self, clip: Clip) -> Planes:
        """Cut the views.

        Shapes: a clip with the frames that `choice` keeps → (clips * crops, 3, 2, S, S), a window's crops together.

        Raises:
            CapacityError: The video is too long and narrow.
        """
        frames = np.stack([self._scale(frame) for frame in clip.frames])
        windows = frames[self.choice.places(clip.times_s, clip.duration_s)]  # (clips, 2, 3, height, width)
        views = [self._crop(window, place) for window in windows for place in self._crops()]
        return np.ascontiguousarray(np.stack(views).swapaxes(1, 2))

    def _scale(self, frame: NDArray[np.uint8]) -> Planes:
        """The short side to S, normalized. Shapes: (H, W, 3) uint8 → (3, height, width)."""
        height, width = frame.shape[:2]
        long = math.floor(max(height, width) / min(height, width) * self.size)
        if self.size * long > _MAX_PIXELS:
            raise CapacityError(
                f"The video is {width} x {height} pixels; with a short side of {self.size} each frame would have "
                f"{self.size * long:,}, more than {_MAX_PIXELS:,}: crop it first."
            )
        sides = (long, self.size) if width < height else (self.size, long)
        values: Planes = bilinear(frame.astype(np.float32) / np.float32(255), *sides)
        values -= np.asarray(self.image_mean, np.float32)
        values /= np.asarray(self.image_std, np.float32)
        return values.transpose(2, 0, 1)

    def _crops(self) -> tuple[float, ...]:
        return (0.5,) if self.crops == 1 else (0.0, 0.5, 1.0)

    def _crop(self, planes: Planes, place: float) -> Planes:
        """A square at the start, the middle (rounded up) or the end of the long side. Shapes: (…, height, width)."""
        height, width = planes.shape[-2:]
        top, left = (math.ceil((side - self.size) * place) for side in (height, width))
        return planes[..., top : top + self.size, left : left + self.size]


def bilinear(picture: Planes, height: int, width: int) -> Planes:
    """Resize between the centres of neighbouring pixels, without widening the filter: as `F.interpolate` of torch does.

    Shapes: (H, W, C) → (height, width, C).
    """
    for axis, side in enumerate((height, width)):
        there = picture.shape[axis]
        centres = np.maximum((np.arange(side) + 0.5) * (there / side) - 0.5, 0)
        low = np.floor(centres).astype(int)
        share = (centres - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, there - 1)
        lower, upper = picture.take(low, axis), picture.take(high, axis)
        picture = lower + (upper - lower) * share
    return picture
