"""Idefics3 and SmolVLM: tiles of pictures through a SigLIP-type tower, their patches merged, and a decoder.

Papers: Laurençon et al. 2024 ("Building and better understanding vision-language models"), the part about Idefics3's
architecture; Marafioti et al. 2025 (SmolVLM), section 2; the tower: Zhai et al. 2023 (SigLIP), with positions by share
of the side as in Dehghani et al. 2023 (NaViT), section 2.1.
Reference implementation: `transformers`, `Idefics3ForConditionalGeneration` and `SmolVLMForConditionalGeneration`,
which are one; parameters carry their names.
We differ in: nothing that changes a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.clip.model import CLIPEncoder
from tutti.models.connectors.projections import merge_grid
from tutti.models.idefics3.config import Idefics3Config, Idefics3VisionConfig
from tutti.models.layers.attention import Attend
from tutti.models.layers.linear import sums_exactly
from tutti.models.layers.placing import place
from tutti.models.llama.model import LlamaDecoder, LlamaModel


class Idefics3Output(NamedTuple):
    """What `Idefics3ForConditionalGeneration.forward` returns."""

    logits: Tensor
    """(B, T, V)."""
    image_hidden_states: Tensor | None
    """(rows, D): all tiles' tokens one after another, as they stand among the words."""


class Idefics3VisionEmbeddings(nn.Module):
    """Patches and their places."""

    def __init__(self, config: Idefics3VisionConfig) -> None:
        super().__init__()
        self.side = config.side
        self.patch_embedding = nn.Conv2d(3, config.hidden_size, kernel_size=config.patch_size, stride=config.patch_size)
        self.position_embedding = nn.Embedding(config.side**2, config.hidden_size)

    def forward(self, pixel_values: Tensor, patches: Tensor) -> Tensor:
        """Shapes: pixel_values (B, 3, height, width), patches (B, rows, columns) bool, False at padding → (B, P, D)."""
        x = self.patch_embedding(pixel_values.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2)
        out: Tensor = x + self.position_embedding(position_ids(patches, self.side))
        return out


class Idefics3VisionTransformer(nn.Module):
    """The picture tower: all patches see one another."""

    def __init__(self, config: Idefics3VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Idefics3VisionEmbeddings(config)
        self.encoder = CLIPEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, pixel_values: Tensor, pixel_attention_mask: Tensor | None = None) -> Tensor:
        """See tiles.

        Shapes: pixel_values (B, 3, S, S), pixel_attention_mask (B, S, S) with 0 at padding or None → (B, P, D).

        Raises:
            InputError: The tiles are of another size.
        """
        side = self.config.image_size
        if pixel_values.shape[1:] != (3, side, side):
            raise InputError(f"The tiles are {list(pixel_values.shape[1:])}; this model sees {[3, side, side]}.")
        count, patch, mask = self.config.side, self.config.patch_size, None
        patches = torch.ones(len(pixel_values), count, count, dtype=torch.bool, device=pixel_values.device)
        if pixel_attention_mask is not None:
            seen = F.max_pool2d(pixel_attention_mask[:, None].float(), patch)[:, 0] > 0
            patches, mask = seen, seen.flatten(1)[:, None, None]
        out: Tensor = self.post_layernorm(self.encoder(self.embeddings(pixel_values, patches), mask))
        return out


class Idefics3SimpleMLP(nn.Module):
    """One projection, by the name that the checkpoints give it."""

    def __init__(self, config: Idefics3Config) -> None:
        super().__init__()
        taken = config.vision.hidden_size * config.scale_factor**2
        self.proj = nn.Linear(taken, config.text.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, N, D of the tower times patches merged) → (B, N, D)."""
        out: Tensor = self.proj(x)
        return out


class Idefics3Connector(nn.Module):
    """Neighbouring patches side by side ("pixel shuffle"), then one projection."""

    def __init__(self, config: Idefics3Config) -> None:
        super().__init__()
        self.side, self.merge = config.vision.side, config.scale_factor
        self.modality_projection = Idefics3SimpleMLP(config)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, P, D of the tower) → (B, N, D)."""
        out: Tensor = self.modality_projection(merge_grid(x, self.side, self.merge))
        return out


class Idefics3Model(nn.Module):
    """The tower, the connector and the decoder without its output projection."""

    def __init__(self, config: Idefics3Config) -> None:
        super().__init__()
        self.vision_model = Idefics3VisionTransformer(config.vision)
        self.connector = Idefics3Connector(config)
        self.text_model = LlamaModel(config.text)


class Idefics3ForConditionalGeneration(LlamaDecoder):
    """The whole model."""

    def __init__(self, config: Idefics3Config) -> None:
        super().__init__(config.text)
        self.config = config
        self.model = Idefics3Model(config)
        self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)
        if config.text.tie_word_embeddings:
            self.lm_head.weight = self.model.text_model.embed_tokens.weight

    @property
    def tied(self) -> Mapping[str, str]:
        """Parameter that a checkpoint may leave out → parameter that it equals."""
        tied = self.config.text.tie_word_embeddings
        return {"lm_head.weight": "model.text_model.embed_tokens.weight"} if tied else {}

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        pixel_attention_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Idefics3Output:
        """Logits of every position.

        Shapes: input_ids (B, T) int64 with as many placeholders as the tiles have tokens, pixel_values
        (B, tiles, 3, S, S) in order or None, where tiles of nothing but zeros only fill up, pixel_attention_mask
        (B, tiles, S, S) with 0 at padding or None, attention_mask (B, T) with 0 at padding or None, position_ids (B, T)
        or None.

        Raises:
            InputError: The tiles are of another size, or there are too few or too many placeholders.
        """
        here = input_ids == self.config.image_token_id
        x = self.embed_tokens(input_ids.masked_fill(here, 0))  # the placeholder need not be in the decoder's table
        media = None
        if pixel_values is not None:
            real = pixel_values.flatten(2).any(dim=-1)
            mask = None if pixel_attention_mask is None else pixel_attention_mask[real]
            media = self.see(pixel_values[real], mask).flatten(0, 1)
        if media is not None or here.any():
            x = place(x, here, x[:0, 0] if media is None else media, "image")
        return Idefics3Output(self.logits(self.model.text_model.read(x, attention_mask, position_ids)), media)

    def see(self, pixel_values: Tensor, pixel_attention_mask: Tensor | None = None) -> Tensor:
        """Tokens of tiles.

        Shapes: pixel_values (tiles, 3, S, S), pixel_attention_mask (tiles, S, S) with 0 at padding or None
        → (tiles, N, D).

        Raises:
            InputError: The tiles are of another size.
        """
        out: Tensor = self.model.connector(self.model.vision_model(pixel_values, pixel_attention_mask))
        return out

    # The rest of what the engine asks: `tutti.engine.runner.Decoder`.

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        out: Tensor = self.model.text_model.embed_tokens(input_ids)
        return out

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Tokens of one tile of a picture, or of one frame of a video. Shapes: {"pixel_values": (3, S, S)} → (N, D).

        Raises:
            UnsupportedTask: It is neither.
        """
        if modality not in ("image", "video"):
            raise UnsupportedTask(f"This model reads text and images, and was given {modality}", "ask", modality)
        return self.see(arrays["pixel_values"][None])[0]

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D)."""
        out: Tensor = self.model.text_model(inputs_embeds, positions, attend)
        return out

    @property
    def each_alone(self) -> bool:
        """As in `LlamaDecoder`."""
        return sums_exactly(self.lm_head)

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        out: Tensor = self.lm_head(hidden)
        return out


def position_ids(patches: Tensor, side: int) -> Tensor:
    """Places of patches in the table of positions, by the share of the side at which they lie.

    The shares are compared in single precision, as the published weights were trained: a share that falls on a boundary
    may land on either side of it.

    Shapes: patches (B, rows, columns) bool, False at padding → (B, rows * columns) int64, 0 at padding.
    """
    boundaries = torch.arange(1 / side, 1.0, 1 / side, device=patches.device)

    def places(along: Tensor) -> Tensor:
        """Shapes: (B, count) bool → (B, count)."""
        steps = 1.0 / along.sum(dim=1, keepdim=True)
        shares = torch.arange(along.shape[1], dtype=torch.float32, device=along.device) * steps
        return torch.bucketize(shares.clamp(max=1.0 - 1e-6), boundaries, right=True)

    ids = places(patches[:, :, 0])[:, :, None] * side + places(patches[:, 0])[:, None]
    return torch.where(patches, ids, 0).flatten(1)
