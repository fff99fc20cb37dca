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
    "llama": Builder(model=_llama_model, processor=_llama_processor),
    "tutti_omni": Builder(model=_omni_model, processor=_omni_processor),
}
"""`model_type` → builder, for every family of `families`."""
