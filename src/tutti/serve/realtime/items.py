"""The conversation of a session: items as clients see them, and the turns that a model is given."""

from __future__ import annotations

import base64
import binascii
import io
import secrets
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tutti.content import Message, Part, Role, Text
from tutti.serve.media_parts import MediaOpener
from tutti.serve.realtime.settings import invalid

MOST_ITEMS = 500
MOST_LETTERS = 8 * 2**20
"""Of all items together, encoded media included."""
Hears = Callable[[bytes], str]
"""Writes down a recording."""


@dataclass(frozen=True)
class RealtimeItem:
    """One turn."""

    body: dict[str, Any]
    """As it is shown; media are left out."""
    parts: tuple[Part, ...]
    size: int
    beside: bool = False
    """Whether its picture was shown beside what is said; a model is given the newest such picture alone."""

    @property
    def id(self) -> str:
        """Of the client, or made here."""
        return str(self.body["id"])

    def message(self, *, pictures: bool = True) -> Message:
        """The turn for a model, or its words alone."""
        role: Role = self.body["role"]
        return Message(role, self.parts if pictures else tuple(part for part in self.parts if isinstance(part, Text)))


class Items:
    """In order."""

    def __init__(self) -> None:
        self._items: list[RealtimeItem] = []

    def add(self, item: RealtimeItem, after: object = None) -> str | None:
        """Take an item, at the end or behind another one; the id of the one before.

        Raises:
            Refusal: 400.
        """
        if len(self._items) >= MOST_ITEMS or sum(one.size for one in self._items) + item.size > MOST_LETTERS:
            raise invalid(
                f"The conversation is full, with {MOST_ITEMS} items or {MOST_LETTERS:,} bytes; delete items, or begin "
                "another session.",
                code="conversation_full",
            )
        if any(one.id == item.id for one in self._items):
            raise invalid(f"There is an item {item.id[:80]!r} already.", "item.id")
        place = len(self._items) if after is None else 0 if after == "root" else self._place(after) + 1
        self._items.insert(place, item)
        return self._items[place - 1].id if place else None

    def last_id(self) -> str | None:
        """Of the last item."""
        return self._items[-1].id if self._items else None

    def get(self, identity: object) -> RealtimeItem:
        """One item.

        Raises:
            Refusal: 400.
        """
        return self._items[self._place(identity)]

    def delete(self, identity: object) -> None:
        """Leave one out. Errors as for `get`."""
        del self._items[self._place(identity)]

    def turns(self) -> list[Message]:
        """All that say something."""
        newest = next((item for item in reversed(self._items) if item.beside), None)
        return [item.message(pictures=not item.beside or item is newest) for item in self._items if item.parts]

    def _place(self, identity: object) -> int:
        for place, item in enumerate(self._items):
            if item.id == identity:
                return place
        raise invalid(f"There is no item {str(identity)[:80]!r} in this conversation.", "item_id", "item_not_found")


def new_id(kind: str) -> str:
    """An id that nobody guesses."""
    return f"{kind}_{secrets.token_hex(10)}"


def message_item(
    role: str, content: list[dict[str, Any]], parts: tuple[Part, ...], identity: str | None = None, size: int = 0
) -> RealtimeItem:
    """An item of a message."""
    body = {
        "id": identity or new_id("item"),
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": role,
        "content": content,
    }
    return RealtimeItem(body, parts, size or sum(len(part.text) for part in parts if isinstance(part, Text)))


def item_of(values: object, opener: MediaOpener, hears: Hears, rate_hz: int) -> RealtimeItem:
    """What a client gives as an item. It may take a while: recordings in it are written down.

    Raises:
        Refusal: 400.
        TuttiError: A medium cannot be used.
    """
    if not isinstance(values, dict):
        raise invalid("item is no object; expected a message.", "item")
    if values.get("type") != "message":
        raise invalid("item.type is not 'message'; this server takes messages, and no calls of tools.", "item.type")
    role, identity = values.get("role"), values.get("id")
    if role not in ("user", "assistant", "system"):
        raise invalid("item.role is none of 'user', 'assistant' and 'system'.", "item.role")
    if identity is not None and not (isinstance(identity, str) and 0 < len(identity) <= 200):
        raise invalid("item.id is no text of up to 200 characters.", "item.id")
    given = values.get("content")
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise invalid("item.content is no list of parts.", "item.content")
    content: list[dict[str, Any]] = []
    parts: list[Part] = []
    size = 0
    for place, one in enumerate(given):
        shown, part, letters = _part(one, f"item.content.{place}", opener, hears, rate_hz)
        content.append(shown)
        size += letters
        if part is not None:
            parts.append(part)
    return message_item(str(role), content, tuple(parts), identity, size)


def _part(
    one: dict[str, Any], where: str, opener: MediaOpener, hears: Hears, rate_hz: int
) -> tuple[dict[str, Any], Part | None, int]:
    kind = one.get("type")
    if kind in ("input_text", "output_text", "text"):
        text = _text(one, "text", where)
        return {"type": kind, "text": text}, Text(text), len(text)
    if kind == "input_image":
        address = _text(one, "image_url", where)
        picture = opener.open(address, "image")
        opener.cost([picture])  # what is no picture is refused now, and not with the answer
        return {"type": kind}, picture, len(address)
    if kind == "input_audio":
        encoded = _text(one, "audio", where)
        said = hears(as_wav(decoded(encoded, f"{where}.audio"), rate_hz))
        return {"type": kind, "transcript": said}, Text(said) if said else None, len(said)
    raise invalid(f"{where}.type is none of 'input_text', 'input_image', 'input_audio' and 'output_text'.", where)


def _text(one: dict[str, Any], name: str, where: str) -> str:
    text = one.get(name)
    if not isinstance(text, str) or not text:
        raise invalid(f"{where}.{name} is missing, or no text.", f"{where}.{name}")
    return text


def decoded(encoded: object, where: str) -> bytes:
    """Samples of 16 bits from base64.

    Raises:
        Refusal: 400.
    """
    try:
        samples = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else b"?"
    except (binascii.Error, ValueError):
        samples = b"?"
    if len(samples) % 2:
        raise invalid(f"{where} is not base64 of whole samples of 16 bits.", where)
    return samples


def as_wav(samples: bytes, rate_hz: int) -> bytes:
    """Samples of 16 bits as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(samples)
    return file.getvalue()
