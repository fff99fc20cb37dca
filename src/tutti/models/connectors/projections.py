"""Connectors that keep the tokens, or merge neighbours first.

Papers: Liu et al. 2023 (LLaVA-1.5), section 3, for the two-layer MLP; Laurençon et al. 2024 (Idefics3) for merging
neighbours by stacking their channels ("pixel shuffle").
Reference implementation: `transformers`, `LlavaMultiModalProjector` and `Idefics3Connector.pixel_shuffle`.
We differ in: a norm stands before the MLP.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError


class Linear(nn.Linear):
    """One projection. Shapes: (B, N, D_in) → (B, N, D_out)."""


class MLP(nn.Module):
    """norm, up, GELU, down. Shapes: (B, N, D_in) → (B, N, D_out)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width_in)
        self.up = nn.Linear(width_in, width_out)
        self.down = nn.Linear(width_out, width_out)

    def forward(self, x: Tensor) -> Tensor:
        """Project. Shapes as above."""
        out: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return out


def merge_grid(x: Tensor, side: int, merge: int) -> Tensor:
    """Stack the channels of merge x merge neighbours of a square grid.

    Shapes: (B, side², D), merge a divisor of side → (B, (side / merge)², D * merge²), the neighbours row by row.
    """
    batch, _, width = x.shape
    small = side // merge
    x = x.view(batch, small, merge, small, merge, width).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, small * small, merge * merge * width)


def mean_grid(x: Tensor, side: int, places: int) -> Tensor:
    """Means of equal squares of a square grid. Shapes: (B, side², D) → (B, places, D), row by row.

    Raises:
        InputError: The grid does not divide into so many squares.
    """
    wanted = math.isqrt(places)
    if wanted * wanted != places or side % wanted:
        raise InputError(f"A grid of {side} x {side} does not divide into {places} equal squares.")
    grid = x.transpose(1, 2).reshape(x.shape[0], x.shape[2], side, side)
    return F.avg_pool2d(grid, side // wanted).flatten(2).transpose(1, 2)


def merge_time(x: Tensor, merge: int) -> Tensor:
    """Stack the channels of consecutive tokens, the last group filled with zeros.

    Shapes: (B, N, D) → (B, ceil(N / merge), D * merge).
    """
    batch, tokens, width = x.shape
    x = F.pad(x, (0, 0, 0, -tokens % merge))
    return x.reshape(batch, -1, merge * width)
