"""Pictures and conversations to the inputs of LLaVA-NeXT: the whole picture, and tiles of it.

Reference implementation: `transformers`, `LlavaNextImageProcessorPil` and `LlavaNextProcessor`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tutti.errors import UnsupportedConfig
from tutti.processing.images import ImageProcessor, Pixels, cut, resize
from tutti.processing.prompt import MediaInput, media_digest
from tutti.processing.vision import VisionProcessor


class Tiling(Protocol):
    """What the model's configuration tells of a picture of so many pixels."""

    def resolution(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that it is brought to, in pixels."""
        ...

    def picture_tokens(self, height: int, width: int) -> int:
        """N."""
        ...


@dataclass(frozen=True, kw_only=True)
class LlavaNextProcessor(VisionProcessor):
    """Model inputs for `llava_next`.

    Raises:
        UnsupportedConfig: The preprocessor settings do not suit the model.
    """

    images: ImageProcessor
    """What happens to a tile."""
    image_size: int
    """S, the side of a tile in pixels."""
    tiling: Tiling

    def __post_init__(self) -> None:
        sides = {self.images.side, *self.images.size.values()}
        if sides != {self.image_size}:
            raise UnsupportedConfig(
                f"The preprocessor settings do not make tiles of {self.image_size} x {self.image_size} pixels, "
                "which the model sees; they are of another model."
            )

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (tiles, 3, S, S), "image_sizes": (2,) int64}.

        Raises:
            InputError: The array is not a picture.
        """
        self.images.check(pixels)
        height, width = pixels.shape[:2]
        tiles = [resize(pixels, self.image_size, self.image_size, self.images.resample)]
        tiles += cut(fit(pixels, *self.tiling.resolution(height, width), self.images.resample), self.image_size)
        arrays: dict[str, NDArray[Any]] = {
            "pixel_values": np.stack([self.images(tile) for tile in tiles]),
            "image_sizes": np.array([height, width], np.int64),
        }
        return MediaInput("image", arrays, self.tiling.picture_tokens(height, width), media_digest(arrays))


def fit(picture: Pixels, height: int, width: int, resample: int) -> Pixels:
    """Resize to fit inside, and fill up with black around. Shapes: (H, W, 3) → (height, width, 3)."""
    across, down = width / picture.shape[1], height / picture.shape[0]
    if across < down:
        small = resize(picture, min(math.ceil(picture.shape[0] * across), height), width, resample)
    else:
        small = resize(picture, height, min(math.ceil(picture.shape[1] * down), width), resample)
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out
