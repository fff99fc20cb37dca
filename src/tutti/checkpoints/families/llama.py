"""LLaMA, Mistral and Qwen2: answer, from text alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, end_tokens

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.llama.config import LlamaConfig

    return LlamaConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.llama.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.max_position_embeddings,
        kv_bytes_per_token=config.kv_bytes_per_token(),
        tied=config.tie_word_embeddings,
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.llama.model import LlamaForCausalLM

    return LlamaForCausalLM(config)


def _processor(_config: Any, folder: Path) -> Processor:
    from tutti.processing.chat import ChatTemplate
    from tutti.processing.text import TextProcessor
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return TextProcessor(tokenizer, ChatTemplate.from_folder(folder), end_tokens(folder, tokenizer.token_id))


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("CausalLM",),
    decoder_blocks=("model.layers",),
    outputs=("lm_head",),
    words="model.embed_tokens",
)
