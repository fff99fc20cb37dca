"""Token ids from the files of published Whisper checkpoints, old and new."""

from __future__ import annotations

from typing import Any

import pytest
import tokenizers
from tokenizers import models

from tutti.errors import InputError, UnsupportedConfig, UnsupportedTask
from tutti.processing.languages import LANGUAGES, language_code
from tutti.processing.speech_tokens import SpeechTokens
from tutti.processing.tokenizer import Tokenizer

BARE = Tokenizer(tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
"""Knows none of the special tokens: the files must name them all."""

MANY = {
    "alignment_heads": [[2, 2], [3, 0]],
    "begin_suppress_tokens": [220, 50257],
    "bos_token_id": 50257,
    "decoder_start_token_id": 50258,
    "eos_token_id": 50257,
    "forced_decoder_ids": [[1, None], [2, 50359]],
    "is_multilingual": True,
    "lang_to_id": {"<|en|>": 50259, "<|de|>": 50261, "<|haw|>": 50352},
    "max_initial_timestamp_index": 50,
    "max_length": 448,
    "no_timestamps_token_id": 50363,
    "pad_token_id": 50257,
    "prev_sot_token_id": 50361,
    "return_timestamps": False,
    "suppress_tokens": [1, 2, 7, 50258, 50358, 50359, 50360, 50361, 50362],
    "task_to_id": {"transcribe": 50359, "translate": 50358},
    "transformers_version": "4.31.0.dev0",
}
"""openai/whisper-tiny, -base, -small, -medium, -large, -large-v2; shortened where the lists are long."""
ENGLISH = {
    "alignment_heads": [[1, 0]],
    "begin_suppress_tokens": [220, 50256],
    "bos_token_id": 50257,
    "decoder_start_token_id": 50257,
    "eos_token_id": 50256,
    "forced_decoder_ids": [[1, 50362]],
    "is_multilingual": False,
    "max_initial_timestamp_index": 50,
    "max_length": 448,
    "no_timestamps_token_id": 50362,
    "pad_token_id": 50256,
    "prev_sot_token_id": 50360,
    "return_timestamps": False,
    "suppress_tokens": [1, 2, 7],
    "transformers_version": "4.31.0.dev0",
}
"""openai/whisper-tiny.en, -base.en, -small.en, -medium.en."""
LATEST = {
    **MANY,
    "lang_to_id": {"<|en|>": 50259, "<|yue|>": 50358},
    "task_to_id": {"transcribe": 50360, "translate": 50359},
    "no_timestamps_token_id": 50364,
    "prev_sot_token_id": 50362,
    "forced_decoder_ids": [[1, None], [2, 50360]],
}
"""openai/whisper-large-v3, -large-v3-turbo: one language more moves all ids behind it."""
OLDEST = {
    "vocab_size": 51865,
    "decoder_start_token_id": 50258,
    "eos_token_id": 50257,
    "forced_decoder_ids": [[1, 50259], [2, 50359], [3, 50363]],
    "begin_suppress_tokens": [220, 50257],
    "suppress_tokens": [],
    "max_length": 448,
}
"""`config.json` of checkpoints from before `generation_config.json`."""


def read(generation: dict[str, Any], config: dict[str, Any] | None = None, tokenizer: Tokenizer = BARE) -> SpeechTokens:
    return SpeechTokens.from_config(generation, config or {"vocab_size": 51865}, tokenizer)


def test_many_languages() -> None:
    tokens = read(MANY)
    assert (tokens.start, tokens.end, tokens.previous) == (50258, 50257, 50361)
    assert (tokens.no_speech, tokens.no_timestamps, tokens.timestamp_begin) == (50362, 50363, 50364)
    assert tokens.languages == {"en": 50259, "de": 50261, "haw": 50352}
    assert (tokens.max_initial_timestamp, tokens.max_tokens) == (50, 448)
    assert (tokens.language, tokens.task) == (None, "transcribe")
    assert tokens.prompt("de", None, timestamps=True) == [50258, 50261, 50359]
    assert tokens.prompt("en", "translate", timestamps=False) == [50258, 50259, 50358, 50363]
    assert tokens.code(None) is None
    for language in ("German", "de", "<|de|>", " DE "):
        assert tokens.code(language) == "de"


def test_english_only() -> None:
    tokens = read(ENGLISH, {"vocab_size": 51864})
    assert (tokens.languages, tokens.tasks) == ({}, {})
    assert tokens.prompt(tokens.code(None), None, timestamps=True) == [50257]
    assert tokens.prompt(tokens.code("english"), "transcribe", timestamps=False) == [50257, 50362]
    with pytest.raises(UnsupportedTask, match=r"hears English only, and was asked for 'german'; use a multilingual"):
        tokens.code("german")
    with pytest.raises(UnsupportedTask, match=r"hears English only and does not translate; .* openai/whisper-base"):
        tokens.prompt("en", "translate", timestamps=True)


def test_large_v3() -> None:
    tokens = read(LATEST, {"vocab_size": 51866})
    assert (tokens.no_speech, tokens.timestamp_begin) == (50363, 50365)
    assert tokens.prompt(tokens.code("Cantonese"), None, timestamps=True) == [50258, 50358, 50360]


def test_a_checkpoint_that_is_set_to_a_language_and_a_task() -> None:
    tokens = read({**MANY, "language": "german", "task": "translate"})
    assert (tokens.code(None), tokens.task) == ("de", "translate")
    forced = read({**MANY, "forced_decoder_ids": [[1, 50261], [2, 50358]]})
    assert (forced.code(None), forced.task) == ("de", "translate")
    assert forced.code("en") == "en"
    assert forced.prompt("en", "transcribe", timestamps=True) == [50258, 50259, 50359]


def words(*names: str) -> Tokenizer:
    made = tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    made.add_special_tokens([f"<|{name}|>" for name in names])
    return Tokenizer(made)


def test_what_older_files_leave_out_is_looked_up_in_the_tokenizer() -> None:
    tokenizer = words("en", "de", "translate", "transcribe", "startofprev", "nospeech", "notimestamps")
    tokens = read({}, OLDEST, tokenizer)
    assert (tokens.start, tokens.end, tokens.previous, tokens.no_timestamps) == (50258, 50257, 5, 7)
    assert (tokens.languages, tokens.tasks) == ({"en": 1, "de": 2}, {"transcribe": 4, "translate": 3})
    assert tokens.begin_suppress == (220, 50257)
    with pytest.raises(InputError, match=r"has no token '<\|transcribe\|>'"):
        read({}, OLDEST, words("en", "notimestamps"))
    with pytest.raises(UnsupportedConfig, match=r"Neither generation_config\.json nor the tokenizer names a language"):
        read({}, OLDEST)
    assert read({}, OLDEST | {"vocab_size": 51864}, words("en", "notimestamps")).languages == {}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"melody": 1}, "has the unknown key 'melody' for speech"),
        ({"num_beams": 5}, "has num_beams 5; only 1 is computed"),
        ({"repetition_penalty": 1.2}, "has repetition_penalty 1.2; only 1.0 is computed"),
        ({"eos_token_id": [1, 2]}, r"eos_token_id is \[1, 2\]; expected the id of one token"),
    ],
)
def test_what_would_choose_other_tokens_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        read({**MANY, **values})


def test_languages_by_name() -> None:
    assert len(set(LANGUAGES.values())) == 100
    for name, code in {"castilian": "es", "Haitian Creole": "ht", "burmese": "my", "yue": "yue", "xx": "xx"}.items():
        assert language_code(name) == code
