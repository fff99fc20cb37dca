"""LLaVA-1.5: what a picture tower sees, projected into a decoder's token space.

Paper: Liu et al. 2023 (LLaVA-1.5, "Improved baselines with visual instruction tuning"), section 3; the tower: Radford
et al. 2021 (CLIP); the decoder: `models/llama`.
Reference implementation: `transformers`, `LlavaForConditionalGeneration`; parameters carry the names of the published
checkpoints.
We differ in: blocks of the tower behind the last state that is taken are not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutti.errors import UnsupportedTask
from tutti.models.clip.config import CLIPVisionConfig
from tutti.models.clip.model import CLIPVisionModel
from tutti.models.layers.activations import ACTIVATIONS
from tutti.models.layers.attention import Attend
from tutti.models.layers.placing import place
from tutti.models.llama.model import LlamaDecoder, LlamaForCausalLM
from tutti.models.llava.config import LlavaConfig


class LlavaOutput(NamedTuple):
    """What `LlavaForConditionalGeneration.forward` returns."""

    logits: Tensor
    """(B, T, V)."""
    image_hidden_states: Tensor | None
    """(rows, D): all pictures' tokens one after another, as they stand among the words."""


class LlavaMultiModalProjector(nn.Module):
    """linear_2(activation(linear_1(x)))."""

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__()
        width, bias = config.text.hidden_size, config.multimodal_projector_bias
        self.activation = ACTIVATIONS[config.projector_hidden_act]
        self.linear_1 = nn.Linear(config.vision.hidden_size * len(config.feature_states), width, bias=bias)
        self.linear_2 = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D of the tower times its states taken) → (…, D)."""
        out: Tensor = self.linear_2(self.activation(self.linear_1(x)))
        return out


class LlavaVisionTower(nn.Module):
    """The name that the published checkpoints give the tower."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.vision_model = CLIPVisionModel(config)


class LlavaForConditionalGeneration(LlamaDecoder):
    """The tower, the projector and the decoder."""

    def __init__(self, config: LlavaConfig) -> None:
        super().__init__(config.text)
        self.config = config
        self.vision_tower = LlavaVisionTower(config.vision)
        self.multi_modal_projector = LlavaMultiModalProjector(config)
        self.language_model = LlamaForCausalLM(config.text)

    @property
    def tied(self) -> Mapping[str, str]:
        """Parameter that a checkpoint may leave out → parameter that it equals."""
        return {f"language_model.{name}": f"language_model.{same}" for name, same in self.language_model.tied.items()}

    @property
    def computed(self) -> tuple[str, ...]:
        """Tensors that older checkpoints hold and that are computed here: positions, rotary frequencies."""
        rotary = (f"language_model.model.layers.{layer}.self_attn.rotary_emb.inv_freq" for layer in range(self.layers))
        return ("vision_tower.vision_model.embeddings.position_ids", *rotary)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> LlavaOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) int64 with as many placeholders as the pictures have tokens, pixel_values (I, 3, S, S)
        of all pictures in order or None, attention_mask (B, T) with 0 at padding or None, position_ids (B, T) or None.

        Raises:
            InputError: The pictures are of another size, or there are too few or too many placeholders.
        """
        media = None if pixel_values is None else self.see(pixel_values).flatten(0, 1)
        return self.answer(input_ids, media, attention_mask, position_ids)

    def see(self, pixel_values: Tensor) -> Tensor:
        """Tokens of pictures. Shapes: (I, 3, S, S) → (I, N, D).

        Raises:
            InputError: The pictures are of another size.
        """
        wanted = self.config.feature_states
        states = list(islice(self.vision_tower.vision_model.states(pixel_values), max(wanted) + 1))
        first = 0 if self.config.vision_feature_select_strategy == "full" else 1
        out: Tensor = self.multi_modal_projector(torch.cat([states[index][:, first:] for index in wanted], dim=-1))
        return out

    def answer(
        self, input_ids: Tensor, media: Tensor | None, attention_mask: Tensor | None, position_ids: Tensor | None
    ) -> LlavaOutput:
        """Put the media's tokens (rows, D) among the words, and run the decoder. Other shapes as in `forward`."""
        here = input_ids == self.config.image_token_index
        x = self.embed_tokens(input_ids.masked_fill(here, 0))  # the placeholder need not be in the decoder's table
        if media is not None or here.any():
            x = place(x, here, x[:0, 0] if media is None else media, "image")
        return LlavaOutput(self.logits(self.language_model.model.read(x, attention_mask, position_ids)), media)

    # The rest of what the engine asks: `tutti.engine.runner.Decoder`.

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        return self.language_model.embed_tokens(input_ids)

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Tokens of one picture. Shapes: {"pixel_values": (3, S, S)} → (N, D).

        Raises:
            UnsupportedTask: It is no picture.
        """
        if modality != "image":
            raise UnsupportedTask(f"This model reads text and images, and was given {modality}", "ask", modality)
        return self.see(arrays["pixel_values"][None])[0]

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D)."""
        return self.language_model.decode(inputs_embeds, positions, attend)

    @property
    def each_alone(self) -> bool:
        """As in `LlamaDecoder`."""
        return self.language_model.each_alone

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        return self.language_model.logits(hidden)
