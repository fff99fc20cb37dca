"""Llama-3.2-Vision: answers questions about pictures, which its text looks at by cross-attention."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, end_tokens, image_settings, special_token

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor

_RENAMES = (
    ("model.language_model.{}", "language_model.model.{}"),
    ("lm_head.{}", "language_model.lm_head.{}"),
    ("model.vision_model.{}", "vision_model.{}"),
    ("model.multi_modal_projector.{}", "multi_modal_projector.{}"),
)
"""What `transformers` has in memory since 4.52 → what published checkpoints have."""


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.mllama.config import MllamaConfig

    return MllamaConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.mllama.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=config.kv_bytes_per_token(),
        media_tokens={"image": {"picture": 1}},
        media_kv_bytes={"image": {"picture": config.vision.states * config.kv_bytes_per_state()}},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.mllama.model import MllamaForConditionalGeneration

    return MllamaForConditionalGeneration(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.chat import ChatTemplate
    from tutti.processing.mllama import MllamaProcessor, Tiles
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return MllamaProcessor(
        tokenizer,
        ChatTemplate.from_folder(folder),
        end_tokens(folder, tokenizer.token_id),
        image_token=tokenizer.token(config.image_token_index),
        tiles=Tiles.from_config(image_settings(folder)),
        image_size=config.vision.image_size,
        max_tiles=config.vision.max_num_tiles,
        tile_states=config.vision.tile_states,
        bos_token=special_token(folder, "bos_token"),
    )


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("ConditionalGeneration",),
    renames=_RENAMES,
    decoder_blocks=("language_model.model.layers",),
    outputs=("language_model.lm_head",),
    words="language_model.model.embed_tokens",
)
