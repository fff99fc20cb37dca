"""Media among words: their tokens in the place of the placeholders."""

from __future__ import annotations

from torch import Tensor

from tutti.errors import InputError


def place(x: Tensor, here: Tensor, media: Tensor, modality: str) -> Tensor:
    """Put the tokens of media where placeholders stand, in order: row by row, left to right.

    Shapes: x (B, T, D), here (B, T) bool, media (…, D) with as many rows as there are places → (B, T, D).

    Raises:
        InputError: There are more or fewer rows than places.
    """
    if (places := int(here.sum())) != (rows := media.shape[:-1].numel()):
        raise InputError(f"There are {rows} tokens of {modality} for {places} placeholders; expected as many.")
    return x.masked_scatter(here[..., None], media.to(x.dtype))
