"""ImageBind: embeds and classifies pictures, videos, texts, sounds, depth, heat and motion in one space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family
from tutti.checkpoints.headers import read_json

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.imagebind.config import ImageBindConfig

    return ImageBindConfig.from_hf(values)


def _facts(config: Any, folder: Path) -> Facts:
    from tutti.models.imagebind.config import TASKS

    settings = read_json(folder / "preprocessor_config.json")

    def number(block: str, key: str, default: int) -> int:
        value = settings[block].get(key) if isinstance(settings.get(block), Mapping) else None
        return value if type(value) is int else default

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=0,
        media_tokens={
            "image": {"picture": config.vision.tokens},
            "video": {"recording": config.vision.tokens * number("video", "clips", 5) * number("video", "crops", 3)},
            "audio": {"recording": config.audio.tokens * number("audio", "clips", 3)},
            "depth": {"picture": config.depth.tokens},
            "thermal": {"picture": config.thermal.tokens},
            "motion": {"recording": config.imu.tokens},
        },
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.imagebind.model import ImageBindModel

    return ImageBindModel(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.imagebind import ImageBindProcessor
    from tutti.processing.tokenizer import Tokenizer

    file = folder / "tokenizer.json"
    return ImageBindProcessor.from_config(
        Tokenizer.from_file(file) if file.exists() else None,
        read_json(folder / "preprocessor_config.json"),
        max_text_tokens=config.text.max_position_embeddings,
        inputs={
            "vision": {"size": config.vision.image_size},
            "audio": {"num_mel_bins": config.audio.num_mel_bins, "max_frames": config.audio.max_frames},
            "depth": {"size": config.depth.image_size},
            "thermal": {"size": config.thermal.image_size},
            "motion": {"num_steps": config.imu.num_steps},
        },
        trunk_tokens={name: trunk.tokens for name, trunk in config.trunks().items()},
    )


FAMILY = Family(config=_config, facts=_facts, model=_model, processor=_processor)
