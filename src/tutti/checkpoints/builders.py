"""What builds the known families' models and processors: the doors that lead to torch and numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.headers import read_json

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Builder:
    """How a family is built from its configuration."""

    model: Callable[[Any], nn.Module]
    """Configuration → model with fresh weights."""
    processor: Callable[[Any, Path], object]
    """Configuration and folder → what makes the model's inputs."""


def _clip_model(config: Any) -> nn.Module:
    from tutti.models.clip.model import CLIPModel

    return CLIPModel(config)


def _clip_processor(config: Any, folder: Path) -> object:
    from tutti.processing.clip import CLIPProcessor
    from tutti.processing.images import ImageProcessor
    from tutti.processing.tokenizer import Tokenizer

    return CLIPProcessor(
        Tokenizer.from_file(folder / "tokenizer.json"),
        ImageProcessor.from_config(_image_settings(folder)),
        max_text_tokens=config.text.max_position_embeddings,
        image_size=config.vision.image_size,
        image_tokens=config.vision.tokens,
        end_id=None if config.text.pools_at_highest else config.text.eos_token_id,
    )


def _image_settings(folder: Path) -> Mapping[str, Any]:
    """`preprocessor_config.json`, or what newer checkpoints hold of it in `processor_config.json`."""
    if not (folder / "preprocessor_config.json").is_file() and (folder / "processor_config.json").is_file():
        settings = read_json(folder / "processor_config.json").get("image_processor")
        if isinstance(settings, Mapping):
            return settings
    return read_json(folder / "preprocessor_config.json")


def _llama_model(config: Any) -> nn.Module:
    from tutti.models.llama.model import LlamaForCausalLM

    return LlamaForCausalLM(config)


def _llama_processor(_config: Any, folder: Path) -> object:
    from tutti.processing.text import TextProcessor

    return TextProcessor.from_folder(folder)


def _omni_model(config: Any) -> nn.Module:
    from tutti.models.omni.model import Omni

    return Omni(config)


def _omni_processor(config: Any, folder: Path) -> object:
    from tutti.processing.omni import OmniProcessor
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return OmniProcessor.from_config(tokenizer, read_json(folder / "preprocessor_config.json"), config)


BUILDERS: Mapping[str, Builder] = {
    "clip": Builder(model=_clip_model, processor=_clip_processor),
    "llama": Builder(model=_llama_model, processor=_llama_processor),
    "tutti_omni": Builder(model=_omni_model, processor=_omni_processor),
}
"""`model_type` → builder, for every family of `families`."""
