"""Preferences to learn from: JSONL of prompt, chosen and rejected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutti.content import Message, Text
from tutti.errors import InputError
from tutti.training.conversations import MediaFiles, parse_messages
from tutti.training.data import Preference, read_json_lines, text_field


def read_preferences(file: Path, media_folder: Path | None = None) -> list[Preference]:
    """Read JSONL of {"prompt", "chosen", "rejected"}.

    Each is text or a list of messages as in `read_messages`; chosen and rejected are then one assistant's message.

    Args:
        file: UTF-8, one object a line.
        media_folder: Where the paths of media start, and which they may not leave; the file's folder when not given.

    Raises:
        InputError: The file cannot be read, or lines are malformed (all are counted, the first ten named).
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, row: Mapping[str, Any]) -> Preference:
        prompt = row.get("prompt")
        messages = (
            (Message.user(text_field(row, "prompt")),)
            if isinstance(prompt, str)
            else parse_messages(row, "prompt", files)
        )
        chosen, rejected = _answer(row, "chosen", files), _answer(row, "rejected", files)
        if chosen == rejected:
            raise InputError("'chosen' and 'rejected' are the same; expected two different answers.")
        return Preference(key=str(row.get("id", where)), prompt=messages, chosen=chosen, rejected=rejected)

    return read_json_lines(file, parse)


def _answer(row: Mapping[str, Any], key: str, files: MediaFiles) -> str:
    if not isinstance(row.get(key), list):
        return text_field(row, key)
    messages = parse_messages(row, key, files)
    if len(messages) != 1 or messages[0].role != "assistant" or not all(isinstance(p, Text) for p in messages[0].parts):
        raise InputError(f"{key!r} is a list of {len(messages)} messages; expected one, of the assistant, in words.")
    return "".join(part.text for part in messages[0].parts if isinstance(part, Text))
