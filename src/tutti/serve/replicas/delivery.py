"""A reply on its way to the client: whole replies are held until they are whole, streams go on where they broke off.

An answer is drawn with a seed, and is the same from every replica. So when a replica dies in the middle of a stream,
another one makes the answer again, and the client is sent what it has not had yet.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.types import Send

_DROPPED = frozenset(
    "connection keep-alive transfer-encoding content-length x-request-id x-content-type-options referrer-policy date "
    "server".split()
)
"""Of a connection, or set by the door itself."""


class BrokenStream(Exception):
    """A stream ended early, and cannot go on from another replica."""


class Delivery:
    """What a client has been sent of one reply.

    Args:
        send: To the client (ASGI 3).
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self._text = ""
        """Of the answer, as far as it was sent."""
        self._id: str | None = None
        self._ended = False
        """Whether the client knows why the answer ended."""
        self._goes_on = True
        """Whether all that was sent is text of one answer, so that another replica can go on with it."""

    async def whole(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Send a reply that has arrived as a whole."""
        await self._start(status, headers, len(content))
        await self._send({"type": "http.response.body", "body": content})

    async def stream(self, status: int, headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> None:
        """Pass a stream of events on, without what was sent before.

        Raises:
            BrokenStream: It cannot go on where it broke off.
        """
        if self.begun and not self._goes_on:
            raise BrokenStream
        again = _Again(self._text) if self.begun else None
        if again is None:
            await self._start(status, headers, None)
        async for event in _events(pieces):
            rest = event if again is None else self._unsent(again, event)
            if rest is not None:
                await self._pass_on(rest)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def broke(self, message: str) -> None:
        """Tell a client in the middle of a stream that it will not get the rest."""
        error = {"error": {"message": message, "type": "server_error", "param": None, "code": "replica_lost"}}
        await self._send({"type": "http.response.body", "body": f"data: {json.dumps(error)}\n\n".encode()})

    async def _start(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        self.begun = True
        kept = [(name.encode(), value.encode()) for name, value in headers.items() if name.lower() not in _DROPPED]
        if length is not None:
            kept.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": kept})

    async def _pass_on(self, event: bytes) -> None:
        chunk, text = _chunk_of(event)
        if event.strip() != b"data: [DONE]":
            self._goes_on = self._goes_on and chunk is not None and not _more_than_text(chunk)
        if chunk is not None:
            self._id = self._id or str(chunk.get("id"))
        self._text += text or ""
        self._ended = self._ended or _ends(chunk)
        await self._send({"type": "http.response.body", "body": event + b"\n\n", "more_body": True})

    def _unsent(self, again: _Again, event: bytes) -> bytes | None:
        """What the client has not had of an event of the answer that is made again; None if it had all of it."""
        chunk, text = _chunk_of(event)
        if chunk is None:
            return event  # the end of the stream
        if any("role" in delta and not text for delta in _deltas(chunk)) or (_ends(chunk) and self._ended):
            return None
        if text is not None:
            text = again.beyond(text)
            if not text and not _ends(chunk):
                return None
            chunk["choices"][0]["delta"]["content"] = text
        chunk["id"] = self._id
        return f"data: {json.dumps(chunk, ensure_ascii=False)}".encode()


class _Again:
    """An answer that is made again.

    Args:
        sent: Its text as far as the client has it.
    """

    def __init__(self, sent: str) -> None:
        self._sent, self._made = sent, ""

    def beyond(self, text: str) -> str:
        """The part of the next piece that the client does not have.

        Raises:
            BrokenStream: It is another answer.
        """
        had = max(0, min(len(text), len(self._sent) - len(self._made)))
        self._made += text
        if not self._sent.startswith(self._made[: len(self._sent)]):
            raise BrokenStream
        return text[had:]


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Events of a stream, each whole.

    Raises:
        BrokenStream: The stream ends in the middle of one.
    """
    waiting = b""
    async for piece in pieces:
        *events, waiting = (waiting + piece).split(b"\n\n")
        for event in events:
            yield event
    if waiting:
        raise BrokenStream


def _chunk_of(event: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """A chunk of a chat completion and its text; None where the event is none, or has none."""
    try:
        value = json.loads(event.removeprefix(b"data: "))
    except ValueError:
        return None, None
    if not isinstance(value, dict) or value.get("object") != "chat.completion.chunk":
        return None, None
    texts = [delta["content"] for delta in _deltas(value) if isinstance(delta.get("content"), str)]
    return value, "".join(texts) if texts else None


def _deltas(chunk: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for choice in chunk.get("choices", ()):
        yield choice.get("delta", {})


def _more_than_text(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk has what a second stream cannot be aligned by: other choices, calls, log probabilities."""
    choices = chunk.get("choices", ())
    return any(choice.get("index", 0) != 0 or choice.get("logprobs") for choice in choices) or any(
        delta.get("tool_calls") for delta in _deltas(chunk)
    )


def _ends(chunk: Mapping[str, Any] | None) -> bool:
    return chunk is not None and any(choice.get("finish_reason") for choice in chunk.get("choices", ()))
