"""Llama-3.2-Vision: a decoder of text, some of whose blocks look at the tiles of pictures instead of the words before.

Paper: Grattafiori et al. 2024 (Llama 3), section 7.2: gated cross-attention blocks (Alayrac et al. 2022, section 2.2)
between those of the language model.
Reference implementation: `transformers`, `MllamaForConditionalGeneration`; parameters carry the names of checkpoints.
As there, and not as one would think: a token before the first picture looks at all pictures, with all their tiles,
though the MLP behind is then left out for it.
We differ in: blocks that read and blocks that look are counted apart, since only the first keep keys of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.layers.attention import Attend, LookingAttend, MaskedAttend, MediaMemory, padded_mask
from tutti.models.layers.mlp import GatedMLP
from tutti.models.layers.norms import RMSNorm
from tutti.models.layers.rotary import rotary_angles
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import Angles, LlamaDecoder, LlamaLayer, rope_frequencies
from tutti.models.mllama.config import EXTRA_TOKENS, MllamaConfig
from tutti.models.mllama.vision import MllamaVisionModel


class MllamaOutput(NamedTuple):
    """What `MllamaForConditionalGeneration` returns."""

    logits: Tensor
    """(B, T, V)."""


class MllamaCrossAttention(nn.Module):
    """Attention of words to the states of pictures; queries and keys are normed head by head."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        d, e, kv = config.hidden_size, config.head_dim, config.num_key_value_heads
        self.q_proj = nn.Linear(d, config.num_attention_heads * e, bias=False)
        self.k_proj = nn.Linear(d, kv * e, bias=False)
        self.v_proj = nn.Linear(d, kv * e, bias=False)
        self.o_proj = nn.Linear(config.num_attention_heads * e, d, bias=False)
        self.q_norm = RMSNorm(e, config.rms_norm_eps)
        self.k_norm = RMSNorm(e, config.rms_norm_eps)
        self.head_width = e

    def remember(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values. Shapes: (…, N, D) → two of (…, N, K, E)."""
        key, value = (project(states).unflatten(-1, (-1, self.head_width)) for project in (self.k_proj, self.v_proj))
        return self.k_norm(key), value

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        query = self.q_norm(self.q_proj(x).unflatten(-1, (-1, self.head_width)))
        out: Tensor = self.o_proj(attend.look(self.layer, query).flatten(-2))
        return out


class MllamaCrossAttentionLayer(nn.Module):
    """A block that looks at pictures: pre-norm cross-attention, then pre-norm SwiGLU, each behind a gate."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.cross_attn = MllamaCrossAttention(config, layer)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.cross_attn_attn_gate = nn.Parameter(torch.zeros(1))
        self.cross_attn_mlp_gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, angles: Angles, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D). Pictures have no rotary positions; text without pictures passes as it is."""
        if attend.sees is None:
            return x
        x = x + self.cross_attn_attn_gate.tanh() * self.cross_attn(self.input_layernorm(x), attend)
        more = self.mlp(self.post_attention_layernorm(x)) * attend.sees[..., None]
        out: Tensor = x + self.cross_attn_mlp_gate.tanh() * more
        return out


class MllamaTextModel(nn.Module):
    """The decoder with its token table."""

    def __init__(self, config: MllamaConfig) -> None:
        super().__init__()
        self.text = config.text
        layers: list[nn.Module] = []
        looking = 0
        for index in range(config.text.num_hidden_layers):
            if index in config.cross_attention_layers:
                layers.append(MllamaCrossAttentionLayer(config.text, looking))
                looking += 1
            else:
                layers.append(LlamaLayer(config.text, index - looking))
        self.layers = nn.ModuleList(layers)
        self.norm = RMSNorm(config.text.hidden_size, config.text.rms_norm_eps)
        self.embed_tokens = nn.Embedding(config.text.vocab_size + EXTRA_TOKENS, config.text.hidden_size)

    def forward(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: inputs_embeds (B, T, D), positions (B, T) int64 → (B, T, D), after the final norm."""
        angles = rotary_angles(positions, rope_frequencies(self.text, inputs_embeds.device))
        x = inputs_embeds
        for layer in self.layers:
            x = layer(x, angles, attend)
        out: Tensor = self.norm(x)
        return out


class MllamaForCausalLM(nn.Module):
    """The decoder with its output projection."""

    def __init__(self, config: MllamaConfig) -> None:
        super().__init__()
        self.model = MllamaTextModel(config)
        self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)


class MllamaForConditionalGeneration(LlamaDecoder):
    """The decoder, the tower, and the projection between them."""

    def __init__(self, config: MllamaConfig) -> None:
        super().__init__(config.text)
        self.config = config
        self.language_model = MllamaForCausalLM(config)
        self.vision_model = MllamaVisionModel(config.vision)
        self.multi_modal_projector = nn.Linear(config.vision.vision_output_dim, config.text.hidden_size)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        aspect_ratio_ids: Tensor | None = None,
        aspect_ratio_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cross_attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> MllamaOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) int64, pixel_values (B, I, tiles, 3, S, S) for I pictures a text, aspect_ratio_ids
        (B, I) int64, aspect_ratio_mask (B, I, tiles), attention_mask (B, T) with 0 at padding, cross_attention_mask
        (B, T, I, tiles) with 1 where a token looks at a tile, position_ids (B, T) → logits (B, T, V). All but the first
        may be None; pictures need their arrangements and masks.

        Raises:
            InputError: Pictures come without those, or are of another size.
        """
        batch, tokens = input_ids.shape
        mask = padded_mask(attention_mask)
        if position_ids is None:
            position_ids = torch.arange(tokens, device=input_ids.device).expand(batch, tokens)
        attend: Attend = MaskedAttend(mask)
        if pixel_values is not None:
            if aspect_ratio_ids is None or aspect_ratio_mask is None or cross_attention_mask is None:
                raise InputError(
                    "pixel_values came without aspect_ratio_ids, aspect_ratio_mask or cross_attention_mask; "
                    "expected all of them."
                )
            states = self._states(*(x.flatten(0, 1) for x in (pixel_values, aspect_ratio_ids, aspect_ratio_mask)))
            memory = self.remember(states.view(batch, -1, states.shape[-1]))
            looks = cross_attention_mask.bool().flatten(2).repeat_interleave(self.config.vision.tile_states, dim=2)
            sees = looks.any(dim=-1)
            attend = LookingAttend(mask, memory, looks | ~sees[..., None], sees)
        hidden = self.decode(self.embed_tokens(input_ids), position_ids, attend)
        return MllamaOutput(self.logits(hidden))

    def _states(self, pixel_values: Tensor, aspect_ratio_ids: Tensor, aspect_ratio_mask: Tensor) -> Tensor:
        """What the decoder looks at. Shapes as in `MllamaVisionModel.forward` → (B, N, D)."""
        seen = self.vision_model(pixel_values, aspect_ratio_ids, aspect_ratio_mask)
        states: Tensor = self.multi_modal_projector(seen.flatten(1, 2))
        return states

    # The rest of what the engine asks, and what it asks of a model that looks: `tutti.engine.runner.Looker`.

    @property
    def layers(self) -> int:
        """Blocks that keep keys and values: those that look keep none of the text."""
        return self.config.reading_layers

    @property
    def state_bytes(self) -> int:
        """Bytes of keys and values of one state of a picture."""
        return self.config.kv_bytes_per_state()

    @property
    def most_states(self) -> int:
        """N of a picture."""
        return self.config.vision.states

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        out: Tensor = self.language_model.model.embed_tokens(input_ids)
        return out

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """What the decoder looks at of a picture.

        Shapes: modality "image", arrays {"pixel_values": (tiles, 3, S, S), "aspect_ratio_ids": () int64,
        "aspect_ratio_mask": (tiles,)} → (N, D).

        Raises:
            UnsupportedTask: The medium is no picture.
            InputError: The tiles are of another number or size.
        """
        if modality != "image":
            raise UnsupportedTask(f"This model sees images and reads text, and was given {modality}", "ask", modality)
        names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        return self._states(*(arrays[name][None] for name in names))[0]

    def remember(self, states: Tensor) -> MediaMemory:
        """Keys and values for every block that looks. Shapes: (…, N, D) → (…, N, K, E) each."""
        blocks = [layer for layer in self.language_model.model.layers if isinstance(layer, MllamaCrossAttentionLayer)]
        pairs = [block.cross_attn.remember(states) for block in blocks]
        return MediaMemory(tuple(key for key, _ in pairs), tuple(value for _, value in pairs))

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D)."""
        out: Tensor = self.language_model.model(inputs_embeds, positions, attend)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        out: Tensor = self.language_model.lm_head(hidden)
        return out
