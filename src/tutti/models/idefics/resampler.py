"""The perceiver resampler of Idefics: what a tower sees of a picture in, a fixed number of states out.

Paper: Alayrac et al. 2022 (Flamingo), section 2.1 and figure 5: learned latents attend to the picture and themselves.
Reference implementation: `transformers`, `IdeficsPerceiverResampler`; parameters carry its names.
We differ in: nothing that changes a number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.idefics.config import ResamplerConfig
from tutti.models.layers.attention import attention


class IdeficsPerceiverAttention(nn.Module):
    """Latents look at the picture and at one another."""

    def __init__(self, config: ResamplerConfig, width: int) -> None:
        super().__init__()
        self.head_width = config.resampler_head_dim
        inner = config.resampler_n_heads * config.resampler_head_dim
        self.context_layer_norm = nn.LayerNorm(width)
        self.latents_layer_norm = nn.LayerNorm(width)
        self.normed = config.qk_layer_norms_perceiver
        if self.normed:
            self.q_layer_norm = nn.LayerNorm(self.head_width)
            self.k_layer_norm = nn.LayerNorm(self.head_width)
        self.q_proj = nn.Linear(width, inner, bias=False)
        self.k_proj = nn.Linear(width, inner, bias=False)
        self.v_proj = nn.Linear(width, inner, bias=False)
        self.output_proj = nn.Linear(inner, width, bias=False)

    def forward(self, context: Tensor, latents: Tensor) -> Tensor:
        """Shapes: context (B, P + 1, D), latents (B, N, D) → (B, N, D)."""
        latents = self.latents_layer_norm(latents)
        seen = torch.cat((self.context_layer_norm(context), latents), dim=1)
        query, key, value = (
            project(x).view(*x.shape[:2], -1, self.head_width)
            for project, x in ((self.q_proj, latents), (self.k_proj, seen), (self.v_proj, seen))
        )
        if self.normed:
            query, key = self.q_layer_norm(query), self.k_layer_norm(key)
        out: Tensor = self.output_proj(attention(query, key, value).flatten(2))
        return out


class IdeficsPerceiverMLP(nn.Module):
    """c_proj(relu(fc(norm(x)))), four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(width)
        self.fc = nn.Linear(width, 4 * width, bias=False)
        self.c_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, D)."""
        out: Tensor = self.c_proj(F.relu(self.fc(self.ln(x))))
        return out


class IdeficsPerceiverResampler(nn.Module):
    """Latents, blocks of attention and MLP, and a norm."""

    def __init__(self, config: ResamplerConfig, width: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(config.resampler_n_latents, width))
        self.blocks = nn.ModuleList(
            nn.ModuleList((IdeficsPerceiverAttention(config, width), IdeficsPerceiverMLP(width)))
            for _ in range(config.resampler_depth)
        )
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, context: Tensor) -> Tensor:
        """Shapes: (B, P + 1, D) → (B, N, D)."""
        latents = self.latents.expand(len(context), -1, -1)
        for block in self.blocks:
            attend, think = block.children()
            latents = latents + attend(context, latents)
            latents = latents + think(latents)
        out: Tensor = self.layer_norm(latents)
        return out
