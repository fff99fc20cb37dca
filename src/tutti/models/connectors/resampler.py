"""Perceiver resampler: any number of tokens in, a fixed number out.

Paper: Alayrac et al. 2022 (Flamingo), section 2.1 and figure 5: learned queries attend to the tokens and to themselves.
Reference implementation: `models/idefics/resampler.py`, as published checkpoints have it.
We differ in: keys and values are one projection, projections of the MLP have biases, its activation is GELU, and tokens
are first brought to the width of what comes out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.layers.attention import attention


class ResamplerLayer(nn.Module):
    """Queries look at tokens and queries, then pass through an MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_tokens = nn.LayerNorm(width)
        self.norm_queries = nn.LayerNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Shapes: queries (B, N, D), tokens (B, P, D) → (B, N, D)."""
        batch, count, width = queries.shape
        normed = self.norm_queries(queries)
        seen = torch.cat((self.norm_tokens(tokens), normed), dim=1)
        query = self.q(normed).view(batch, count, self.heads, -1)
        key, value = self.kv(seen).view(batch, seen.shape[1], 2, self.heads, -1).unbind(2)
        queries = queries + self.out(attention(query, key, value).reshape(batch, count, width))
        out: Tensor = queries + self.down(F.gelu(self.up(self.norm(queries))))
        return out


class Resampler(nn.Module):
    """A projection, learned queries and layers of the above.

    Args:
        width_in: D of the tokens.
        width_out: D of what comes out.
        tokens: N that come out.
        layers: How many layers.
        heads: H, a divisor of `width_out`.
    """

    def __init__(self, width_in: int, width_out: int, tokens: int, layers: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Linear(width_in, width_out)
        self.queries = nn.Parameter(torch.randn(tokens, width_out) * width_out**-0.5)
        self.layers = nn.ModuleList(ResamplerLayer(width_out, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width_out)

    def forward(self, x: Tensor) -> Tensor:
        """Resample. Shapes: (B, P, D_in) → (B, N, D_out)."""
        tokens = self.project(x)
        queries = self.queries.expand(x.shape[0], -1, -1)
        for layer in self.layers:
            queries = layer(queries, tokens)
        out: Tensor = self.norm(queries)
        return out
