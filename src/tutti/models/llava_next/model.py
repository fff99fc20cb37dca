"""LLaVA-NeXT (LLaVA-1.6): LLaVA that sees a picture whole, and in tiles at any of several resolutions.

Paper: there is none; Liu et al. 2024, "LLaVA-NeXT: improved reasoning, OCR, and world knowledge" (the project's
report), section "Dynamic high resolution".
Reference implementation: `transformers`, `LlavaNextForConditionalGeneration`; parameters carry the names of the
published checkpoints.
We differ in: blocks of the tower behind the last state that is taken are not run; tiles that only fill up a batch are
left out before the tower.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.llava.model import LlavaForConditionalGeneration, LlavaOutput
from tutti.models.llava_next.config import LlavaNextConfig


class LlavaNextForConditionalGeneration(LlavaForConditionalGeneration):
    """The tower, the projector, the end of a line and the decoder."""

    config: LlavaNextConfig

    def __init__(self, config: LlavaNextConfig) -> None:
        super().__init__(config)
        self.image_newline = nn.Parameter(torch.randn(config.text.hidden_size) * config.text.hidden_size**-0.5)

    def forward(  # type: ignore[override]
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        image_sizes: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> LlavaOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) int64 with as many placeholders as the pictures have tokens, pixel_values
        (I, tiles, 3, S, S) of all pictures in order, each filled up to the same number of tiles, or None, image_sizes
        (I, 2) int64 the heights and widths of the pictures in pixels, attention_mask (B, T) with 0 at padding or None,
        position_ids (B, T) or None.

        Raises:
            InputError: The tiles do not suit the sizes, or there are too few or too many placeholders.
        """
        media = None
        if pixel_values is not None:
            if image_sizes is None or len(image_sizes) != len(pixel_values):
                raise InputError(f"There are {len(pixel_values)} pictures; expected image_sizes of each.")
            media = torch.cat([self.see_tiles(*one) for one in zip(pixel_values, image_sizes, strict=True)])
        return self.answer(input_ids, media, attention_mask, position_ids)

    def see_tiles(self, pixel_values: Tensor, image_size: Tensor) -> Tensor:
        """Tokens of one picture.

        Shapes: pixel_values (tiles, 3, S, S), the first the whole picture, the others row by row; image_size (2,)
        → (N, D).

        Raises:
            InputError: There are too few tiles for a picture of that size, or they are of another size.
        """
        height, width = (int(side) for side in image_size)
        rows, columns = self.config.grid(height, width)
        if len(pixel_values) < 1 + rows * columns:
            raise InputError(
                f"A picture of {width} x {height} pixels takes {1 + rows * columns} tiles; found {len(pixel_values)}."
            )
        features = self.see(pixel_values[: 1 + rows * columns])
        side = self.config.vision.image_size // self.config.vision.patch_size
        lines = (
            features[1:].view(rows, columns, side, side, -1).transpose(1, 2).reshape(rows * side, columns * side, -1)
        )
        top, left = self.config.margins(height, width)
        lines = lines[top : rows * side - top, left : columns * side - left]
        ends = self.image_newline.to(lines.dtype).expand(len(lines), 1, -1)
        return torch.cat((features[0], torch.cat((lines, ends), dim=1).flatten(0, 1)))

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Tokens of one picture. Shapes: {"pixel_values": (tiles, 3, S, S), "image_sizes": (2,)} → (N, D).

        Raises:
            UnsupportedTask: It is no picture.
            InputError: The tiles do not suit the size.
        """
        if modality != "image":
            raise UnsupportedTask(f"This model reads text and images, and was given {modality}", "ask", modality)
        return self.see_tiles(arrays["pixel_values"], arrays["image_sizes"])
