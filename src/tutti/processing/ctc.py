"""From a letter for each frame to text with its times.

Source: Graves et al. 2006 (CTC), section 3.1; reference implementation: `transformers`, `Wav2Vec2CTCTokenizer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tutti.errors import InputError, UnsupportedConfig


class Word(NamedTuple):
    """A word and its place."""

    text: str
    start: int
    """Frame of its first letter."""
    stop: int
    """Frame behind its last letter."""


@dataclass(frozen=True, kw_only=True)
class CTCVocabulary:
    """A `vocab.json` of letters, with what its marks mean."""

    tokens: Mapping[int, str]
    blank: str = "<pad>"
    """Stands for nothing, and parts a letter from the same letter."""
    unknown: str = "<unk>"
    """Stands for ids without a letter."""
    delimiter: str = "|"
    """Stands between words,"""
    space: str = " "
    """where the text has this."""
    lower: bool = False
    """Whether text is written in lower case."""

    @classmethod
    def from_folder(cls, folder: Path, vocab_size: int) -> CTCVocabulary:
        """Read `vocab.json`, and what `tokenizer_config.json` and `special_tokens_map.json` say about its marks.

        Raises:
            InputError: A file is missing or broken.
            UnsupportedConfig: The letters do not suit the model.
        """
        settings = {**_read(folder / "special_tokens_map.json"), **_read(folder / "tokenizer_config.json")}
        letters = _read(folder / "vocab.json")
        if not letters:
            raise InputError(f"{folder} has no vocab.json with letters; expected one beside a model that spells.")
        if (language := settings.get("target_lang")) is not None:
            letters = letters.get(language) or {}
        ids = {**letters, **_read(folder / "added_tokens.json")}
        if not ids or any(type(number) is not int for number in ids.values()):
            raise UnsupportedConfig("vocab.json does not map letters to ids, or not for one language.")
        tokens = {number: token for token, number in ids.items()}
        vocabulary = cls(
            tokens=tokens,
            blank=_token(settings, "pad_token", cls.blank),
            unknown=_token(settings, "unk_token", cls.unknown),
            delimiter=_token(settings, "word_delimiter_token", cls.delimiter),
            space=_token(settings, "replace_word_delimiter_char", cls.space),
            lower=bool(settings.get("do_lower_case", cls.lower)),
        )
        if vocabulary.blank not in ids:
            raise UnsupportedConfig(f"vocab.json lacks {vocabulary.blank!r}, which stands for nothing.")
        if max(tokens) >= vocab_size and max(letters.values()) >= vocab_size:
            raise UnsupportedConfig(
                f"vocab.json has the id {max(letters.values())}, and the model {vocab_size} letters; "
                "it is of another model."
            )
        return vocabulary

    def decode(self, ids: Sequence[int]) -> tuple[str, list[Word]]:
        """Text and words of the likeliest token of each frame: repeats count once, blanks not at all.

        Shapes: ids (F,).
        """
        place = 0
        text, words, begun = "", list[Word](), None
        for token, run in groupby(self.tokens.get(number, self.unknown) for number in ids):
            start, place = place, place + len(list(run))
            if token == self.blank:
                continue
            if token == self.delimiter:
                text, begun = text + self.space, None
                continue
            letter = token.lower() if self.lower else token
            text += letter
            if begun is None:
                begun = start
                words.append(Word(letter, start, place))
            else:
                words[-1] = Word(words[-1].text + letter, begun, place)
        return text.strip(), words


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError):
        values = None
    if not isinstance(values, dict):
        raise InputError(f"{file} is not a JSON object; expected one as tokenizers of letters have.")
    return values


def _token(settings: Mapping[str, Any], key: str, default: str) -> str:
    """A token, which files give as text or as an object with its text."""
    found = settings.get(key)
    if isinstance(found, Mapping):
        found = found.get("content")
    if found is None:
        return default
    if not isinstance(found, str):
        raise UnsupportedConfig(f"{key} is {found!r}; expected a token.")
    return found
