"""LLaVA-NeXT: answers questions about pictures, which it sees in tiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.families.llava import RENAMES
from tutti.checkpoints.family import Facts, Family, end_tokens, image_settings
from tutti.errors import UnsupportedConfig

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.llava_next.config import LlavaNextConfig

    return LlavaNextConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.llava.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=config.text.kv_bytes_per_token(),
        tied=config.text.tie_word_embeddings,
        media_tokens={"image": {"picture": config.most_picture_tokens()}},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.llava_next.model import LlavaNextForConditionalGeneration

    return LlavaNextForConditionalGeneration(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.models.llava_next.config import read_pinpoints
    from tutti.processing.chat import ChatTemplate
    from tutti.processing.images import ImageProcessor
    from tutti.processing.llava_next import LlavaNextProcessor
    from tutti.processing.tokenizer import Tokenizer

    settings = dict(image_settings(folder))
    settings.pop("do_pad", None)  # fills up batches of the reference
    if (setting := settings.pop("aspect_ratio_setting", "anyres")) != "anyres":
        raise UnsupportedConfig(f"aspect_ratio_setting is {setting!r}; this model cuts pictures as 'anyres' only.")
    if (found := settings.pop("image_grid_pinpoints", None)) and read_pinpoints(found) != config.image_grid_pinpoints:
        raise UnsupportedConfig("image_grid_pinpoints of the preprocessor settings are not those of config.json.")
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return LlavaNextProcessor(
        tokenizer,
        ChatTemplate.from_folder(folder),
        end_tokens(folder, tokenizer.token_id),
        image_token=tokenizer.token(config.image_token_index),
        images=ImageProcessor.from_config(settings),
        image_size=config.vision.image_size,
        tiling=config,
    )


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("ConditionalGeneration",),
    renames=RENAMES,
    decoder_blocks=("language_model.model.layers",),
    outputs=("language_model.lm_head",),
    words="language_model.model.embed_tokens",
)
