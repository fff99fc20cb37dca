"""Wav2Vec2: convolutions over the samples, a transformer over their frames, and a letter for each frame.

Paper: Baevski et al. 2020 (wav2vec 2.0), sections 2 and 3.3; letters by CTC: Graves et al. 2006, section 3.
Reference implementation: `transformers`, `Wav2Vec2ForCTC`; parameters carry its names, the older ones
(`weight_g`, `weight_v`) where it has two.
We differ in: what only training needs is left out, the quantizer and the vector that stands for hidden frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError
from tutti.models.layers.attention import attention
from tutti.models.wav2vec2.config import Wav2Vec2Config


class Wav2Vec2Output(NamedTuple):
    """What the trunk returns."""

    last_hidden_state: Tensor
    """(B, F, D)."""
    extract_features: Tensor
    """(B, F, C), normed frames of the last convolution, of C channels."""


class CTCOutput(NamedTuple):
    """What `Wav2Vec2ForCTC.forward` returns."""

    logits: Tensor
    """(B, F, V)."""
    last_hidden_state: Tensor
    """(B, F, D)."""


class ConvLayer(nn.Module):
    """A convolution, its norm if it has one, GELU."""

    def __init__(self, config: Wav2Vec2Config, index: int) -> None:
        super().__init__()
        inputs, outputs = (1, *config.conv_dim)[index], config.conv_dim[index]
        self.conv = nn.Conv1d(
            inputs, outputs, config.conv_kernel[index], stride=config.conv_stride[index], bias=config.conv_bias
        )
        self.by_frame = config.feat_extract_norm == "layer"
        self.layer_norm: nn.Module | None = None
        if self.by_frame:
            self.layer_norm = nn.LayerNorm(outputs)
        elif index == 0:
            self.layer_norm = nn.GroupNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, C, F) → (B, C, F) with fewer frames."""
        x = self.conv(x)
        if self.layer_norm is not None:
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2) if self.by_frame else self.layer_norm(x)
        return F.gelu(x)


class FeatureEncoder(nn.Module):
    """From samples to frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(ConvLayer(config, index) for index in range(len(config.conv_dim)))

    def forward(self, input_values: Tensor) -> Tensor:
        """Shapes: (B, S) → (B, F, C)."""
        x = input_values[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x.transpose(1, 2)


class FeatureProjection(nn.Module):
    """From channels to D."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], config.layer_norm_eps)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: (B, F, C) → (B, F, D), and the frames normed."""
        normed = self.layer_norm(frames)
        return self.projection(normed), normed


class WeightNormConv(nn.Module):
    """A grouped convolution whose weight is a direction and a length for each tap (Salimans and Kingma 2016)."""

    def __init__(self, width: int, taps: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.padding = taps // 2
        self.weight_g = nn.Parameter(torch.ones(1, 1, taps))
        self.weight_v = nn.Parameter(torch.randn(width, width // groups, taps))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, D, F) → (B, D, F), one frame more for an even number of taps."""
        lengths = torch.linalg.vector_norm(self.weight_v, dim=(0, 1), keepdim=True)
        weight = self.weight_v * (self.weight_g / lengths)
        return F.conv1d(x, weight, self.bias, padding=self.padding, groups=self.groups)


class PositionalConv(nn.Module):
    """Where a frame stands, from the frames around it."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv = WeightNormConv(
            config.hidden_size, config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, F, D) → (B, F, D)."""
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)


class Attention(nn.Module):
    """Attention among all frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        width = config.hidden_size
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Shapes: x (B, F, D), mask (B, 1, 1, F) bool or None → (B, F, D)."""
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        out: Tensor = self.out_proj(attention(query, key, value, mask).flatten(-2))
        return out


class FeedForward(nn.Module):
    """output(gelu(intermediate(x)))."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.output_dense = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, F, D) → (B, F, D)."""
        out: Tensor = self.output_dense(F.gelu(self.intermediate_dense(x)))
        return out


class EncoderLayer(nn.Module):
    """Attention and MLP, with norms before or after each."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.norm_first = config.do_stable_layer_norm
        self.attention = Attention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Shapes: x (B, F, D), mask (B, 1, 1, F) bool or None → (B, F, D)."""
        if self.norm_first:
            x = x + self.attention(self.layer_norm(x), mask)
            out: Tensor = x + self.feed_forward(self.final_layer_norm(x))
        else:
            x = self.layer_norm(x + self.attention(x, mask))
            out = self.final_layer_norm(x + self.feed_forward(x))
        return out


class Encoder(nn.Module):
    """Positions and blocks; one more norm, before all blocks or after them."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.norm_first = config.do_stable_layer_norm
        self.pos_conv_embed = PositionalConv(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def states(self, x: Tensor, real: Tensor | None) -> Iterator[Tensor]:
        """What goes into the first block, then what comes out of each, without the norm after all of them.

        Shapes: x (B, F, D), real (B, F) bool, False at padding, or None → (B, F, D) each.
        """
        if real is not None:
            x = x * real[..., None]
        mask = None if real is None else real[:, None, None]
        x = x + self.pos_conv_embed(x)
        if not self.norm_first:
            x = self.layer_norm(x)
        yield x
        for layer in self.layers:
            x = layer(x, mask)
            yield x


class Wav2Vec2Model(nn.Module):
    """The trunk: a recording as hidden states, for letters or for whatever else is put on top."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = FeatureEncoder(config)
        self.feature_projection = FeatureProjection(config)
        self.encoder = Encoder(config)

    def states(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Iterator[Tensor]:
        """What goes into the first block, then what comes out of each: `hidden_states` of the reference.

        Shapes: input_values (B, S), attention_mask (B, S) with 0 at padding or None → (B, F, D) each.

        Raises:
            InputError: The recording is shorter than one frame.
        """
        return self._run(input_values, attention_mask)[0]

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Wav2Vec2Output:
        """Hear recordings.

        Shapes: input_values (B, S), attention_mask (B, S) with 0 at padding or None.

        Raises:
            InputError: The recording is shorter than one frame.
        """
        states, normed = self._run(input_values, attention_mask)
        *_, last = states
        return Wav2Vec2Output(self.encoder.layer_norm(last) if self.encoder.norm_first else last, normed)

    def _run(self, input_values: Tensor, attention_mask: Tensor | None) -> tuple[Iterator[Tensor], Tensor]:
        samples, fewest = input_values.shape[1], self.config.samples_of_frame
        if samples < fewest:
            raise InputError(
                f"The recording has {samples} samples; this model needs {fewest} or more: use a longer one."
            )
        frames = self.feature_extractor(input_values.to(self.feature_projection.projection.weight.dtype))
        x, normed = self.feature_projection(frames)
        real = None
        if attention_mask is not None:
            lengths = [self.config.frames(length) for length in attention_mask.sum(dim=1).tolist()]
            places = torch.arange(x.shape[1], device=x.device)
            real = places < torch.tensor(lengths, device=x.device)[:, None]
        return self.encoder.states(x, real), normed


class Wav2Vec2ForCTC(nn.Module):
    """The trunk and a letter for each frame."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)

    @property
    def computed(self) -> tuple[str, ...]:
        """What checkpoints may hold and nothing is computed from: the vector that training puts for hidden frames."""
        return ("wav2vec2.masked_spec_embed",)

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> CTCOutput:
        """Spell recordings.

        Shapes: input_values (B, S), attention_mask (B, S) with 0 at padding or None → logits (B, F, V).

        Raises:
            InputError: The recording is shorter than one frame.
        """
        hidden = self.wav2vec2(input_values, attention_mask).last_hidden_state
        return CTCOutput(self.lm_head(hidden), hidden)
