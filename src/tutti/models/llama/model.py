"""LLaMA-type decoder.

Paper: Touvron et al. 2023 (LLaMA), section 2.2; grouped heads: Touvron et al. 2023 (Llama 2), section 2.2; rotary
positions stretched evenly: Chen et al. 2023 (position interpolation), section 2.3; by their wavelength: Llama 3.1's own
code (Grattafiori et al. 2024, section 3.4.2, tell what for); sliding window: Jiang et al. 2023 (Mistral), section 2;
biases in q, k and v alone: Yang et al. 2024 (Qwen2), section 2.1.
Reference implementation: `transformers`, `LlamaForCausalLM`, `MistralForCausalLM` and `Qwen2ForCausalLM`; parameters
carry its names.
We differ in: attention goes through an explicit `Attend`; nothing is cached on the module.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutti.errors import UnsupportedTask
from tutti.models.layers.attention import Attend, MaskedAttend, padded_mask
from tutti.models.layers.decode_step import Stepped
from tutti.models.layers.linear import sums_exactly, together
from tutti.models.layers.mlp import GatedMLP
from tutti.models.layers.norms import RMSNorm
from tutti.models.layers.rotary import inverse_frequencies, rotary_angles, rotate
from tutti.models.llama.config import LlamaConfig, RopeScaling
from tutti.models.llama.step import compiled_step, pack_decoder

Angles = tuple[Tensor, Tensor]


class CausalLMOutput(NamedTuple):
    """What a causal language model returns."""

    logits: Tensor
    """(B, T, V)."""


class LlamaAttention(nn.Module):
    """Rotary self-attention with grouped key-value heads."""

    joins = (("q_proj", "k_proj", "v_proj"),)

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_width = config.head_dim
        self.window = config.window(layer)
        d, e, bias = config.hidden_size, config.head_dim, config.attention_bias
        self.q_proj = nn.Linear(d, config.num_attention_heads * e, bias=bias)
        self.k_proj = nn.Linear(d, config.num_key_value_heads * e, bias=bias)
        self.v_proj = nn.Linear(d, config.num_key_value_heads * e, bias=bias)
        output_bias = bias if config.output_bias is None else config.output_bias
        self.o_proj = nn.Linear(config.num_attention_heads * e, d, bias=output_bias)

    def forward(self, x: Tensor, angles: Angles, attend: Attend, rows: Tensor | None = None) -> Tensor:
        """Shapes: x (B, T, D), rows (R,) of the tokens to go on with or None → (B, R or T, D)."""
        batch, tokens, _ = x.shape
        projected = together(x, self.q_proj, self.k_proj, self.v_proj)
        query, key, value = (one.view(batch, tokens, -1, self.head_width) for one in projected)
        query, key = rotate(query, angles), rotate(key, angles)
        heads = _rows(attend(self.layer, query, key, value, self.window), rows)
        out: Tensor = self.o_proj(heads.flatten(2))
        return out


class LlamaLayer(nn.Module):
    """Pre-norm attention, then pre-norm SwiGLU."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(config, layer)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, angles: Angles, attend: Attend, rows: Tensor | None = None) -> Tensor:
        """Shapes: x (B, T, D), rows (R,) of the tokens to go on with or None → (B, R or T, D)."""
        x = _rows(x, rows) + self.self_attn(self.input_layernorm(x), angles, attend, rows)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class LlamaLayers(Stepped):
    """The blocks and the final norm: a decoder from embeddings to hidden states, whatever the embeddings stand for."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(LlamaLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Run all blocks.

        Shapes: inputs_embeds (B, T, D), positions (B, T) int64 → (B, T, D), or (B, R, D) of the tokens that `attend`
        says are asked for, after the final norm.
        """
        rows = None if self.step is None else attend.rows
        if self.step is not None and rows is not None and self.step.takes(rows):
            return self.step(inputs_embeds[0], positions[0], rows, attend.asked)[None]
        # Made here and not kept as a buffer: a module built on `meta` then needs no repair after loading.
        frequencies = rope_frequencies(self.config, inputs_embeds.device)
        angles = rotary_angles(positions, frequencies)
        x = inputs_embeds
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            x = layer(x, angles, attend, attend.asked if index == last else None)
        out: Tensor = self.norm(x)
        return out

    def pack(self) -> None:
        """Bring quantized weights into the form of such steps."""
        pack_decoder(self)

    def compile_step(self) -> None:
        """Let steps of one token a sequence go through the compiled part, if it takes these layers."""
        self.step = compiled_step(self, LlamaLayers, rope_frequencies)

    def read(
        self, inputs_embeds: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """Run all blocks over whole sequences.

        Shapes: inputs_embeds (B, T, D), attention_mask (B, T) with 0 at padding or None, position_ids (B, T) or None
        → (B, T, D), after the final norm.
        """
        batch, tokens, _ = inputs_embeds.shape
        if position_ids is None:
            position_ids = torch.arange(tokens, device=inputs_embeds.device).expand(batch, tokens)
        out: Tensor = self(inputs_embeds, position_ids, MaskedAttend(padded_mask(attention_mask)))
        return out


class LlamaModel(LlamaLayers):
    """The decoder with its token table."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)


class LlamaDecoder(nn.Module):
    """What the engine asks of a model that generates through such a decoder: `tutti.engine.runner.Decoder`.

    Args:
        text: Configuration of the decoder.
    """

    def __init__(self, text: LlamaConfig) -> None:
        super().__init__()
        self._text = text

    @property
    def layers(self) -> int:
        """Blocks that keep keys and values."""
        return self._text.num_hidden_layers

    @property
    def kv_heads(self) -> int:
        """K."""
        return self._text.num_key_value_heads

    @property
    def head_width(self) -> int:
        """E."""
        return self._text.head_dim

    @property
    def context_length(self) -> int:
        """Longest context in tokens."""
        return self._text.max_position_embeddings

    @property
    def each_alone(self) -> bool:
        """Whether logits of a token depend on no other: `tutti.engine.runner.EachAlone`."""
        return False


class LlamaForCausalLM(LlamaDecoder):
    """The decoder with its output projection."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.config = config
        self.model = LlamaModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @property
    def tied(self) -> Mapping[str, str]:
        """Parameter that a checkpoint may leave out → parameter that it equals."""
        return {"lm_head.weight": "model.embed_tokens.weight"} if self.config.tie_word_embeddings else {}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> CausalLMOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) int64, attention_mask (B, T) with 0 at padding or None, position_ids (B, T) or None
        → logits (B, T, V).
        """
        return CausalLMOutput(self.logits(self.model.read(self.embed_tokens(input_ids), attention_mask, position_ids)))

    # The rest of what the engine asks.

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        out: Tensor = self.model.embed_tokens(input_ids)
        return out

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """A decoder of text has no trunks.

        Raises:
            UnsupportedTask: Always.
        """
        raise UnsupportedTask(f"This model reads text only, and was given {modality}", "ask", modality)

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D), or of the tokens that are asked for."""
        out: Tensor = self.model(inputs_embeds, positions, attend)
        return out

    @property
    def each_alone(self) -> bool:
        """As in `LlamaDecoder`: where the output's sums are of whole numbers, which are exact in any order."""
        return sums_exactly(self.lm_head)

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        out: Tensor = self.lm_head(hidden)
        return out


def _rows(x: Tensor, rows: Tensor | None) -> Tensor:
    """Some tokens. Shapes: x (B, T, …), rows (R,) or None for all → (B, R or T, …)."""
    return x if rows is None else x[:, rows]


def rope_frequencies(config: LlamaConfig, device: torch.device | None = None) -> Tensor:
    """Rotary frequencies after stretching, in radians per position. Shape (E/2,)."""
    frequencies = inverse_frequencies(config.head_dim, config.rope_theta, device)
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.rope_type == "linear":
        return frequencies / scaling.factor
    return _llama3(frequencies, scaling)


def _llama3(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Leave short wavelengths alone, stretch long ones in full, and blend in between."""
    original, low, high = scaling.original_max_position_embeddings, scaling.low_freq_factor, scaling.high_freq_factor
    wavelengths = 2 * math.pi / frequencies
    blend = ((original / wavelengths - low) / (high - low)).clamp(0, 1)
    return (1 - blend) * frequencies / scaling.factor + blend * frequencies
