"""Convolutional stems and the pre-norm block of small trunks.

Convolutions before attention suit little data: locality need not be learned (Xiao et al. 2021, "Early Convolutions
Help Transformers See Better"; residual blocks: He et al. 2016). Batch norm folds into the convolution at inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.layers.attention import attention


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that equals a convolution without bias and its batch norm.

    Shapes: (C', C / groups, k, k) and (C',).
    """
    assert norm.running_mean is not None  # noqa: S101 - batch norms here keep statistics
    assert norm.running_var is not None  # noqa: S101
    scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    # In the order in which activations come, so that it is not brought there anew each time.
    weight = (conv.weight.detach() * scale[:, None, None, None]).contiguous(memory_format=torch.channels_last)
    return weight, norm.bias.detach() - norm.running_mean * scale


class Folding(nn.Module):
    """Convolutions and the batch norms after them, which become one convolution when nothing learns any more."""

    pairs: ClassVar[Mapping[str, str]]
    """Convolution → the norm after it."""
    _folded: dict[str, tuple[Tensor, Tensor]] | None = None

    def fold(self) -> None:
        """Fold the pairs of this module, not of those inside it. State dicts know nothing of it."""
        there = ((conv, norm) for conv, norm in self.pairs.items() if hasattr(self, conv))
        self._folded = {conv: fold_norm(getattr(self, conv), getattr(self, norm)) for conv, norm in there}

    def unfold(self) -> None:
        """Undo `fold`."""
        self._folded = None


class NormedConv(nn.Module):
    """A convolution without bias and its batch norm, together `normed`."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d
    _folded: Callable[[Tensor], Tensor] | None = None

    def normed(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, H, W) → (B, C', H/stride, W/stride)."""
        if self._folded is not None and not self.training:
            return self._folded(x)
        out: Tensor = self.norm(self.conv(x))
        return out

    def fold(self) -> None:
        """Let one convolution do what both do when they do not learn. State dicts know nothing of it."""
        weight, bias = fold_norm(self.conv, self.norm)
        self._folded = partial(F.conv2d, weight=weight, bias=bias, stride=self.conv.stride, padding=self.conv.padding)

    def unfold(self) -> None:
        """Undo `fold`."""
        self._folded = None


class ConvNorm(NormedConv):
    """3 x 3 convolution, batch norm, SiLU. Shapes: (B, C, H, W) → (B, C', H/stride, W/stride)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve. Shapes as above."""
        return F.silu(self.normed(x))


class ResidualConv(NormedConv):
    """x + norm(conv(conv_norm(x))), then SiLU. Shapes: (B, C, H, W) → the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch. Shapes as above."""
        return F.silu(x + self.normed(self.first(x)))


class ConvStages(nn.Sequential):
    """A pyramid: every stage halves both sides, then runs its residual blocks.

    Args:
        channels_in: Channels of the input.
        channels: Channels of each stage.
        blocks: Residual blocks of each stage, as many numbers as `channels`.

    Shapes: (B, channels_in, H, W) → (B, channels[-1], H / 2^n, W / 2^n), sides rounded up.
    """

    def __init__(self, channels_in: int, channels: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        stages: list[nn.Module] = []
        for width, count in zip(channels, blocks, strict=True):
            stages.append(ConvNorm(channels_in, width, stride=2))
            stages.extend(ResidualConv(width) for _ in range(count))
            channels_in = width
        super().__init__(*stages)


class TrunkBlock(nn.Module):
    """Pre-norm attention and MLP over all tokens (Dosovitskiy et al. 2021, equations 2 and 3).

    Args:
        width: D.
        heads: H, a divisor of D.
        inner: Width inside the MLP.
    """

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mix and transform the tokens. Shapes: x (B, P, D), mask (B, 1, 1, P) bool or None → (B, P, D)."""
        batch, tokens, width = x.shape
        query, key, value = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.heads, -1).unbind(2)
        x = x + self.out(attention(query, key, value, mask=mask).reshape(batch, tokens, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class AttentionPool(nn.Module):
    """One vector from many tokens: their mean under a learned query's softmax (Lee et al. 2019, section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool. Shapes: x (B, P, D), mask (B, P) bool or None → (B, D)."""
        scores = x @ self.query / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return (scores.softmax(dim=-1)[:, None] @ x)[:, 0]


def sinusoids(count: int, width: int, device: torch.device | None = None) -> Tensor:
    """Positions as sines and cosines, for any length (Vaswani et al. 2017, section 3.5). Shape (count, width)."""
    steps = torch.arange(count, dtype=torch.float32, device=device)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32, device=device) * (-math.log(10000.0) / width))
    angles = steps * rates
    return torch.cat((angles.sin(), angles.cos()), dim=-1)
