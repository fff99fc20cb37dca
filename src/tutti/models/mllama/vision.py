"""The picture tower of Llama-3.2-Vision: a ViT over the tiles of a picture, seen at several depths.

Paper: Grattafiori et al. 2024 (Llama 3), section 7.2: a ViT-H/14 (Dosovitskiy et al. 2021) with gated blocks behind it,
whose last features are seen together with those of blocks between.
Reference implementation: `transformers`, `MllamaVisionModel`; parameters carry its names.
As there, and not as one would think: filled patches look at empty ones, too; only empty ones do not look at each other.
We differ in: nothing that changes a number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError
from tutti.models.layers.attention import attention
from tutti.models.mllama.config import MllamaVisionConfig

_ALIGNED = 8
"""The states of a tile are filled up to a multiple of this with empty ones, which take part in the blocks."""


class MllamaVisionAttention(nn.Module):
    """Attention among the states of all tiles of a picture."""

    def __init__(self, config: MllamaVisionConfig) -> None:
        super().__init__()
        self.heads, width = config.attention_heads, config.hidden_size
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Shapes: x (B, N, D), mask (B, 1, N, N) bool → (B, N, D)."""
        batch, count, width = x.shape
        query, key, value = (
            project(x).view(batch, count, self.heads, -1) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out: Tensor = self.o_proj(attention(query, key, value, mask).reshape(batch, count, width))
        return out


class MllamaVisionMLP(nn.Module):
    """fc2(gelu(fc1(x)))."""

    def __init__(self, config: MllamaVisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, D)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class MllamaVisionLayer(nn.Module):
    """Pre-norm attention, then pre-norm MLP; what each adds goes through a gate in global blocks."""

    def __init__(self, config: MllamaVisionConfig, gated: bool) -> None:
        super().__init__()
        self.self_attn = MllamaVisionAttention(config)
        self.mlp = MllamaVisionMLP(config)
        self.input_layernorm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.gated = gated
        if gated:
            self.gate_attn = nn.Parameter(torch.full((1,), torch.pi / 4))
            self.gate_ffn = nn.Parameter(torch.full((1,), torch.pi / 4))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Shapes: x (B, N, D), mask (B, 1, N, N) bool → (B, N, D)."""
        seen = self.self_attn(self.input_layernorm(x), mask)
        x = x + (self.gate_attn.tanh() * seen if self.gated else seen)
        more = self.mlp(self.post_attention_layernorm(x))
        out: Tensor = x + (self.gate_ffn.tanh() * more if self.gated else more)
        return out


class MllamaVisionEncoder(nn.Module):
    """The blocks of one half of the tower."""

    def __init__(self, config: MllamaVisionConfig, layers: int, gated: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MllamaVisionLayer(config, gated) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        """What comes out of each block. Shapes: x (B, N, D), mask (B, 1, N, N) bool → (B, N, D) each."""
        states = []
        for layer in self.layers:
            x = layer(x, mask)
            states.append(x)
        return states


class MllamaTileEmbedding(nn.Module):
    """Where a tile stands in its arrangement, behind a gate."""

    def __init__(self, config: MllamaVisionConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(config.arrangements) + 1, config.max_num_tiles * config.hidden_size)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, aspect_ratio_ids: Tensor) -> Tensor:
        """Shapes: x (B, tiles, N, D), aspect_ratio_ids (B,) int64 → as x."""
        batch, tiles, _, width = x.shape
        place: Tensor = self.embedding(aspect_ratio_ids).view(batch, tiles, 1, width)
        return x + self.gate.tanh() * place


class MllamaPositionEmbedding(nn.Module):
    """Where a patch stands in its tile, and tile and patch in the picture; one gate weighs the two."""

    def __init__(self, config: MllamaVisionConfig) -> None:
        super().__init__()
        count, width = config.tile_states, config.hidden_size
        self.gate = nn.Parameter(torch.zeros(1))
        self.embedding = nn.Parameter(torch.randn(count, width) * width**-0.5)
        self.tile_embedding = nn.Embedding(len(config.arrangements) + 1, config.max_num_tiles * count * width)

    def forward(self, x: Tensor, aspect_ratio_ids: Tensor) -> Tensor:
        """Shapes: x (B, tiles, P + 1, D), aspect_ratio_ids (B,) int64 → as x."""
        gate = self.gate.tanh()
        place: Tensor = self.tile_embedding(aspect_ratio_ids).view(x.shape)
        return x + (1 - gate) * self.embedding + gate * place


class MllamaVisionModel(nn.Module):
    """The picture tower."""

    def __init__(self, config: MllamaVisionConfig) -> None:
        super().__init__()
        self.config = config
        d, patch = config.hidden_size, config.patch_size
        self.patch_embedding = nn.Conv2d(3, d, kernel_size=patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(d) * d**-0.5)
        self.gated_positional_embedding = MllamaPositionEmbedding(config)
        self.pre_tile_positional_embedding = MllamaTileEmbedding(config)
        self.post_tile_positional_embedding = MllamaTileEmbedding(config)
        self.layernorm_pre = nn.LayerNorm(d)
        self.layernorm_post = nn.LayerNorm(d)
        self.transformer = MllamaVisionEncoder(config, config.num_hidden_layers, gated=False)
        self.global_transformer = MllamaVisionEncoder(config, config.num_global_layers, gated=True)

    def forward(self, pixel_values: Tensor, aspect_ratio_ids: Tensor, aspect_ratio_mask: Tensor) -> Tensor:
        """See pictures.

        Shapes: pixel_values (B, tiles, 3, S, S), aspect_ratio_ids (B,) int64 with the number of each arrangement,
        aspect_ratio_mask (B, tiles) with 0 at empty tiles → (B, tiles, P + 1, vision_output_dim).

        Raises:
            InputError: The tiles are of another number or size.
        """
        x = self.pre_tile_positional_embedding(self._patches(pixel_values), aspect_ratio_ids)
        batch, tiles, _, width = x.shape
        x = torch.cat((self.class_embedding.expand(batch, tiles, 1, width), x), dim=2)
        x = self.layernorm_pre(self.gated_positional_embedding(x, aspect_ratio_ids))
        count = x.shape[2]
        x = F.pad(x, (0, 0, 0, -count % _ALIGNED))
        mask = self._mask(aspect_ratio_mask, count, x.shape[2])
        states = self.transformer(x.flatten(1, 2), mask)
        x = self.layernorm_post(states[-1]).view(x.shape)
        x = self.post_tile_positional_embedding(x, aspect_ratio_ids)
        x = self.global_transformer(x.flatten(1, 2), mask)[-1]
        between = torch.stack([states[index] for index in self.config.intermediate_layers_indices], dim=-1).flatten(2)
        return torch.cat((x, between), dim=-1).view(batch, tiles, -1, self.config.vision_output_dim)[:, :, :count]

    def _patches(self, pixel_values: Tensor) -> Tensor:
        """Shapes: (B, tiles, 3, S, S) → (B, tiles, P, D)."""
        expected = (self.config.max_num_tiles, 3, self.config.image_size, self.config.image_size)
        if pixel_values.shape[1:] != expected:
            raise InputError(f"The pictures are {list(pixel_values.shape[1:])}; this model sees {list(expected)}.")
        pixels = pixel_values.flatten(0, 1).to(self.patch_embedding.weight.dtype)
        patches: Tensor = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        return patches.view(*pixel_values.shape[:2], *patches.shape[1:])

    @staticmethod
    def _mask(aspect_ratio_mask: Tensor, count: int, aligned: int) -> Tensor:
        """Only empty states do not look at empty states. Shapes: (B, tiles) → (B, 1, N, N) bool."""
        real = torch.arange(aligned, device=aspect_ratio_mask.device) < count
        filled = (aspect_ratio_mask.bool()[..., None] & real).flatten(1)
        return (filled[:, :, None] | filled[:, None])[:, None]
