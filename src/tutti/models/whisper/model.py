"""Whisper: an encoder that hears a window of sound, and a decoder that writes down what was said in it.

Paper: Radford et al. 2022 (Whisper), section 2.2; blocks: Vaswani et al. 2017, with the norms before each part.
Reference implementation: `transformers`, `WhisperForConditionalGeneration`; parameters carry its names.
We differ in: attention goes through an explicit `Attend`, and what the decoder looks at is a value that the caller
keeps (`remember`), so that it is computed once a window and nothing is cached on the module; hidden states in float16
are not clamped; the encoder takes shortened windows, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError
from tutti.models.layers.attention import Attend, LookingAttend, MediaMemory, attention
from tutti.models.whisper.config import WhisperConfig


class WhisperOutput(NamedTuple):
    """What `WhisperForConditionalGeneration.forward` returns."""

    logits: Tensor
    """(B, T, V)."""
    encoder_last_hidden_state: Tensor
    """(B, P, D)."""


class WhisperAttention(nn.Module):
    """The projections around attention; keys have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def query(self, x: Tensor) -> Tensor:
        """Shapes: (B, T, D) → (B, T, H, E)."""
        return self._heads(self.q_proj(x))

    def key_value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: (B, T, D) → twice (B, T, H, E)."""
        return self._heads(self.k_proj(x)), self._heads(self.v_proj(x))

    def out(self, attended: Tensor) -> Tensor:
        """Shapes: (B, T, H, E) → (B, T, D)."""
        out: Tensor = self.out_proj(attended.flatten(-2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1)


class WhisperEncoderLayer(nn.Module):
    """Pre-norm attention, then pre-norm MLP."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn = WhisperAttention(width, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, P, D) → (B, P, D)."""
        normed = self.self_attn_layer_norm(x)
        x = x + self.self_attn.out(attention(self.self_attn.query(normed), *self.self_attn.key_value(normed)))
        out: Tensor = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return out


class WhisperEncoder(nn.Module):
    """Two convolutions, the second of which halves the frames; sinusoidal positions, stored; the blocks."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        width = config.d_model
        self.conv1 = nn.Conv1d(config.num_mel_bins, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, width)
        self.layers = nn.ModuleList(WhisperEncoderLayer(config) for _ in range(config.encoder_layers))
        self.layer_norm = nn.LayerNorm(width)

    def states(self, input_features: Tensor) -> Iterator[Tensor]:
        """What goes into the first block, then what comes out of each, without the last norm.

        Shapes: (B, M, F) → (B, P, D) each.

        Raises:
            InputError: The features are of another shape than a window, or a shortened one.
        """
        bins, frames = input_features.shape[1:]
        most = self.config.window_frames
        if bins != self.config.num_mel_bins or not 2 <= frames <= most or frames % 2:
            raise InputError(
                f"The features are {[bins, frames]}; this model hears windows of "
                f"{[self.config.num_mel_bins, most]} mel bins and frames, or of fewer frames of an even number: "
                "pad or cut the recording."
            )
        x = F.gelu(self.conv1(input_features.to(self.conv1.weight.dtype)))
        x = F.gelu(self.conv2(x)).transpose(1, 2) + self.embed_positions.weight[: frames // 2]
        yield x
        for layer in self.layers:
            x = layer(x)
            yield x

    def forward(self, input_features: Tensor) -> Tensor:
        """Hear a window, or a shortened one. Shapes: (B, M, F) → (B, P, D).

        Raises:
            InputError: The features are of another shape than a window, or a shortened one.
        """
        *_, last = self.states(input_features)
        out: Tensor = self.layer_norm(last)
        return out


class WhisperDecoderLayer(nn.Module):
    """Pre-norm attention among the tokens, then to the window, then pre-norm MLP."""

    def __init__(self, config: WhisperConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        width, heads = config.d_model, config.decoder_attention_heads
        self.self_attn = WhisperAttention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn = WhisperAttention(width, heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.decoder_ffn_dim)
        self.fc2 = nn.Linear(config.decoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        normed = self.self_attn_layer_norm(x)
        read = attend(self.layer, self.self_attn.query(normed), *self.self_attn.key_value(normed))
        x = x + self.self_attn.out(read)
        heard = attend.look(self.layer, self.encoder_attn.query(self.encoder_attn_layer_norm(x)))
        x = x + self.encoder_attn.out(heard)
        out: Tensor = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return out


class WhisperDecoder(nn.Module):
    """Tokens with learned positions; the blocks."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.d_model
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.embed_positions = nn.Embedding(config.max_target_positions, width)
        self.layers = nn.ModuleList(WhisperDecoderLayer(config, index) for index in range(config.decoder_layers))
        self.layer_norm = nn.LayerNorm(width)

    def remember(self, states: Tensor) -> MediaMemory:
        """What the blocks look at of a window. Shapes: (B, P, D) → (B, P, H, E) a block."""
        pairs = [cast(WhisperDecoderLayer, layer).encoder_attn.key_value(states) for layer in self.layers]
        return MediaMemory(*zip(*pairs, strict=True))

    def forward(self, input_ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: input_ids and positions (B, T) int64 → (B, T, D)."""
        x = self.embed_tokens(input_ids) + self.embed_positions(positions)
        for layer in self.layers:
            x = layer(x, attend)
        out: Tensor = self.layer_norm(x)
        return out


class WhisperModel(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.encoder = WhisperEncoder(config)
        self.decoder = WhisperDecoder(config)


class WhisperForConditionalGeneration(nn.Module):
    """Encoder and decoder with the output projection."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.model = WhisperModel(config)
        self.proj_out = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.proj_out.weight = self.model.decoder.embed_tokens.weight

    @property
    def tied(self) -> Mapping[str, str]:
        """Parameter that a checkpoint may leave out → parameter that it equals."""
        return {"proj_out.weight": "model.decoder.embed_tokens.weight"} if self.config.tie_word_embeddings else {}

    def forward(
        self, input_features: Tensor, decoder_input_ids: Tensor, decoder_attention_mask: Tensor | None = None
    ) -> WhisperOutput:
        """Logits of every position, for windows and texts of the same number.

        Shapes: input_features (B, M, F), decoder_input_ids (B, T) int64, decoder_attention_mask (B, T) with 0 at
        padding or None → logits (B, T, V).

        Raises:
            InputError: The features are of another shape than a window, or a text is too long.
        """
        tokens = decoder_input_ids.shape[1]
        if tokens > self.context_length:
            raise InputError(f"The texts are {tokens} tokens long; this model writes at most {self.context_length}.")
        mask = None
        if decoder_attention_mask is not None:
            itself = torch.eye(tokens, dtype=torch.bool, device=decoder_input_ids.device)
            mask = (torch.ones_like(itself).tril() & decoder_attention_mask[:, None, None].bool()) | itself
        positions = torch.arange(tokens, device=decoder_input_ids.device).expand_as(decoder_input_ids)
        states = self.encode(input_features)
        everywhere = torch.ones(len(states), tokens, states.shape[1], dtype=torch.bool, device=states.device)
        attend = LookingAttend(mask, self.remember(states), everywhere)
        return WhisperOutput(self.logits(self.decode(decoder_input_ids, positions, attend)), states)

    # What the engine needs of a model that writes down speech: `tutti.engine.window.SpeechDecoder`.

    @property
    def layers(self) -> int:
        """Blocks of the decoder, which keep keys and values."""
        return self.config.decoder_layers

    @property
    def kv_heads(self) -> int:
        """H of the decoder."""
        return self.config.decoder_attention_heads

    @property
    def head_width(self) -> int:
        """E of the decoder."""
        return self.config.d_model // self.config.decoder_attention_heads

    @property
    def context_length(self) -> int:
        """Longest text of one window in tokens."""
        return self.config.max_target_positions

    @property
    def window_frames(self) -> int:
        """F of one window."""
        return self.config.window_frames

    def encode(self, input_features: Tensor) -> Tensor:
        """Shapes: (B, M, F) → (B, P, D)."""
        out: Tensor = self.model.encoder(input_features)
        return out

    def remember(self, states: Tensor) -> MediaMemory:
        """What the decoder looks at of a window. Shapes: (B, P, D) → (B, P, H, E) a block."""
        return self.model.decoder.remember(states)

    def decode(self, input_ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: input_ids and positions (B, T) int64 → (B, T, D)."""
        out: Tensor = self.model.decoder(input_ids, positions, attend)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        out: Tensor = self.proj_out(hidden)
        return out
