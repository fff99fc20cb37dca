"""Idefics, an open Flamingo: answers questions about pictures, from examples if there are some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, end_tokens, image_settings, special_token

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.idefics.config import IdeficsConfig

    return IdeficsConfig.from_hf(values)


def _facts(config: Any, _folder: Path) -> Facts:
    from tutti.models.idefics.config import TASKS

    return Facts(
        tasks=TASKS,
        context_length=config.text.max_position_embeddings,
        kv_bytes_per_token=config.text.kv_bytes_per_token(),
        tied=config.text.tie_word_embeddings,
        media_tokens={"image": {"picture": 3}},
        media_kv_bytes={"image": {"picture": config.states * config.kv_bytes_per_state()}},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.idefics.model import IdeficsForVisionText2Text

    return IdeficsForVisionText2Text(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.idefics import END, IdeficsProcessor, image_processor
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    ends = {tokenizer.token_id(END)} if END in tokenizer.special_tokens else set()
    return IdeficsProcessor(
        tokenizer,
        eos_ids=end_tokens(folder, tokenizer.token_id) | ends,
        images=image_processor(image_settings(folder)),
        image_size=config.vision.image_size,
        states=config.states,
        bos_token=special_token(folder, "bos_token"),
        known_tokens=config.text.vocab_size + config.additional_vocab_size,
    )


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("VisionText2Text",),
    decoder_blocks=("model.layers", "model.gated_cross_attn_layers"),
    outputs=("lm_head",),
    words="model.embed_tokens",
    shares_table=False,
)
