"""CLIP: two towers trained so that a picture and its caption point the same way.

Paper: Radford et al. 2021 (CLIP), sections 2.3 and 2.4, figure 3; the picture tower: Dosovitskiy et al. 2021 (ViT),
section 3.1, with a norm before the first block.
Reference implementation: `transformers`, `CLIPModel`; parameters carry its names, `pre_layrnorm` included.
We differ in: a text without an end token is refused, where the reference takes its first token's state for its meaning;
positions are counted, not kept as buffers; first values are torch's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.clip.config import CLIPConfig, CLIPTextConfig, CLIPVisionConfig, TowerConfig
from tutti.models.layers.activations import ACTIVATIONS
from tutti.models.layers.attention import attention, padded_mask
from tutti.models.layers.linear import attending_dtype, together
from tutti.models.layers.trunk_block import Compiled, TrunkParts


class CLIPOutput(NamedTuple):
    """What `CLIPModel.forward` returns, for I pictures and B texts."""

    logits_per_image: Tensor
    """(I, B), cosine similarities times the learned factor."""
    logits_per_text: Tensor
    """(B, I), the same turned."""
    text_embeds: Tensor
    """(B, shared D), unit rows."""
    image_embeds: Tensor
    """(I, shared D), unit rows."""


class TowerOutput(NamedTuple):
    """What a tower returns."""

    last_hidden_state: Tensor
    """(B, T or P + 1, D)."""
    pooler_output: Tensor
    """(B, D), the state that stands for the whole, after the last norm."""


class CLIPAttention(nn.Module):
    """Attention among the tokens of one text or one picture."""

    joins = (("q_proj", "k_proj", "v_proj"),)

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        width = config.hidden_size
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None, causal: bool, first: int | None = None) -> Tensor:
        """Shapes: x (B, T, D), mask (B, 1, T, T) bool or None → (B, T, D), or (B, first, D) of the first tokens."""
        batch, tokens, width = x.shape
        projected = together(x, self.q_proj, self.k_proj, self.v_proj)
        query, key, value = (one.view(batch, tokens, self.heads, -1) for one in projected)
        heads = attention(query[:, :first], key, value, mask, causal, attending_dtype(self.q_proj))
        out: Tensor = self.out_proj(heads.reshape(batch, -1, width))
        return out


class CLIPMLP(nn.Module):
    """fc2(activation(fc1(x)))."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, D)."""
        out: Tensor = self.fc2(self.activation(self.fc1(x)))
        return out


class CLIPEncoderLayer(Compiled):
    """Pre-norm attention, then pre-norm MLP."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.self_attn = CLIPAttention(config)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = CLIPMLP(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.activation = config.hidden_act

    @property
    def parts(self) -> TrunkParts:
        """For the compiled part."""
        attention_, mlp = self.self_attn, self.mlp
        return TrunkParts(
            (self.layer_norm1, self.layer_norm2), (attention_.q_proj, attention_.k_proj, attention_.v_proj),
            attention_.out_proj, mlp.fc1, mlp.fc2, attention_.heads, self.activation,
        )  # fmt: skip

    def forward(self, x: Tensor, mask: Tensor | None, causal: bool, first: int | None = None) -> Tensor:
        """Shapes: x (B, T, D), mask (B, 1, T, T) bool or None → (B, T, D), or (B, first, D) of the first tokens."""
        whole = mask is None and not causal and first is None
        if whole and self.compiled is not None and self.compiled.takes(x, self.parts):
            return self.compiled(x)
        x = x[:, :first] + self.self_attn(self.layer_norm1(x), mask, causal, first)
        out: Tensor = x + self.mlp(self.layer_norm2(x))
        return out


class CLIPEncoder(nn.Module):
    """The blocks of a tower."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CLIPEncoderLayer(config) for _ in range(config.num_hidden_layers))

    def states(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = False, first: int | None = None
    ) -> Iterator[Tensor]:
        """What goes into the first block, then what comes out of each.

        Shapes: (B, T, D) → (B, T, D) each; with `first`, out of the last one (B, first, D): it goes on with so many.
        """
        yield x
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            x = layer(x, mask, causal, first if index == last else None)
            yield x

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False, first: int | None = None) -> Tensor:
        """Run all blocks. Shapes: x (B, T, D), mask (B, 1, T, T) bool or None → (B, T, D), or (B, first, D)."""
        for state in self.states(x, mask, causal, first):
            x = state
        return x


class CLIPTextEmbeddings(nn.Module):
    """Tokens and their places."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, input_ids: Tensor, position_ids: Tensor | None) -> Tensor:
        """Shapes: both (B, T) int64 → (B, T, D)."""
        tokens, longest = input_ids.shape[1], self.position_embedding.num_embeddings
        if tokens > longest:
            raise InputError(f"The texts are {tokens} tokens long; this model reads at most {longest}: shorten them.")
        if position_ids is None:
            position_ids = torch.arange(tokens, device=input_ids.device)
        out: Tensor = self.token_embedding(input_ids) + self.position_embedding(position_ids)
        return out


class CLIPTextModel(nn.Module):
    """The text tower: each token sees itself and those before it."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = CLIPTextEmbeddings(config)
        self.encoder = CLIPEncoder(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> TowerOutput:
        """Read texts.

        Shapes: input_ids (B, T) int64, attention_mask (B, T) with 0 at padding or None, position_ids (B, T) or None.

        Raises:
            InputError: A text is too long or has no end token.
        """
        mask = padded_mask(attention_mask)
        x = self.embeddings(input_ids, position_ids)
        x = self.final_layer_norm(self.encoder(x, mask, causal=mask is None))
        rows = torch.arange(len(x), device=x.device)
        return TowerOutput(x, x[rows, self._ends(input_ids)])

    def _ends(self, input_ids: Tensor) -> Tensor:
        """Where each text ends. Shapes: (B, T) → (B,)."""
        if self.config.pools_at_highest:
            return input_ids.argmax(dim=-1)
        ends = input_ids == self.config.eos_token_id
        if not ends.any(dim=-1).all():
            raise InputError(f"A text has no end token; expected token {self.config.eos_token_id} in each.")
        return ends.int().argmax(dim=-1)


class CLIPVisionEmbeddings(nn.Module):
    """Patches and their places, after one token that will stand for the picture."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.class_embedding = nn.Parameter(torch.randn(config.hidden_size))
        self.patch_embedding = nn.Conv2d(
            3, config.hidden_size, kernel_size=config.patch_size, stride=config.patch_size, bias=False
        )
        self.position_embedding = nn.Embedding(config.tokens, config.hidden_size)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Shapes: (B, 3, S, S) → (B, P + 1, D)."""
        if pixel_values.shape[1:] != (3, self.image_size, self.image_size):
            expected = [3, self.image_size, self.image_size]
            raise InputError(f"The pictures are {list(pixel_values.shape[1:])}; this model sees {expected}.")
        patches = self.patch_embedding(pixel_values.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(patches), 1, -1)
        return torch.cat((whole, patches), dim=1) + self.position_embedding.weight


class CLIPVisionModel(nn.Module):
    """The picture tower: all patches see one another."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = CLIPVisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.encoder = CLIPEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def states(self, pixel_values: Tensor) -> Iterator[Tensor]:
        """What goes into the first block, then what comes out of each: `hidden_states` of the reference.

        Shapes: (B, 3, S, S) → (B, P + 1, D) each, without the last norm.

        Raises:
            InputError: The pictures are of another size.
        """
        return self.encoder.states(self.pre_layrnorm(self.embeddings(pixel_values)))

    def forward(self, pixel_values: Tensor) -> TowerOutput:
        """See pictures. Shapes: (B, 3, S, S).

        Raises:
            InputError: The pictures are of another size.
        """
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixel_values)))
        return TowerOutput(x, self.post_layernorm(x[:, 0]))

    def pooled(self, pixel_values: Tensor) -> Tensor:
        """The state that stands for the whole, for which alone the last block runs. Shapes: (B, 3, S, S) → (B, D).

        Raises:
            InputError: The pictures are of another size.
        """
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixel_values)), first=1)
        out: Tensor = self.post_layernorm(x[:, 0])
        return out


class CLIPModel(nn.Module):
    """Both towers, and the space they share."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.text_model = CLIPTextModel(config.text)
        self.vision_model = CLIPVisionModel(config.vision)
        self.visual_projection = nn.Linear(config.vision.hidden_size, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(config.text.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(float(config.logit_scale_init_value)))

    @property
    def computed(self) -> tuple[str, ...]:
        """Tensors that older checkpoints hold and that are computed here: every position's own number."""
        return ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")

    def sharpness(self, modality: str) -> float:
        """Inverse temperature at which cosines become probabilities, at most 100; the same for all media."""
        return float(self.logit_scale.detach().exp().clamp(max=100))

    def embed_text(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """Points of the shared space for texts.

        Shapes: input_ids (B, T) int64, attention_mask (B, T) with 0 at padding or None, position_ids (B, T) or None
        → (B, shared D), unit rows.

        Raises:
            InputError: A text is too long or has no end token.
        """
        pooled = self.text_model(input_ids, attention_mask, position_ids).pooler_output
        return F.normalize(self.text_projection(pooled), dim=-1)

    def embed_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Points of the shared space for pictures.

        Shapes: modality "image", arrays {"pixel_values": (B, 3, S, S)} → (B, shared D), unit rows.

        Raises:
            UnsupportedTask: The media are no pictures.
            InputError: The pictures are of another size.
        """
        if modality != "image":
            raise UnsupportedTask(f"This model sees images and reads text, and was given {modality}", "embed", modality)
        pooled = self.vision_model.pooled(arrays["pixel_values"])
        return F.normalize(self.visual_projection(pooled), dim=-1)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> CLIPOutput:
        """Compare every picture with every text.

        Shapes: input_ids (B, T) int64, pixel_values (I, 3, S, S), attention_mask (B, T) with 0 at padding or None,
        position_ids (B, T) or None.

        Raises:
            InputError: A text is too long or has no end token, or the pictures are of another size.
        """
        texts = self.embed_text(input_ids, attention_mask, position_ids)
        images = self.embed_media("image", {"pixel_values": pixel_values})
        logits = self.logit_scale.exp() * texts @ images.T
        return CLIPOutput(logits.T, logits, texts, images)
