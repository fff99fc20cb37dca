"""Whisper: writes down speech, and says it in English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.checkpoints.family import Facts, Family, read_if_there, sound_settings
from tutti.checkpoints.headers import read_json

if TYPE_CHECKING:
    from torch import nn

    from tutti.processing.prompt import Processor


def _config(values: Mapping[str, Any]) -> Any:
    from tutti.models.whisper.config import WhisperConfig

    return WhisperConfig.from_hf(values)


def _facts(config: Any, folder: Path) -> Facts:
    from tutti.models.whisper.config import TASKS

    sound = sound_settings(folder)
    frames_per_s = sound.get("sampling_rate", 16_000) / sound.get("hop_length", 160)
    tokens = {"second": frames_per_s * config.max_source_positions / config.window_frames}
    return Facts(
        tasks=TASKS,
        context_length=config.max_target_positions,
        kv_bytes_per_token=config.kv_bytes_per_token(),
        tied=config.tie_word_embeddings,
        media_tokens={"audio": tokens, "video": tokens},
    )


def _model(config: Any) -> nn.Module:
    from tutti.models.whisper.model import WhisperForConditionalGeneration

    return WhisperForConditionalGeneration(config)


def _processor(config: Any, folder: Path) -> Processor:
    from tutti.processing.audio import LogMel
    from tutti.processing.speech_tokens import SpeechTokens
    from tutti.processing.tokenizer import Tokenizer
    from tutti.processing.vocabulary import tokenizer_from_vocabulary
    from tutti.processing.whisper import WhisperProcessor

    if (folder / "tokenizer.json").is_file() or not (folder / "vocab.json").is_file():
        tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    else:
        tokenizer = Tokenizer(tokenizer_from_vocabulary(folder))
    generation = read_if_there(folder / "generation_config.json")
    tokens = SpeechTokens.from_config(generation, read_json(folder / "config.json"), tokenizer)
    sounds = LogMel.from_config(sound_settings(folder))
    return WhisperProcessor(tokenizer, sounds, tokens, config.num_mel_bins, config.window_frames)


FAMILY = Family(
    config=_config,
    facts=_facts,
    model=_model,
    processor=_processor,
    heads=("ConditionalGeneration",),
    decoder_blocks=("model.decoder.layers",),
    outputs=("proj_out",),
    words="model.decoder.embed_tokens",
)
