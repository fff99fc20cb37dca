"""Idefics3 and SmolVLM: answer questions about pictures, which they see in tiles; SmolVLM2 about videos, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, end_tokens, image_settings
from tutti.checkpoints.headers import read_json

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.idefics3.config import Idefics3Config

    return Idefics3Config.from_hf(values)


def _facts(config: Any, folder: Path) -> Facts:
    from tutti.models.idefics3.config import TASKS

    settings = image_settings(folder)
    longest, tile = (_longest_edge(settings, key) or config.vision.image_size for key in ("size", "max_image_size"))
    along = -(-longest // tile) if settings.get("do_image_splitting", True) else 1
    media: dict[str, dict[str, float]] = {"image": {"picture": config.tile_tokens * (along**2 + (along > 1))}}
    if sampling := _video_sampling(settings, folder):
        rate = sampling.get("fps")
        seconds = {"second": rate * config.tile_tokens} if isinstance(rate, (int, float)) else {}
        media["video"] = {"frame": config.tile_tokens, **seconds}
    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=config.text.kv_bytes_per_token(),
        tied=config.text.tie_word_embeddings,
        media_tokens=media,
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.idefics3.model import Idefics3ForConditionalGeneration

    return Idefics3ForConditionalGeneration(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.chat import ChatTemplate
    from tutti.processing.idefics3 import Idefics3Processor, tile_settings
    from tutti.processing.smolvlm import SmolVLMProcessor, video_settings
    from tutti.processing.tokenizer import Tokenizer

    settings = dict(image_settings(folder))
    sampling = _video_sampling(settings, folder)
    settings.pop("video_sampling", None)
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    arguments: dict[str, Any] = {
        "tokenizer": tokenizer,
        "chat": ChatTemplate.from_folder(folder),
        "eos_ids": end_tokens(folder, tokenizer.token_id),
        "image_token": tokenizer.token(config.image_token_id),
        "tile_tokens": config.tile_tokens,
        **tile_settings(settings, config.vision.image_size),
    }
    if sampling is None:
        return Idefics3Processor(**arguments)
    return SmolVLMProcessor(**arguments, **video_settings(sampling))


def _video_sampling(settings: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | None:
    """Which frames of a video are seen: in the pictures' settings, or, from `transformers` 5 on, in the videos'."""
    if isinstance(found := settings.get("video_sampling"), Mapping):
        return found
    if not (folder / "processor_config.json").is_file():
        return None
    video = read_json(folder / "processor_config.json").get("video_processor")
    if not isinstance(video, Mapping):
        return None
    if isinstance(found := video.get("video_sampling"), Mapping):
        return found
    return {"fps": video.get("fps"), "max_frames": video.get("num_frames"), "video_size": video.get("size")}


def _longest_edge(settings: Mapping[str, Any], key: str) -> int | None:
    found = settings.get(key)
    longest = found.get("longest_edge") if isinstance(found, Mapping) else None
    return longest if type(longest) is int and longest > 0 else None


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("ConditionalGeneration", "VisionText2Text"),
    decoder_blocks=("model.text_model.layers",),
    outputs=("lm_head",),
    words="model.text_model.embed_tokens",
)
