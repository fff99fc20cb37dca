"""LLaVA-1.5: answers questions about pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, end_tokens, image_settings

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor

RENAMES = (
    # What `transformers` 4.52 to 4.57 has in memory.
    ("model.language_model.{}", "language_model.model.{}"),
    ("lm_head.{}", "language_model.lm_head.{}"),
    ("model.vision_tower.vision_model.{}", "vision_tower.vision_model.{}"),
    ("model.multi_modal_projector.{}", "multi_modal_projector.{}"),
    ("model.image_newline", "image_newline"),
    # What `transformers` 5 writes: the tower without its wrapper.
    ("model.vision_tower.{}", "vision_tower.vision_model.{}"),
    ("vision_tower.vision_model.{}", "vision_tower.vision_model.{}"),
    ("vision_tower.{}", "vision_tower.vision_model.{}"),
)
"""Later layouts → that of the published checkpoints."""


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.llava.config import LlavaConfig

    return LlavaConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.llava.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=config.text.kv_bytes_per_token(),
        tied=config.text.tie_word_embeddings,
        media_tokens={"image": {"picture": config.tower_tokens}},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.llava.model import LlavaForConditionalGeneration

    return LlavaForConditionalGeneration(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.chat import ChatTemplate
    from tutti.processing.images import ImageProcessor
    from tutti.processing.llava import LlavaProcessor
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return LlavaProcessor(
        tokenizer,
        ChatTemplate.from_folder(folder),
        end_tokens(folder, tokenizer.token_id),
        image_token=tokenizer.token(config.image_token_index),
        images=ImageProcessor.from_config(image_settings(folder)),
        image_size=config.vision.image_size,
        picture_tokens=config.tower_tokens,
    )


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("ConditionalGeneration", "CausalLM"),
    renames=RENAMES,
    decoder_blocks=("language_model.model.layers",),
    outputs=("language_model.lm_head",),
    words="language_model.model.embed_tokens",
)
