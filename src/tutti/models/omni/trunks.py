"""The trunks of `tutti_omni`: pictures and sounds through convolutions and attention, words through a frozen table.

Papers: Xiao et al. 2021, figure 1, for convolutional stems; the word table holds static vectors, distilled from a
sentence encoder by one pass over its vocabulary, reduced by PCA and weighted by rank (Tulkens and van Dongen 2024,
Model2Vec; Arora et al. 2017, section 3, for weights).
Reference implementation: this file.
We differ in: the table is int8, one scale a row, and a small trained head on top learns order and negation.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError
from tutti.models.efficientnet.model import EfficientNet
from tutti.models.layers.stems import AttentionPool, ConvStages, TrunkBlock, sinusoids
from tutti.models.omni.parts import TrunkConfig, WordsConfig


class PictureTrunk(nn.Module):
    """Pictures to a grid of tokens; beside its own features lie those of a published network, if there is one."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.stages = ConvStages(3, config.channels, config.blocks)
        self.project = nn.Linear(config.channels[-1], config.width)
        self.positions = nn.Parameter(torch.randn(config.side**2, config.width) * 0.02)
        self.layers = nn.ModuleList(TrunkBlock(config.width, config.heads, config.inner) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.published = EfficientNet(config.published) if config.published else None
        self.shrink = config.pixels // config.size

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Shapes: (B, 3, S', S') → (B, P, D), P = (S / stride)²; S' is S without a published network."""
        if self.published is None:
            return self.own(pixel_values)
        x = pixel_values.contiguous(memory_format=torch.channels_last)
        # From (value / 255 - 1/2) * 4, as the trunk itself is given pictures, to (value - 127) / 128.
        seen = self.published.features(x * (255 / 512) + 0.5 / 128).flatten(2).transpose(1, 2)
        return torch.cat((self.own(F.avg_pool2d(x, self.shrink)), seen), dim=-1)

    def own(self, pixel_values: Tensor) -> Tensor:
        """The trunk's own tokens. Shapes: (B, 3, S, S) → (B, P, width)."""
        x = self.stages(pixel_values.contiguous(memory_format=torch.channels_last))
        x = self.project(x.flatten(2).transpose(1, 2)) + self.positions
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.norm(x)
        return out


class SoundTrunk(nn.Module):
    """Log-mel spectrograms to a row of tokens."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.stages = ConvStages(1, config.channels, config.blocks)
        self.project = nn.Linear(config.channels[-1] * config.side, config.width)
        self.layers = nn.ModuleList(TrunkBlock(config.width, config.heads, config.inner) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, input_features: Tensor) -> Tensor:
        """Shapes: (B, M, frames) → (B, P, D), P = ceil(frames / stride)."""
        x = input_features[:, None].contiguous(memory_format=torch.channels_last)
        x = self.stages(x)  # (B, C, M / stride, P)
        x = self.project(x.permute(0, 3, 1, 2).flatten(2))
        x = x + sinusoids(x.shape[1], x.shape[2], x.device).to(x.dtype)
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.norm(x)
        return out


class WordTable(nn.Module):
    """The frozen table of word vectors: int8 rows, one scale a row."""

    table: Tensor
    scale: Tensor

    def __init__(self, config: WordsConfig) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(config.vocabulary, config.width, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(config.vocabulary))
        self._directions: Tensor | None = None
        self.register_load_state_dict_post_hook(_forget_directions)  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor) -> Tensor:
        """Word vectors; rare words are longer than frequent ones. Shapes: (…) int64 → (…, width)."""
        return self.table[input_ids].to(self.scale.dtype) * self.scale[input_ids, None]

    def direction(self, input_ids: Tensor) -> Tensor:
        """Word vectors of length √width, so that frequent words count as well. Shapes: (…) int64 → (…, width)."""
        return _unit_rows(self.table[input_ids].to(self.scale.dtype))

    def directions(self) -> Tensor:
        """All rows of `direction`, made once. Shape (V, width)."""
        made = self._directions
        if made is None or made.device != self.table.device or made.dtype != self.scale.dtype:
            # Tensors made in inference mode could not be trained through afterwards.
            with torch.inference_mode(False):
                made = self._directions = _unit_rows(self.table.to(self.scale.dtype))
        return made


def _forget_directions(table: WordTable, _keys: object) -> None:
    """Let them be made anew from what was loaded."""
    table._directions = None  # noqa: SLF001 - a hook of the class, outside it so that models can be pickled


def _unit_rows(rows: Tensor) -> Tensor:
    length: Tensor = rows.norm(dim=-1, keepdim=True)
    return rows * (math.sqrt(rows.shape[-1]) / length.clamp_min(1e-6))


class TextTrunk(nn.Module):
    """Sentences to one vector: the mean of the word vectors, corrected by what attention makes of their order."""

    def __init__(self, config: WordsConfig, shared_width: int) -> None:
        super().__init__()
        self.max_tokens = config.max_tokens
        self.project = nn.Linear(config.width, config.width)
        self.positions = nn.Parameter(torch.randn(config.max_tokens, config.width) * 0.02)
        self.layers = nn.ModuleList(TrunkBlock(config.width, config.heads, config.inner) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.pool = AttentionPool(config.width)
        self.correction = nn.Linear(config.width, shared_width)
        self.mean = nn.Linear(config.width, shared_width, bias=False)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def forward(self, words: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed sentences.

        Shapes: words (B, T, width) from the table, attention_mask (B, T) with 0 at padding and a 1 in every row
        → (B, shared D).

        Raises:
            InputError: There are more tokens than the trunk has positions.
        """
        if words.shape[1] > self.max_tokens:
            raise InputError(
                f"The text has {words.shape[1]} tokens; this model embeds at most {self.max_tokens}: cut it."
            )
        mask = attention_mask.bool()
        weight = attention_mask.to(words.dtype)[..., None]
        mean = (words * weight).sum(1) / weight.sum(1).clamp_min(1)
        x = self.project(words) + self.positions[: words.shape[1]]
        for layer in self.layers:
            x = layer(x, mask[:, None, None])
        out: Tensor = self.mean(mean) + self.correction(self.pool(self.norm(x), mask))
        return out
