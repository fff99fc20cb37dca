"""Which replica a request goes to: the one that has its conversation and its media in memory.

Rendezvous hashing (Thaler and Ravishankar 1998): every replica has a score for a key, and the highest that lives is
asked, so that the loss of one moves its keys only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

_MEDIA_FIELDS = frozenset({"image_url", "audio_url", "video_url", "input_audio", "input_video", "file", "source"})
_ADDRESS_FIELDS = ("url", "data", "file_data")
_RESPONSE_ID = re.compile(r'"(?:id|response_id)"\s*:\s*"(resp_[\w-]{1,100})"')
_MOST_PINS = 100_000
COMPUTING = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/responses",
    "/v1/models",
)
"""Routes that change nothing that is kept: their requests may be sent again after a replica died."""


def affinity(path: str, body: bytes) -> str:
    """What a request shares with others that one replica should answer: its first medium, otherwise its beginning.

    Conversations begin alike at every turn, so all their turns have one key.
    """
    if path.startswith("/apps/"):
        return "/".join(path.split("/")[:3])  # an application keeps its state in one place
    try:
        values = json.loads(body)
    except ValueError:  # a form, or what is no request at all
        return hashlib.sha256(body).hexdigest()
    if not isinstance(values, dict):
        return ""
    said = values.get("messages", values.get("input", values.get("prompt")))
    shared = next(_media(said), None) or _beginning(said)
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def _media(value: Any) -> Iterator[str]:
    """Addresses and contents of media, in order."""
    if isinstance(value, list):
        for item in value:
            yield from _media(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _MEDIA_FIELDS:
                values = [item.get(key) for key in _ADDRESS_FIELDS] if isinstance(item, dict) else [item]
                yield from (one for one in values if isinstance(one, str))
            elif name in ("content", "messages"):
                yield from _media(item)


def _beginning(said: Any) -> Any:
    """The first turn of a user, or the first input."""
    if not isinstance(said, list):
        return said
    users = (item for item in said if isinstance(item, dict) and item.get("role") == "user")
    return next(users, said[0] if said else None)


def ranked(key: str, numbers: Sequence[int]) -> list[int]:
    """Replicas in the order in which they are asked for a key."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{key}\0{number}".encode()).digest(), reverse=True)


class Pins:
    """Which replica keeps the state of a response (`/v1/responses`); the oldest are forgotten first."""

    def __init__(self, most: int = _MOST_PINS) -> None:
        self._pins: OrderedDict[str, int] = OrderedDict()
        self._most = most

    def note(self, path: str, content: bytes, number: int) -> None:
        """Remember the response that a reply begins with, if it does."""
        if path == "/v1/responses" and (found := _RESPONSE_ID.search(content[:4096].decode("latin-1"))):
            self._pins[found[1]] = number
            while len(self._pins) > self._most:
                self._pins.popitem(last=False)

    def of(self, path: str, body: bytes) -> int | None:
        """The replica that a request needs; None where any will do."""
        if path.startswith("/v1/responses/"):
            return self._pins.get(path.split("/")[3])
        if path != "/v1/responses" or b"previous_response_id" not in body:
            return None
        try:
            values = json.loads(body)
        except ValueError:
            return None
        return self._pins.get(str(values.get("previous_response_id"))) if isinstance(values, dict) else None
