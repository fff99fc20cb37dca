"""Pictures and texts to the inputs of CLIP, as the checkpoint's preprocessor settings and tokenizer say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, UnsupportedConfig
from tutti.processing.images import ImageProcessor, Pixels
from tutti.processing.prompt import Decoded, Decoding, MediaInput, Processor, media_digest
from tutti.processing.text_meter import TextMeter
from tutti.processing.tokenizer import Tokenizer


@dataclass(frozen=True)
class CLIPTexts:
    """Texts to token ids between a start and an end token.

    A model of this kind takes a text's meaning from its end token. A tokenizer that puts none, or another one, would
    give vectors that look sound and mean little, so it is refused at once.

    Raises:
        UnsupportedConfig: The tokenizer does not suit the model.
    """

    tokenizer: Tokenizer
    max_tokens: int
    """Longest text in tokens, its start and end included."""
    end_id: int | None
    """Token that the model looks for at the end of a text; None if it takes the highest."""

    @cached_property
    def text_meter(self) -> TextMeter:
        """Measures texts to embed."""
        around = len(self.tokenizer.encode("a", add_special=True)) - len(self.tokenizer.encode("a"))
        return TextMeter(self.tokenizer, self.max_tokens - around)

    def __post_init__(self) -> None:
        ids = self.tokenizer.encode("a", add_special=True)
        highest = self.tokenizer.vocab_size - 1
        expected = highest if self.end_id is None else self.end_id
        if len(ids) < 2 or ids[0] not in self.tokenizer.special_ids or ids[-1] != expected:
            raise UnsupportedConfig(
                f"The tokenizer writes 'a' as {ids}; the model expects a start token before a text and "
                f"token {expected} after it: tokenizer.json is of another model."
            )

    def __call__(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Texts to embed.

        Special tokens spelled out in a text stay text, unlike in the reference: an end token among a user's words would
        hide those that follow.

        Returns:
            {"input_ids": (B, T), "attention_mask": (B, T)}, padded with the end token to the longest.

        Raises:
            InputError: There is no text.
            CapacityError: A text is longer than the model reads.
        """
        if not texts:
            raise InputError("No text was given; expected one or more.")
        self.text_meter.check(texts)
        rows = [self.tokenizer.encode(text, add_special=True) for text in texts]
        ids = np.full((len(rows), max(map(len, rows))), rows[0][-1], np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}


@dataclass(frozen=True)
class CLIPProcessor(Processor):
    """Model inputs for `clip`.

    Raises:
        UnsupportedConfig: The preprocessor settings do not suit the model.
    """

    words: CLIPTexts
    images: ImageProcessor
    image_size: int
    """S, the side of the model's pictures in pixels."""
    image_tokens: int
    """Tokens that the model's picture tower makes of a picture."""

    def __post_init__(self) -> None:
        self.images.check_side(self.image_size)

    @property
    def text_meter(self) -> TextMeter:
        """Measures texts to embed."""
        return self.words.text_meter

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Pictures, no larger than is seen of them."""
        return {"image": Decoding(side=max(self.images.size.values()))}

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8."""
        if modality == "image" and isinstance(decoded, np.ndarray):
            return self.picture(decoded)
        return super().prepare(modality, decoded)

    def texts(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Texts to embed; errors and shapes as for `CLIPTexts`."""
        return self.words(texts)

    def picture(self, pixels: Pixels) -> MediaInput:
        """A picture. Shapes: (H, W, 3) uint8 → {"pixel_values": (3, S, S)}.

        Raises:
            InputError: The array is not a picture.
            CapacityError: The picture is too long and narrow.
        """
        arrays = {"pixel_values": self.images(pixels)}
        return MediaInput("image", arrays, self.image_tokens, media_digest(arrays))
