"""CLIP: embeds and classifies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, image_settings

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.clip.config import CLIPConfig

    return CLIPConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.clip.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=0,
        media_tokens={"image": {"picture": config.vision.tokens}},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.clip.model import CLIPModel

    return CLIPModel(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.clip import CLIPProcessor, CLIPTexts
    from tutti.processing.images import ImageProcessor
    from tutti.processing.tokenizer import Tokenizer

    end_id = None if config.text.pools_at_highest else config.text.eos_token_id
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return CLIPProcessor(
        CLIPTexts(tokenizer, config.text.max_position_embeddings, end_id),
        ImageProcessor.from_config(image_settings(folder)),
        image_size=config.vision.image_size,
        image_tokens=config.vision.tokens,
    )


FAMILY = Family(config=_config, facts=_facts, model=_model, processor=_processor)
