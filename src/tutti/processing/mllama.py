"""Pictures and conversations to the inputs of Llama-3.2-Vision.

Reference implementation: `transformers`, `MllamaImageProcessorPil` and `MllamaProcessor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import UnsupportedConfig
from tutti.processing.images import ImageProcessor, Pixels, resize
from tutti.processing.prompt import MediaInput, Prompt, TaughtDialogue, ToolUse, Turns, View, media_digest
from tutti.processing.text import Words
from tutti.processing.vision import VisionProcessor


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """How a picture is cut into square tiles of one size."""

    pixels: ImageProcessor
    """What happens to a canvas of whole tiles: rescaling and normalizing."""
    side: int
    """S of a tile, in pixels."""
    most: int
    """Most tiles of a picture."""

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Tiles:
        """Read `preprocessor_config.json`.

        Raises:
            UnsupportedConfig: A key is unknown or missing, or a value is not computed here.
        """
        values = {key: value for key, value in values.items() if value is not None}
        most, size = values.pop("max_image_tiles", 4), values.get("size")
        if not (values.pop("do_resize", True) and values.pop("do_pad", True)):
            raise UnsupportedConfig("preprocessor_config.json switches off do_resize or do_pad; no tiles come without.")
        square = isinstance(size, Mapping) and size.get("height") == size.get("width") is not None
        if not square or type(most) is not int or most < 1:
            raise UnsupportedConfig(
                f"preprocessor_config.json has size {size!r} and max_image_tiles {most!r}; expected a height and the "
                "same width, and a whole number."
            )
        pixels = ImageProcessor.from_config({**values, "do_resize": False})
        return cls(pixels=pixels, side=pixels.size["height"], most=most)

    def __call__(self, picture: Pixels) -> dict[str, NDArray[Any]]:
        """Cut a picture into tiles, row by row; behind them are empty ones.

        Shapes: (H, W, 3) uint8 → {"pixel_values": (most, 3, S, S) float32, "aspect_ratio_ids": () int64, the number of
        the arrangement from 1 on, "aspect_ratio_mask": (most,) int64 with 1 for each tile that is filled}.

        Raises:
            InputError: The array is not a picture.
        """
        self.pixels.check(picture)
        number, (rows, columns) = self._arrangement(*picture.shape[:2])
        side = self.side
        canvas = np.zeros((rows * side, columns * side, 3), np.uint8)
        fitted = resize(picture, *self._fit(picture, canvas), self.pixels.resample)
        canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
        cut = self.pixels(canvas).reshape(3, rows, side, columns, side).transpose(1, 3, 0, 2, 4)
        values = np.zeros((self.most, 3, side, side), np.float32)
        values[: rows * columns] = cut.reshape(rows * columns, 3, side, side)
        mask = (np.arange(self.most) < rows * columns).astype(np.int64)
        return {"pixel_values": values, "aspect_ratio_ids": np.array(number), "aspect_ratio_mask": mask}

    def _arrangement(self, height: int, width: int) -> tuple[int, tuple[int, int]]:
        """Number, rows and columns: those that enlarge the picture least, or else shrink it least; few tiles first."""
        sides = range(1, self.most + 1)
        known = [(rows, columns) for rows in sides for columns in sides if rows * columns <= self.most]
        scales = [min(rows * self.side / height, columns * self.side / width) for rows, columns in known]
        larger = [scale for scale in scales if scale >= 1]
        chosen = min(larger) if larger else max(scales)
        fitting = [index for index, scale in enumerate(scales) if scale == chosen]
        best = min(fitting, key=lambda index: known[index][0] * known[index][1])
        return best + 1, known[best]

    def _fit(self, picture: Pixels, canvas: Pixels) -> tuple[int, int]:
        """Height and width on the canvas, in proportion; what is smaller than a tile fills it one way."""
        height, width = picture.shape[:2]
        high, wide = (
            min(max(size, self.side), limit) for size, limit in zip((height, width), canvas.shape, strict=False)
        )
        if wide / width < high / height:
            return min(int(height * (wide / width)) or 1, high), wide
        return high, min(int(width * (high / height)) or 1, wide)


@dataclass(frozen=True, kw_only=True)
class MllamaProcessor(VisionProcessor):
    """Model inputs for `mllama`.

    Raises:
        UnsupportedConfig: The preprocessor settings do not suit the model.
    """

    tiles: Tiles
    image_size: int
    """S of the model's tiles, in pixels."""
    max_tiles: int
    """Most tiles of the model's pictures."""
    tile_states: int
    """States that the model makes of a tile."""
    bos_token: str
    """Token that begins a text."""

    def __post_init__(self) -> None:
        if (self.tiles.side, self.tiles.most) != (self.image_size, self.max_tiles):
            raise UnsupportedConfig(
                f"The preprocessor settings make {self.tiles.most} tiles of {self.tiles.side} pixels, and the model "
                f"sees {self.max_tiles} of {self.image_size}; they are of another model."
            )

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture as tiles; it takes one place in the prompt. Shapes: (H, W, 3) uint8 → as `Tiles`.

        Raises:
            InputError: The array is not a picture.
        """
        arrays = self.tiles(pixels)
        return MediaInput("image", arrays, 1, media_digest(arrays))

    def content(self, pieces: Sequence[str | MediaInput], words: Words) -> Any:
        """A turn as the template expects it: a turn of words alone is text, since a system message must be."""
        if any(isinstance(piece, MediaInput) for piece in pieces):
            return super().content(pieces, words)
        return "".join(words.hide(piece) for piece in pieces if isinstance(piece, str))

    def continued(self, pieces: Sequence[str | MediaInput]) -> str:
        """A single turn without a template: pictures that come first stand before the beginning of the text."""
        text = "".join(piece if isinstance(piece, str) else self.image_token for piece in pieces)
        words = text
        while words.startswith(self.image_token):
            words = words.removeprefix(self.image_token)
        return text[: len(text) - len(words)] + self.bos_token + words

    def written_prompt(self, turns: Turns, use: ToolUse) -> Prompt:
        """A conversation as token ids, ready for the model's turn, and who looks at which tiles.

        Each token looks at the last picture before it, or, where several stand side by side, at all of those. Tokens
        before the first look at all pictures, empty tiles included, as in the reference.

        Raises:
            InputError: The conversation is empty, or the template has no place for its media.
            UnsupportedTask: There are several turns and no template that says how to write them.
        """
        return self._looking(super().written_prompt(turns, use))

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A whole conversation as token ids, and which of them the assistant says. Errors as for `Processor`."""
        taught = super().dialogue(turns)
        return taught._replace(prompt=self._looking(taught.prompt))

    def _looking(self, prompt: Prompt) -> Prompt:
        """The same, with who looks at which tiles."""
        views: list[View] = []
        stop = len(prompt.input_ids)
        for number in reversed(range(len(prompt.media))):
            start = prompt.starts[number]
            following = prompt.starts[number + 1] if number + 1 < len(prompt.starts) else stop
            stop = stop if following == start + 1 else following
            tiles = int(prompt.media[number].arrays["aspect_ratio_mask"].sum())
            views.append(View(number, start, stop, tiles * self.tile_states))
        if prompt.starts and prompt.starts[0]:
            everything = self.max_tiles * self.tile_states
            views += [View(number, 0, prompt.starts[0], everything) for number in range(len(prompt.media))]
        return replace(prompt, views=tuple(views))
