"""Wav2Vec2: writes down speech letter by letter, with the times of words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, sound_settings

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor

_POSITIONS = "wav2vec2.encoder.pos_conv_embed.conv"


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.wav2vec2.config import Wav2Vec2Config

    return Wav2Vec2Config.from_hf(values)


def _facts(config: Any, folder: Path) -> Facts:
    from tutti.models.wav2vec2.config import TASKS

    tokens = {"second": sound_settings(folder).get("sampling_rate", 16_000) / config.samples_per_frame}
    return Facts(
        tasks=TASKS,
        context_length=None,
        kv_bytes_per_token=0,
        media_tokens={"audio": tokens, "video": tokens},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.wav2vec2.model import Wav2Vec2ForCTC

    return Wav2Vec2ForCTC(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.ctc import CTCVocabulary
    from tutti.processing.wav2vec2 import Wav2Vec2Processor, Waveform

    return Wav2Vec2Processor(
        Waveform.from_config(sound_settings(folder)), CTCVocabulary.from_folder(folder, config.vocab_size)
    )


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("CTC",),
    renames=(
        (f"{_POSITIONS}.parametrizations.weight.original0", f"{_POSITIONS}.weight_g"),
        (f"{_POSITIONS}.parametrizations.weight.original1", f"{_POSITIONS}.weight_v"),
    ),
)
