"""`tutti_omni`, the family of tutti-mini: answers, embeds and classifies."""

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
    from tutti.models.omni.config import OmniConfig

    return OmniConfig.from_hf(values)


def _facts(config: Any, folder: Path) -> Facts:
    from tutti.models.omni.config import TASKS

    sound = read_json(folder / "preprocessor_config.json").get("audio", {})
    frames_per_s = sound.get("sampling_rate", 16_000) / sound.get("hop_length", 160)
    media: dict[str, dict[str, float]] = {}
    for modality, connector in config.connectors.items():
        kind = config.trunks[modality].kind
        if kind == "picture":
            media[modality] = {"picture": config.picture_tokens(modality)}
        elif kind == "sound" and connector.tokens:
            media[modality] = {"recording": connector.tokens}
        elif kind == "sound":
            media[modality] = {"second": frames_per_s / (config.trunks[modality].stride * connector.merge)}
    for modality in config.connectors:
        trunk = config.trunks[modality]
        if trunk.kind == "frames":
            media[modality] = {"frame": config.picture_tokens(modality), **media.get(trunk.sound, {})}
    return Facts(
        tasks=TASKS,
        context_length=config.decoder.max_position_embeddings,
        kv_bytes_per_token=config.kv_bytes_per_token(),
        media_tokens=media,
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.omni.model import Omni

    return Omni(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.omni import OmniProcessor
    from tutti.processing.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return OmniProcessor.from_config(tokenizer, read_json(folder / "preprocessor_config.json"), config)


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    decoder_blocks=("decoder.layers",),
)
