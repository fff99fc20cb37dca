"""The tokens by which Whisper is told what to do, and those that it may not say.

Paper: Radford et al. 2022 (Whisper), section 2.3 and figure 1. Published files say the same thing in several ways: ids
in `generation_config.json`, older ones in `config.json`, and all of them as tokens of `tokenizer.json`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tutti.content import SpeechTask
from tutti.errors import InputError, UnsupportedConfig, UnsupportedTask
from tutti.processing.languages import language_code
from tutti.processing.tokenizer import Tokenizer

TIMESTAMP_S = 0.02
"""Seconds from one time token to the next (section 2.3)."""
_USED = frozenset(
    {
        "begin_suppress_tokens",
        "decoder_start_token_id",
        "eos_token_id",
        "forced_decoder_ids",
        "is_multilingual",
        "lang_to_id",
        "language",
        "max_initial_timestamp_index",
        "max_length",
        "no_timestamps_token_id",
        "prev_sot_token_id",
        "suppress_tokens",
        "task",
        "task_to_id",
    }
)
_IGNORED = frozenset(
    {
        "_from_model_config",
        "alignment_heads",
        "bos_token_id",
        "cache_implementation",
        "max_new_tokens",
        "median_filter_width",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "pad_token_id",
        "return_dict_in_generate",
        "return_timestamps",
        "transformers_version",
        "use_cache",
    }
)
"""Keys that do not change which token comes next; whether there are times is for the caller to say."""
_ONLY: Mapping[str, Any] = {
    "do_sample": False,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "num_return_sequences": 1,
    "repetition_penalty": 1.0,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
}
"""Keys that would change which token comes next, and the one value that is computed."""
_ENGLISH_ONLY_SIZE = 51864
"""V of the English-only checkpoints, the smallest of all."""


@dataclass(frozen=True, kw_only=True)
class SpeechTokens:
    """Token ids with a meaning."""

    start: int
    """Begins every transcript."""
    end: int
    """Ends every transcript."""
    no_timestamps: int
    """Asks for text without times. The next id is that of 0.00 s, and so on in steps of 0.02 s."""
    previous: int | None
    """Comes before what was said earlier; None if the vocabulary has no such token."""
    languages: Mapping[str, int]
    """Code → id; empty for models that hear English only."""
    tasks: Mapping[str, int]
    """`transcribe` and `translate` → id; empty for models that hear English only."""
    suppress: tuple[int, ...]
    """Never said."""
    begin_suppress: tuple[int, ...]
    """Never said first."""
    max_initial_timestamp: int | None
    """Steps of 0.02 s within which the first words must begin."""
    max_tokens: int
    """Most tokens of one window, prompt not included."""
    language: str | None
    """Code of the language that the checkpoint is set to, if it is."""
    task: str
    """Task that the checkpoint is set to."""

    @classmethod
    def from_config(
        cls, generation: Mapping[str, Any], config: Mapping[str, Any], tokenizer: Tokenizer
    ) -> SpeechTokens:
        """Read `generation_config.json`; older checkpoints have its keys in `config.json`, and no such file.

        Args:
            generation: `generation_config.json`, empty if there is none.
            config: `config.json`.
            tokenizer: Where ids that neither file names are looked up.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
            InputError: A token is in none of the three.
        """
        _check_keys(generation)
        # As in the reference: with the newer file, the older one counts for the forced tokens only.
        values = generation or config
        named = {**{key: config.get(key) for key in ("decoder_start_token_id", "eos_token_id")}, **generation}
        ids = _Ids(named, tokenizer)
        multilingual = values.get("is_multilingual", config.get("vocab_size", 51865) > _ENGLISH_ONLY_SIZE)
        languages = _languages(values, tokenizer) if multilingual else {}
        tasks = (values.get("task_to_id") or _tasks(ids)) if multilingual else {}
        forced = _forced(values.get("forced_decoder_ids") or config.get("forced_decoder_ids") or ())
        by_id = {token: code for code, token in languages.items()}
        said = next((by_id[token] for token in forced if token in by_id), None)
        task = next((name for name, token in tasks.items() if token in forced), "transcribe")
        return cls(
            start=ids("decoder_start_token_id", "<|startoftranscript|>"),
            end=ids("eos_token_id", "<|endoftext|>"),
            no_timestamps=ids("no_timestamps_token_id", "<|notimestamps|>"),
            previous=ids.maybe("prev_sot_token_id", "<|startofprev|>"),
            languages=languages,
            tasks=tasks,
            suppress=tuple(values.get("suppress_tokens") or ()),
            begin_suppress=tuple(values.get("begin_suppress_tokens") or ()),
            max_initial_timestamp=values.get("max_initial_timestamp_index"),
            max_tokens=values.get("max_length") or config.get("max_target_positions") or 448,
            language=language_code(values["language"]) if values.get("language") else said,
            task=values.get("task") or task,
        )

    @property
    def timestamp_begin(self) -> int:
        """The id of 0.00 s."""
        return self.no_timestamps + 1

    @property
    def no_speech(self) -> int:
        """The id that says that there is no speech."""
        return self.no_timestamps - 1

    def prompt(self, language: str | None, task: SpeechTask | None, timestamps: bool) -> list[int]:
        """What a transcript begins with.

        Args:
            language: A code that `code` gave; needed by models that hear several languages.
            task: None for what the checkpoint is set to.
            timestamps: Whether times are wanted.

        Raises:
            UnsupportedTask: The model hears English only and was asked to translate.
        """
        ids = [self.start]
        if self.languages and language is not None:
            ids += [self.languages[language], self.tasks[self.checked_task(task)]]
        else:
            self.checked_task(task)
        return ids if timestamps else [*ids, self.no_timestamps]

    def checked_task(self, task: SpeechTask | None) -> SpeechTask:
        """The task, or the checkpoint's own.

        Raises:
            InputError: There is no such task.
            UnsupportedTask: The model hears English only and was asked to translate.
        """
        wanted: Any = task or self.task
        if wanted not in ("transcribe", "translate"):
            raise InputError(f"The task is {wanted!r}; expected transcribe or translate.")
        if wanted not in (self.tasks or ("transcribe",)):
            raise UnsupportedTask(
                "This model hears English only and does not translate; a multilingual one does, "
                "such as openai/whisper-base."
            )
        return cast("SpeechTask", wanted)

    def code(self, language: str | None) -> str | None:
        """The code of a language, or of the checkpoint's own; None if neither is given and the model must tell.

        Raises:
            InputError: The language is not known.
            UnsupportedTask: The model hears English only.
        """
        code = language_code(language) if language is not None else self.language
        if not self.languages:
            if code not in (None, "en"):
                raise UnsupportedTask(
                    f"This model hears English only, and was asked for {language!r}; use a multilingual one, "
                    "such as openai/whisper-base."
                )
            return "en"
        if code is not None and code not in self.languages:
            known = ", ".join(sorted(self.languages))
            raise InputError(f"The language {language or code!r} is not one of this model's; known are {known}.")
        return code


class _Ids:
    """Ids by their key, or else by their token."""

    def __init__(self, values: Mapping[str, Any], tokenizer: Tokenizer) -> None:
        self._values = values
        self._tokenizer = tokenizer

    def __call__(self, key: str, token: str) -> int:
        found = self._values.get(key)
        if found is None:
            return self._tokenizer.token_id(token)
        if type(found) is not int or found < 0:
            raise UnsupportedConfig(f"{key} is {found!r}; expected the id of one token.")
        return found

    def maybe(self, key: str, token: str) -> int | None:
        if self._values.get(key) is None and token not in self._tokenizer.special_tokens:
            return None
        return self(key, token)


def _check_keys(generation: Mapping[str, Any]) -> None:
    if unknown := sorted(generation.keys() - _USED - _IGNORED - _ONLY.keys()):
        raise UnsupportedConfig(f"generation_config.json has the unknown key {unknown[0]!r} for speech.")
    for key, value in _ONLY.items():
        if (found := generation.get(key)) not in (None, value):
            raise UnsupportedConfig(f"generation_config.json has {key} {found!r}; only {value!r} is computed.")


def _languages(values: Mapping[str, Any], tokenizer: Tokenizer) -> dict[str, int]:
    named = values.get("lang_to_id")
    if named is None:
        found = {token for token in tokenizer.special_tokens if re.fullmatch(r"<\|[a-z]{2,3}\|>", token)}
        named = {token: tokenizer.token_id(token) for token in found}
    if not named:
        raise UnsupportedConfig("Neither generation_config.json nor the tokenizer names a language.")
    return {token.removeprefix("<|").removesuffix("|>"): number for token, number in named.items()}


def _tasks(ids: _Ids) -> dict[str, int]:
    return {task: ids("", f"<|{task}|>") for task in ("transcribe", "translate")}


def _forced(pairs: Any) -> set[int]:
    """Tokens that `forced_decoder_ids` puts behind the start, as pairs of place and id; an id may be null."""
    return {number for _, number in pairs if number is not None}
