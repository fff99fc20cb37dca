"""`vocab.json` and `merges.txt`, the older form of byte-level vocabularies such as Whisper's, to a tokenizer.

Source: Radford et al. 2019 (GPT-2), section 2.2. Tokens of structure are in `vocab.json`, in `added_tokens.json` or in
the `added_tokens_decoder` of `tokenizer_config.json`; times (`<|0.02|>`) are words, others of that form are special.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from tutti.errors import InputError

_MAX_BYTES = 64_000_000
_STRUCTURE = re.compile(r"<\|.*\|>")
_TIME = re.compile(r"<\|\d+\.\d\d\|>")


def tokenizer_from_vocabulary(folder: Path) -> tokenizers.Tokenizer:
    """The tokenizer of a folder with `vocab.json` and `merges.txt`.

    Raises:
        InputError: One of them is missing or broken, or they do not fit each other.
    """
    vocabulary = _ids(folder / "vocab.json", _read_json(folder / "vocab.json"))
    added = _ids(folder / "added_tokens.json", _read_json(folder / "added_tokens.json", needed=False))
    for number, entry in (
        _read_json(folder / "tokenizer_config.json", needed=False).get("added_tokens_decoder", {}).items()
    ):
        if isinstance(entry, Mapping) and isinstance(entry.get("content"), str) and number.isdecimal():
            added.setdefault(entry["content"], int(number))
    merges = _merges(folder / "merges.txt")
    try:
        made = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise InputError(f"{folder}: vocab.json and merges.txt do not fit each other ({error}).") from None
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    inside = {token: number for token, number in vocabulary.items() if _STRUCTURE.fullmatch(token)}
    for token, number in sorted({**inside, **added}.items(), key=lambda item: item[1]):
        special = bool(_STRUCTURE.fullmatch(token)) and not _TIME.fullmatch(token)
        made.add_tokens([AddedToken(token, normalized=False, special=special)])
        if made.token_to_id(token) != number:
            raise InputError(
                f"{folder} gives {token!r} the id {number}, behind a gap in the vocabulary; expected added tokens to "
                "follow it one by one."
            )
    return made


def _ids(file: Path, values: Mapping[str, Any]) -> dict[str, int]:
    if not all(type(number) is int and number >= 0 for number in values.values()):
        raise InputError(f"{file} holds something else than token ids; it is damaged: fetch it again.")
    return dict(values)


def _merges(file: Path) -> list[tuple[str, str]]:
    """Pairs in the order in which they are merged, a line each; the first line may name a version."""
    merges = []
    for line in _read(file).split("\n"):
        if not line.strip() or line.startswith("#version"):
            continue
        left, _, right = line.rstrip("\r").partition(" ")
        if not right or " " in right:
            raise InputError(f"{file} has the line {line[:40]!r}; expected two pieces with a space between.")
        merges.append((left, right))
    return merges


def _read_json(file: Path, *, needed: bool = True) -> dict[str, Any]:
    if not needed and not file.is_file():
        return {}
    try:
        values = json.loads(_read(file))
    except (ValueError, RecursionError):
        raise InputError(f"{file} holds no valid JSON; it is damaged: fetch it again.") from None
    if not isinstance(values, dict):
        raise InputError(f"{file} holds no JSON object; expected one of tokens and their ids.")
    return values


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise InputError(f"{file} is larger than {_MAX_BYTES:,} bytes; expected a vocabulary.")
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} cannot be read ({error}); expected vocab.json and merges.txt beside each other."
        ) from None
