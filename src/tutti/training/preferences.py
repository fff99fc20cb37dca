"""Preferences to learn from: JSONL of prompt, chosen and rejected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutti.content import Message, Text
from tutti.errors import InputError
from tutti.training.conversations import MediaFiles, parse_messages
from tutti.training.data import BadRow, Preference, RatedAnswer, read_json_lines, text_field


def read_preferences(file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None) -> list[Preference]:
    """Read JSONL of {"prompt", "chosen", "rejected"}.

    Each is text or a list of messages as in `read_messages`; chosen and rejected are then one assistant's message.

    Args:
        file: UTF-8, one object a line.
        media_folder: Where the paths of media start, and which they may not leave; the file's folder when not given.
        bad: Receives malformed lines, which are then no error.

    Raises:
        InputError: The file cannot be read, or lines are malformed (all are counted, the first ten named).
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, row: Mapping[str, Any]) -> Preference:
        messages = _prompt(row, files)
        chosen, rejected = _answer(row, "chosen", files), _answer(row, "rejected", files)
        if chosen == rejected:
            raise InputError("'chosen' and 'rejected' are the same; expected two different answers.")
        return Preference(key=str(row.get("id", where)), prompt=messages, chosen=chosen, rejected=rejected, where=where)

    return read_json_lines(file, parse, bad)


def read_verdicts(file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None) -> list[RatedAnswer]:
    """Read JSONL of {"prompt", "completion", "label"}, the label being true for a good answer, as TRL's KTO takes it.

    Prompt and completion are as in `read_preferences`, whose arguments and errors these are, too.
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, row: Mapping[str, Any]) -> RatedAnswer:
        label = row.get("label")
        if not isinstance(label, bool):
            raise InputError(f"'label' is {label!r}; expected true for a good answer and false for a bad one.")
        answer = _answer(row, "completion", files)
        return RatedAnswer(
            key=str(row.get("id", where)), prompt=_prompt(row, files), answer=answer, good=label, where=where
        )

    return read_json_lines(file, parse, bad)


def _prompt(row: Mapping[str, Any], files: MediaFiles) -> tuple[Message, ...]:
    if isinstance(row.get("prompt"), str):
        return (Message.user(text_field(row, "prompt")),)
    return parse_messages(row, "prompt", files)


def _answer(row: Mapping[str, Any], key: str, files: MediaFiles) -> str:
    if not isinstance(row.get(key), list):
        return text_field(row, key)
    messages = parse_messages(row, key, files)
    if len(messages) != 1 or messages[0].role != "assistant" or not all(isinstance(p, Text) for p in messages[0].parts):
        raise InputError(f"{key!r} is a list of {len(messages)} messages; expected one, of the assistant, in words.")
    return "".join(part.text for part in messages[0].parts if isinstance(part, Text))
