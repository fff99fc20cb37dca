"""Idefics: an open model of Flamingo's kind, for prompts in which pictures and words alternate.

Paper: Laurençon et al. 2023 (OBELICS), section 5, after Alayrac et al. 2022 (Flamingo), sections 2.1 to 2.3: a
perceiver resampler, and gated cross-attention blocks before those of a LLaMA, in which each word looks at the picture
that stands last before it.
Reference implementation: `transformers`, `IdeficsForVisionText2Text`; parameters carry its names.
We differ in: keys and values of pictures are kept, where the reference makes them anew for each token; text without
pictures needs no empty picture; pictures of other sizes than the tower's are refused, not interpolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.clip.model import CLIPVisionModel
from tutti.models.idefics.config import IdeficsConfig
from tutti.models.idefics.resampler import IdeficsPerceiverResampler
from tutti.models.layers.attention import Attend, LookingAttend, MaskedAttend, MediaMemory, padded_mask
from tutti.models.layers.codes import Codes
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.mlp import GatedMLP
from tutti.models.layers.norms import RMSNorm
from tutti.models.layers.rotary import rotary_angles
from tutti.models.llama.model import LlamaDecoder, LlamaLayer, rope_frequencies


class IdeficsOutput(NamedTuple):
    """What `IdeficsForVisionText2Text` returns."""

    logits: Tensor
    """(B, T, V and the additional tokens)."""


class IdeficsEmbedding(nn.Embedding):
    """A token table, and one of its own for tokens behind the vocabulary."""

    def __init__(self, tokens: int, additional: int, width: int) -> None:
        super().__init__(tokens, width)
        self.additional_embedding = nn.Embedding(additional, width) if additional else None

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        if self.additional_embedding is None:
            return super().forward(input_ids)
        behind = input_ids - self.num_embeddings
        words = super().forward(input_ids.clamp(max=self.num_embeddings - 1))
        return torch.where(behind[..., None] < 0, words, self.additional_embedding(behind.clamp(min=0)))

    def held(self) -> IdeficsHeldEmbedding:
        """The same, to be filled with weights that stay in the 16 bits of their file."""
        return IdeficsHeldEmbedding(self)


class IdeficsHeldEmbedding(IdeficsEmbedding):
    """`IdeficsEmbedding` whose rows are widened when they are looked up.

    Args:
        plain: Whose tables it takes.
    """

    def __init__(self, plain: IdeficsEmbedding) -> None:
        nn.Embedding.__init__(self, plain.num_embeddings, plain.embedding_dim, _weight=plain.weight)
        self.additional_embedding = plain.additional_embedding

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D) float32."""
        return super().forward(input_ids).float()


class IdeficsQuantizedHead(QuantizedLinear):
    """`IdeficsHead` with int8 weights for the vocabulary."""

    def __init__(self, codes: Codes, bias: Tensor | None, additional_fc: nn.Module | None) -> None:
        super().__init__(codes, bias)
        self.additional_fc = additional_fc

    def forward(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V and the additional tokens)."""
        return _with_additional(super().forward(hidden), hidden, self.additional_fc)


class IdeficsHead(nn.Linear):
    """An output projection, and one of its own for tokens behind the vocabulary."""

    def __init__(self, width: int, tokens: int, additional: int) -> None:
        super().__init__(width, tokens, bias=False)
        self.additional_fc = nn.Linear(width, additional, bias=False) if additional else None

    def forward(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V and the additional tokens)."""
        return _with_additional(super().forward(hidden), hidden, self.additional_fc)

    def quantized(self, codes: Codes, bias: Tensor | None) -> IdeficsQuantizedHead:
        """The same with other weights for the vocabulary; those behind it stay as they are."""
        return IdeficsQuantizedHead(codes, bias, self.additional_fc)


def _with_additional(words: Tensor, hidden: Tensor, additional_fc: nn.Module | None) -> Tensor:
    return words if additional_fc is None else torch.cat((words, additional_fc(hidden)), dim=-1)


class IdeficsCrossAttention(nn.Module):
    """Attention of words to what the tower, or the resampler, saw."""

    def __init__(self, config: IdeficsConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        d, seen, self.head_width = config.text.hidden_size, config.vision.hidden_size, config.text.head_dim
        self.q_proj = nn.Linear(d, d, bias=False)
        self.k_proj = nn.Linear(seen, d, bias=False)
        self.v_proj = nn.Linear(seen, d, bias=False)
        self.o_proj = nn.Linear(d, d, bias=False)
        self.normed = config.qk_layer_norms
        if self.normed:
            self.q_layer_norm = RMSNorm(self.head_width, config.text.rms_norm_eps)
            self.k_layer_norm = RMSNorm(self.head_width, config.text.rms_norm_eps)

    def remember(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values. Shapes: (…, N, D of the tower) → two of (…, N, H, E)."""
        key, value = (project(states).unflatten(-1, (-1, self.head_width)) for project in (self.k_proj, self.v_proj))
        return self.k_layer_norm(key) if self.normed else key, value

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D)."""
        query = self.q_proj(x).unflatten(-1, (-1, self.head_width))
        query = self.q_layer_norm(query) if self.normed else query
        out: Tensor = self.o_proj(attend.look(self.layer, query).flatten(-2))
        return out


class IdeficsGatedCrossAttentionLayer(nn.Module):
    """A block that looks: pre-norm cross-attention, then pre-norm SwiGLU, each behind a gate."""

    def __init__(self, config: IdeficsConfig, layer: int) -> None:
        super().__init__()
        d, eps = config.text.hidden_size, config.text.rms_norm_eps
        self.cross_attn = IdeficsCrossAttention(config, layer)
        self.mlp = GatedMLP(d, config.text.intermediate_size)
        self.input_layernorm = RMSNorm(d, eps)
        self.post_attention_layernorm = RMSNorm(d, eps)
        gate = (1, 1, d) if config.alpha_type == "vector" else (1,)
        self.alpha_cross_attn = nn.Parameter(torch.zeros(gate))
        self.alpha_dense = nn.Parameter(torch.zeros(gate))

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) → (B, T, D). What a word looks at in vain is zero; the MLP counts for all words."""
        if attend.sees is not None:
            x = x + self.alpha_cross_attn.tanh() * self.cross_attn(self.input_layernorm(x), attend)
        out: Tensor = x + self.alpha_dense.tanh() * self.mlp(self.post_attention_layernorm(x))
        return out


class IdeficsModel(nn.Module):
    """All but the output projection."""

    def __init__(self, config: IdeficsConfig) -> None:
        super().__init__()
        self.config = config
        text = config.text
        self.embed_tokens = IdeficsEmbedding(text.vocab_size, config.additional_vocab_size, text.hidden_size)
        self.vision_model = CLIPVisionModel(config.vision)
        if config.resampler:
            self.perceiver_resampler = IdeficsPerceiverResampler(config.resampler, config.vision.hidden_size)
        self.layers = nn.ModuleList(LlamaLayer(text, index) for index in range(text.num_hidden_layers))
        self.gated_cross_attn_layers = nn.ModuleList(
            IdeficsGatedCrossAttentionLayer(config, index) for index in range(config.looking_layers)
        )
        self.norm = RMSNorm(text.hidden_size, text.rms_norm_eps)

    def see(self, pixel_values: Tensor) -> Tensor:
        """What words look at. Shapes: (B, 3, S, S) → (B, N, D of the tower)."""
        seen: Tensor = self.vision_model(pixel_values).last_hidden_state
        return self.perceiver_resampler(seen) if self.config.resampler else seen

    def forward(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: inputs_embeds (B, T, D), positions (B, T) int64 → (B, T, D), after the final norm."""
        angles = rotary_angles(positions, rope_frequencies(self.config.text, inputs_embeds.device))
        x = inputs_embeds
        for index, layer in enumerate(self.layers):
            number, rest = divmod(index, self.config.cross_layer_interval)
            if not rest:
                x = self.gated_cross_attn_layers[number](x, attend)
            x = layer(x, angles, attend)
        out: Tensor = self.norm(x)
        return out


class IdeficsForVisionText2Text(LlamaDecoder):
    """The model with its output projection."""

    def __init__(self, config: IdeficsConfig) -> None:
        super().__init__(config.text)
        self.config = config
        self.model = IdeficsModel(config)
        self.lm_head = IdeficsHead(config.text.hidden_size, config.text.vocab_size, config.additional_vocab_size)
        for name, source in self.tied.items():
            module, _, attribute = name.rpartition(".")
            setattr(self.get_submodule(module), attribute, self.get_parameter(source))

    @property
    def tied(self) -> Mapping[str, str]:
        """Parameter that a checkpoint may leave out → parameter that it equals."""
        if not self.config.text.tie_word_embeddings:
            return {}
        words = {"lm_head.weight": "model.embed_tokens.weight"}
        more = {"lm_head.additional_fc.weight": "model.embed_tokens.additional_embedding.weight"}
        return words | (more if self.config.additional_vocab_size else {})

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        image_attention_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> IdeficsOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) int64, pixel_values (B, I, 3, S, S) for I pictures a text, image_attention_mask
        (B, T, I) with 1 where a word looks at a picture, attention_mask (B, T) with 0 at padding, position_ids (B, T)
        → logits (B, T, V and more). All but the first may be None; pictures need their mask.

        Raises:
            InputError: Pictures come without their mask, or are of another size.
        """
        mask = padded_mask(attention_mask)
        if position_ids is None:
            # As in the reference, padding does not count.
            real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            position_ids = (real.cumsum(-1) - 1).masked_fill(real == 0, 1)
        attend: Attend = MaskedAttend(mask)
        if pixel_values is not None:
            if image_attention_mask is None:
                raise InputError("pixel_values came without image_attention_mask; expected who looks at which picture.")
            states = self.model.see(pixel_values.flatten(0, 1))
            memory = self.remember(states.view(len(input_ids), -1, states.shape[-1]))
            looks = image_attention_mask.bool().repeat_interleave(states.shape[1], dim=2)
            attend = LookingAttend(mask, memory, looks)
        hidden = self.decode(self.embed_tokens(input_ids), position_ids, attend)
        return IdeficsOutput(self.logits(hidden))

    # The rest of what the engine asks, and what it asks of a model that looks: `tutti.engine.runner.Looker`.

    @property
    def state_bytes(self) -> int:
        """Bytes of keys and values of one state of a picture."""
        return self.config.kv_bytes_per_state()

    @property
    def most_states(self) -> int:
        """N of a picture."""
        return self.config.states

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        out: Tensor = self.model.embed_tokens(input_ids)
        return out

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """What words look at of a picture.

        Shapes: modality "image", arrays {"pixel_values": (3, S, S)} → (N, D of the tower).

        Raises:
            UnsupportedTask: The medium is no picture.
            InputError: The picture is of another size.
        """
        if modality != "image":
            raise UnsupportedTask(f"This model sees images and reads text, and was given {modality}", "ask", modality)
        return self.model.see(arrays["pixel_values"][None])[0]

    def remember(self, states: Tensor) -> MediaMemory:
        """Keys and values for every block that looks. Shapes: (…, N, D of the tower) → (…, N, H, E) each."""
        blocks = cast("Iterable[IdeficsGatedCrossAttentionLayer]", self.model.gated_cross_attn_layers)
        pairs = [block.cross_attn.remember(states) for block in blocks]
        return MediaMemory(tuple(key for key, _ in pairs), tuple(value for _, value in pairs))

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D)."""
        out: Tensor = self.model(inputs_embeds, positions, attend)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V and the additional tokens)."""
        out: Tensor = self.lm_head(hidden)
        return out
