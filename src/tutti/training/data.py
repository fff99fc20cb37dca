"""Training examples as plain values, and how files of many are read: all bad lines are reported at once.

Readers: `packs` (this project's packs), `shards` (WebDataset), `conversations` (LLaVA JSON, `messages` JSONL),
`preferences` (prompt, chosen, rejected). They yield content parts; media are decoded later, by `tutti.media`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tutti.content import Message, Part
from tutti.errors import InputError
from tutti.media.text_files import read_lines

T = TypeVar("T")

MOST_SHOWN = 10
"""Bad lines that an error message names."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be learned from."""

    where: str
    """Where it stands: "line 3"."""
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Example:
    """Media that belong together, and what is said of them."""

    key: str
    """Unique in its collection."""
    media: tuple[Part, ...] = ()
    texts: tuple[str, ...] = ()
    """Each describes the media by itself."""
    label: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the collection says (split, licence, speaker, ...)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dialogue:
    """A conversation to learn from."""

    key: str
    messages: tuple[Message, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    """Where it stands in its file: "line 3"."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Preference:
    """A prompt with an answer that is preferred and one that is not."""

    key: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    where: str = ""
    """Where it stands in its file: "line 3"."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RatedAnswer:
    """A prompt with one answer, and whether that answer was good (a thumb up or down)."""

    key: str
    prompt: tuple[Message, ...]
    answer: str
    good: bool
    where: str = ""
    """Where it stands in its file: "line 3"."""


def read_json_lines(
    file: Path, parse: Callable[[str, Mapping[str, Any]], T], bad: list[BadRow] | None = None
) -> list[T]:
    """Read a JSONL file whole; empty lines are passed over.

    Args:
        file: UTF-8, one object a line.
        parse: (key, object) → example; raises InputError for an object that is not one. The key is "line N".
        bad: Receives the lines that are not what they should be, which are then no error.

    Raises:
        InputError: The file cannot be read, or lines are not what they should be: all of them are counted, the first
            ten named with their numbers.
    """
    return collect(file.name, ((f"line {number}", line) for number, line in read_lines(file)), parse, bad)


def collect(
    name: str,
    entries: Iterable[tuple[str, str | Mapping[str, Any]]],
    parse: Callable[[str, Mapping[str, Any]], T],
    bad: list[BadRow] | None = None,
) -> list[T]:
    """Parse all entries and report all that fail.

    Args:
        name: What the entries are from.
        entries: Where each stands ("line 3"), and its JSON text or object.
        parse: (where, object) → example.
        bad: Receives the entries that are not what they should be, which are then no error.

    Raises:
        InputError: Entries are not what they should be.
    """
    found: list[T] = []
    failed: list[BadRow] = []
    for where, entry in entries:
        try:
            found.append(parse(where, _object(entry)))
        except InputError as error:
            failed.append(BadRow(where, str(error)))
    if bad is not None:
        bad += failed
    elif failed:
        wrong = [f"{row.where}: {row.reason}" for row in failed]
        more = f"\n  and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        shown = "".join(f"\n  {text}" for text in wrong[:MOST_SHOWN])
        raise InputError(f"{name} has {len(wrong)} malformed entries; correct or remove them:{shown}{more}")
    return found


def text_field(row: Mapping[str, Any], key: str) -> str:
    """A field that must be text and not empty.

    Raises:
        InputError: It is not.
    """
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{key!r} is {_shown(value)}; expected text.")
    return value


def list_field(row: Mapping[str, Any], key: str) -> list[Any]:
    """A field that must be a list and not empty.

    Raises:
        InputError: It is not.
    """
    value = row.get(key)
    if not isinstance(value, list) or not value:
        raise InputError(f"{key!r} is {_shown(value)}; expected a list with something in it.")
    return value


def object_entry(value: Any, what: str) -> Mapping[str, Any]:
    """A value that must be a JSON object.

    Raises:
        InputError: It is not.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{what} is {_shown(value)}; expected an object.")
    return value


def _object(entry: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(entry, str):
        return object_entry(entry, "the entry")
    try:
        return object_entry(json.loads(entry), "the line")
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"not JSON ({error}).") from None


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
