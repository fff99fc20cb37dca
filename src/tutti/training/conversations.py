"""Conversations to learn from: LLaVA JSON and the OpenAI `messages` dialect as JSONL, with media beside them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tutti.content import Audio, Image, Media, Message, Part, Role, Text, Video, data_url_bytes
from tutti.errors import InputError
from tutti.media.text_files import read_text
from tutti.training.data import (
    BadRow,
    Dialogue,
    collect,
    list_field,
    object_entry,
    read_json_lines,
    text_field,
)

_SPEAKERS: Mapping[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
_ROLES: tuple[Role, ...] = ("system", "user", "assistant")
"""Turns that can be learned from; calls of tools are none of them."""
_KINDS: Mapping[str, type[Media]] = {"image": Image, "audio": Audio, "video": Video}
_PLACEHOLDER = re.compile(r"\n?<(image|audio|video)>\n?")


def read_llava(file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None) -> list[Dialogue]:
    """Read LLaVA JSON: a list of {"id", "image", "conversations": [{"from": "human" | "gpt", "value"}]}.

    `image`, `audio` and `video` are a path or a list of paths. Each stands where its placeholder (<image>, <audio>,
    <video>) stands in the text; the line break next to a placeholder goes with it.

    Args:
        file: A JSON list, or JSONL if its name ends so.
        media_folder: Where the paths start, and which they may not leave; the file's folder when not given.
        bad: Receives malformed entries, which are then no error.

    Raises:
        InputError: The file cannot be read, or entries are malformed (all are counted, the first ten named).
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, entry: Mapping[str, Any]) -> Dialogue:
        return _llava(where, entry, files)

    if file.suffix == ".jsonl":
        return read_json_lines(file, parse, bad)
    try:
        entries = json.loads(read_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f"{file} is not JSON ({error}); one object a line is read if the name ends in .jsonl."
        ) from None
    if not isinstance(entries, list):
        raise InputError(f"{file} holds one JSON value; expected a list of conversations.")
    return collect(file.name, ((f"entry {number}", entry) for number, entry in enumerate(entries, 1)), parse, bad)


def read_messages(file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None) -> list[Dialogue]:
    """Read JSONL of {"messages": [{"role", "content"}]}, content being text or a list of content parts.

    Parts: {"type": "text", "text"}, {"type": "image_url", "image_url": {"url"}}, and likewise "video_url" and
    "audio_url"; {"type": "input_audio", "input_audio": {"data": base64 or path}}. A URL is a path or a `data:` URL;
    nothing is fetched.

    Args:
        file: UTF-8, one object a line.
        media_folder: Where the paths start, and which they may not leave; the file's folder when not given.
        bad: Receives malformed lines, which are then no error.

    Raises:
        InputError: The file cannot be read, or lines are malformed (all are counted, the first ten named).
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, row: Mapping[str, Any]) -> Dialogue:
        rest = {key: value for key, value in row.items() if key not in ("messages", "id")}
        messages = parse_messages(row, "messages", files)
        return Dialogue(key=str(row.get("id", where)), messages=messages, attributes=rest, where=where)

    return read_json_lines(file, parse, bad)


class MediaFiles:
    """The folder that a data set's media lie in. A data set is someone else's text: it may not name files outside.

    Args:
        folder: Where paths start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def source(self, reference: str) -> str:
        """A path or `data:` URL, checked.

        Raises:
            InputError: It is remote, outside of the folder, or not there.
        """
        if reference.startswith("data:"):
            data_url_bytes(reference)
            return reference
        if "://" in reference and not reference.startswith("file://"):
            raise InputError(f"{reference[:80]!r} is remote; expected a file: download it beside the data first.")
        path = (self.folder / reference.removeprefix("file://")).resolve()
        if not path.is_relative_to(self.folder):
            raise InputError(f"{reference!r} lies outside of the media folder; name the folder that holds all media.")
        if not path.is_file():
            raise InputError(f"{reference!r} is not in the media folder {self.folder.name!r}.")
        return str(path)


def parse_messages(row: Mapping[str, Any], key: str, files: MediaFiles) -> tuple[Message, ...]:
    """The messages of a row.

    Raises:
        InputError: One of them is malformed.
    """
    messages = []
    for entry in list_field(row, key):
        message = object_entry(entry, f"an entry of {key!r}")
        role = text_field(message, "role")
        if role not in _ROLES:
            raise InputError(f"'role' is {role!r}; expected {', '.join(_ROLES)}.")
        content = message.get("content")
        if isinstance(content, str):
            parts: tuple[Part, ...] = (Text(content),)
        else:
            parts = tuple(_part(object_entry(part, "a content part"), files) for part in list_field(message, "content"))
        messages.append(Message(role, parts))
    return tuple(messages)


def _part(part: Mapping[str, Any], files: MediaFiles) -> Part:
    readers: Mapping[str, Callable[[], Part]] = {
        "text": lambda: Text(text_field(part, "text")),
        "image_url": lambda: Image(_url(part, "image_url", files)),
        "video_url": lambda: Video(_url(part, "video_url", files)),
        "audio_url": lambda: Audio(_url(part, "audio_url", files)),
        "input_audio": lambda: _input_audio(object_entry(part.get("input_audio"), "'input_audio'"), files),
    }
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in readers:
        raise InputError(f"the content part has type {kind!r}; expected {', '.join(readers)}.")
    return readers[kind]()


def _url(part: Mapping[str, Any], key: str, files: MediaFiles) -> str:
    value = part.get(key)
    return files.source(value if isinstance(value, str) else text_field(object_entry(value, f"{key!r}"), "url"))


def _input_audio(value: Mapping[str, Any], files: MediaFiles) -> Audio:
    """OpenAI sends base64; a data set on disk may name a file or a `data:` URL instead."""
    data = text_field(value, "data")
    if data.startswith("data:") or (len(data) < 1024 and "." in data):  # base64 has no full stop
        return Audio(files.source(data))
    try:
        return Audio(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise InputError(f"'data' is neither base64 ({error}) nor the path of a file.") from None


def _llava(where: str, entry: Mapping[str, Any], files: MediaFiles) -> Dialogue:
    waiting: dict[str, list[Media]] = {}
    for name, kind in _KINDS.items():
        given = entry.get(name, [])
        paths = [given] if isinstance(given, str) else given
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise InputError(f"{name!r} is neither a path nor a list of paths.")
        waiting[name] = [kind(files.source(path)) for path in paths]
    messages = []
    for value in list_field(entry, "conversations"):
        turn = object_entry(value, "a turn")
        speaker = text_field(turn, "from")
        if speaker not in _SPEAKERS:
            raise InputError(f"'from' is {speaker!r}; expected {', '.join(_SPEAKERS)}.")
        messages.append(Message(_SPEAKERS[speaker], tuple(_placed(text_field(turn, "value"), waiting))))
    left = {name: len(media) for name, media in waiting.items() if media}
    if left:
        told = ", ".join(f"{count} {name}" for name, count in left.items())
        raise InputError(f"{told} more than placeholders such as <{next(iter(left))}>; expected one for each.")
    rest = {key: value for key, value in entry.items() if key not in ("id", "conversations", *_KINDS)}
    return Dialogue(key=str(entry.get("id", where)), messages=tuple(messages), attributes=rest, where=where)


def _placed(text: str, waiting: dict[str, list[Media]]) -> list[Part]:
    """The text cut at its placeholders, each replaced by the next medium of its kind."""
    parts: list[Part] = []
    pieces = _PLACEHOLDER.split(text)
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            if piece:
                parts.append(Text(piece))
        elif waiting[piece]:
            parts.append(waiting[piece].pop(0))
        else:
            raise InputError(f"<{piece}> stands for no medium; expected as many of {piece!r} as placeholders.")
    return parts
