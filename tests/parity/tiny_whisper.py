"""Tiny random Whisper checkpoints, written by `transformers` in the layouts that published ones have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from tokenizers import AddedToken, decoders, pre_tokenizers
from tokenizers import models as token_models
from tokenizers.pre_tokenizers import ByteLevel
from transformers import GenerationConfig
from transformers import WhisperConfig as HFConfig
from transformers import WhisperFeatureExtractor as HFExtractor
from transformers import WhisperForConditionalGeneration as HFModel

RATE_HZ = 16_000
WINDOW_S = 1
POSITIONS = 50 * WINDOW_S
"""Positions of a window, which are also the steps of its times."""
WORDS = ["the", " the", " dog", " a", "ing", " un", " deux"]

VARIANTS: dict[str, dict[str, Any]] = {
    # openai/whisper-tiny, -base, -small, -medium, -large, -large-v2.
    "many languages": {},
    # openai/whisper-tiny.en, -base.en, -small.en, -medium.en.
    "English only": {"languages": ()},
    # openai/whisper-large-v3: 128 mel bins, one more language.
    "large-v3": {"mel_bins": 128, "languages": ("en", "fr", "de", "yue")},
    # openai/whisper-large-v3-turbo, distil-whisper/*: fewer blocks in the decoder than in the encoder.
    "turbo": {"mel_bins": 128, "config": {"encoder_layers": 3, "decoder_layers": 1}},
    "other widths": {"config": {"encoder_attention_heads": 2, "decoder_ffn_dim": 40, "encoder_ffn_dim": 24}},
    # Fine-tuned checkpoints whose output projection is a weight of its own.
    "untied": {"config": {"tie_word_embeddings": False}},
}


class Saved(NamedTuple):
    """What `transformers` saved, and where."""

    model: HFModel
    extractor: HFExtractor
    folder: Path


def make_tokenizer(languages: tuple[str, ...]) -> tokenizers.Tokenizer:
    """Bytes and a few words, then the special tokens in the order that all published vocabularies have."""
    alphabet = sorted(ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, *(w.replace(" ", "Ġ") for w in WORDS)])}
    made = tokenizers.Tokenizer(token_models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    # The English-only vocabularies have tokens of languages, too.
    names = ["endoftext", "startoftranscript", *(languages or ("en", "fr", "de"))]
    names += ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    made.add_special_tokens([f"<|{name}|>" for name in names])
    made.add_tokens([AddedToken(f"<|{step * 0.02:.2f}|>", special=False) for step in range(POSITIONS + 1)])
    return made


def generation_config(made: tokenizers.Tokenizer, languages: tuple[str, ...], **more: Any) -> GenerationConfig:
    """The keys of a published `generation_config.json`."""

    def number(name: str) -> int:
        return made.token_to_id(f"<|{name}|>")

    end = number("endoftext")
    many = {
        "lang_to_id": {f"<|{code}|>": number(code) for code in languages},
        "task_to_id": {task: number(task) for task in ("translate", "transcribe")},
    }
    quiet = ["startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech"]
    return GenerationConfig(
        alignment_heads=[[0, 0]],
        begin_suppress_tokens=[made.token_to_id("Ġ"), end],
        bos_token_id=end,
        decoder_start_token_id=number("startoftranscript"),
        eos_token_id=end,
        is_multilingual=bool(languages),
        max_initial_timestamp_index=POSITIONS // 5,
        max_length=448,
        no_timestamps_token_id=number("notimestamps"),
        pad_token_id=end,
        prev_sot_token_id=number("startofprev"),
        return_timestamps=False,
        suppress_tokens=[1, 2, 7, *map(number, [*quiet, *(languages or ("en", "fr", "de"))])],
        **(many if languages else {}),
        **more,
    )


def save_theirs(folder: Path, variant: dict[str, Any], seed: int = 0, **options: Any) -> Saved:
    """Build, save, and give back what was saved. Sizes differ wherever a mix-up would go unnoticed otherwise."""
    languages = variant.get("languages", ("en", "fr", "de"))
    made = make_tokenizer(languages)
    end = made.token_to_id("<|endoftext|>")
    sizes = {
        "vocab_size": made.get_vocab_size(),
        "num_mel_bins": variant.get("mel_bins", 80),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 56,
        "max_source_positions": POSITIONS,
        "max_target_positions": 96,
        "decoder_start_token_id": made.token_to_id("<|startoftranscript|>"),
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
    }
    torch.manual_seed(seed)
    model = HFModel(HFConfig(**sizes | variant.get("config", {}))).eval()
    for name, parameter in model.named_parameters():
        # Large enough that every weight matters: the reference's own first values hardly do.
        # Places above all: a small model else repeats one token for ever.
        std = 1.5 if name.endswith("decoder.embed_positions.weight") else 0.3
        torch.nn.init.normal_(parameter, mean=float("norm" in name and name.endswith("weight")), std=std)
    model.generation_config = generation_config(made, languages, **variant.get("generation", {}))
    model.save_pretrained(folder, **options)
    made.save(str(folder / "tokenizer.json"))
    extractor = HFExtractor(sizes["num_mel_bins"], chunk_length=WINDOW_S)
    extractor.save_pretrained(folder)
    return Saved(model, extractor, folder)


def noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """A sound whose loudness changes, at 16 kHz."""
    random = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    loudness = np.repeat(random.uniform(0.001, 0.3, -(-samples // 4000)), 4000)[:samples]
    return (random.normal(0, 1, samples) * loudness).clip(-1, 1).astype(np.float32)
