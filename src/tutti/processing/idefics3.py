"""Pictures and conversations to the inputs of Idefics3 and SmolVLM: tiles with their rows and columns, and the whole.

Reference implementation: `transformers`, `Idefics3ImageProcessorPil` and `Idefics3Processor`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutti.errors import UnsupportedConfig
from tutti.processing.images import ImageProcessor, Pixels, cut, resize
from tutti.processing.prompt import MediaInput, media_digest
from tutti.processing.vision import VisionProcessor

FAKE, GLOBAL = "<fake_token_around_image>", "<global-img>"
"""Tokens around the tokens of each tile, and before those of a whole picture."""
_MAX_SIDE = 4096


@dataclass(frozen=True, eq=False)
class TiledInput(MediaInput):
    """A picture in tiles, each of which stands in its own place in the prompt."""

    tiles: Sequence[MediaInput]
    """Row by row, then the whole picture; or the whole picture alone."""
    rows: int = 0
    columns: int = 0


@dataclass(frozen=True, kw_only=True)
class Idefics3Processor(VisionProcessor):
    """Model inputs for `idefics3`."""

    images: ImageProcessor
    """What happens to a tile."""
    tile_size: int
    """S, the side of a tile in pixels."""
    longest_edge: int
    """The long side of a picture before it is cut, in pixels."""
    splits: bool
    """Whether pictures are cut into tiles at all."""
    tile_tokens: int
    """N of a tile."""

    @property
    def most_tiles(self) -> int:
        """Tiles of the picture that takes most."""
        along = math.ceil(self.longest_edge / self.tile_size) if self.splits else 1
        return along**2 + 1 if along > 1 else 1

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (tiles, 3, S, S)}.

        Raises:
            InputError: The array is not a picture.
        """
        self.images.check(pixels)
        side, filter_ = self.tile_size, self.images.resample
        picture = resize(pixels, *long_side(pixels, self.longest_edge), filter_)
        if not self.splits:
            return self.tiled("image", [resize(picture, side, side, filter_)])
        picture = resize(picture, *whole_tiles(picture, side), filter_)
        tiles = cut(picture, side)
        if len(tiles) == 1:
            return self.tiled("image", tiles)
        rows, columns = picture.shape[0] // side, picture.shape[1] // side
        return self.tiled("image", [*tiles, resize(picture, side, side, filter_)], rows, columns)

    def tiled(self, modality: str, pictures: Sequence[Pixels], rows: int = 0, columns: int = 0) -> TiledInput:
        """Squares of S x S pixels as one medium."""
        values = np.stack([self.images(picture) for picture in pictures])
        arrays = [{"pixel_values": tile} for tile in values]
        tiles = [MediaInput(modality, tile, self.tile_tokens, media_digest(tile)) for tile in arrays]
        digest = hashlib.sha256("".join(tile.digest for tile in tiles).encode()).hexdigest()
        return TiledInput(
            modality, {"pixel_values": values}, self.tile_tokens * len(tiles), digest, tiles, rows, columns
        )

    def written(self, medium: MediaInput) -> tuple[str, Sequence[MediaInput]]:
        """What stands for a picture in the prompt, and its tiles."""
        assert isinstance(medium, TiledInput)  # noqa: S101 - made by `picture`
        tile = self.image_token * self.tile_tokens
        cells = [
            [f"{FAKE}<row_{row + 1}_col_{column + 1}>{tile}" for column in range(medium.columns)]
            for row in range(medium.rows)
        ]
        lines = "".join("".join(row) + "\n" for row in cells)
        return (f"{lines}\n" if lines else "") + self.whole, medium.tiles

    @property
    def whole(self) -> str:
        """What stands for a whole picture, or a frame."""
        return f"{FAKE}{GLOBAL}{self.image_token * self.tile_tokens}{FAKE}"


def long_side(picture: Pixels, longest: int) -> tuple[int, int]:
    """Height and width with the longer one brought to `longest`, the other to an even number."""
    height, width = picture.shape[:2]
    if width >= height:
        other = int(longest / (width / height))
        return max(other + other % 2, 1), longest
    other = int(longest * (width / height))
    return longest, max(other + other % 2, 1)


def whole_tiles(picture: Pixels, side: int) -> tuple[int, int]:
    """Height and width rounded up to whole tiles, the longer one first, the other in proportion to it."""
    height, width = picture.shape[:2]
    shape = width / height
    if width >= height:
        width = math.ceil(width / side) * side
        return math.ceil(int(width / shape) / side) * side, width
    height = math.ceil(height / side) * side
    return height, math.ceil(int(height * shape) / side) * side


def tile_settings(settings: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """Arguments of `Idefics3Processor` from the preprocessor settings.

    Raises:
        UnsupportedConfig: A setting is unknown, not computed here, or does not suit tiles of `image_size` pixels.
    """
    rest = dict(settings)
    longest = _longest_edge(rest, "size")
    if (side := _longest_edge(rest, "max_image_size")) != image_size:
        raise UnsupportedConfig(
            f"max_image_size is {side}, and the model sees tiles of {image_size} pixels; the preprocessor settings are "
            "of another model."
        )
    for key in ("do_resize", "do_pad"):
        if rest.pop(key, True) is not True:
            raise UnsupportedConfig(f"{key} is false; this model's pictures always are brought to whole tiles.")
    rest.pop("return_row_col_info", None)
    splits = rest.pop("do_image_splitting", True)
    rest.setdefault("resample", 1)
    images = ImageProcessor.from_config({**rest, "size": {"height": side, "width": side}})
    return {"images": images, "tile_size": side, "longest_edge": longest, "splits": bool(splits)}


def _longest_edge(settings: dict[str, Any], key: str) -> int:
    found = settings.pop(key, None)
    longest = found.get("longest_edge") if isinstance(found, Mapping) else None
    if type(longest) is not int or not 0 < longest <= _MAX_SIDE:
        raise UnsupportedConfig(f"{key} is {found!r}; expected a longest_edge from 1 to {_MAX_SIDE} pixels.")
    return longest
