"""Streamed responses: server-sent events, and detection of clients that have disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from tutti.serve.admission import Admission

Line: TypeAlias = str | tuple[str, str]
"""The data of an event, or its name and its data."""
T = TypeVar("T")


class ClientGone(Exception):
    """The client has closed its connection, or no longer reads the response."""


class EventStream(Response):
    """Server-sent events (the `text/event-stream` of the HTML standard), each of one line of data, some with a name.

    Ends early, and closes its source, when the client goes or reads nothing for `send_seconds`. Not `sse-starlette`:
    that ends every stream when the server stops, and here admitted requests are finished.

    Args:
        lines: The data of each event.
        send_seconds: Longest that a client may take to read an event.
    """

    media_type = "text/event-stream"

    def __init__(self, lines: AsyncIterator[Line], send_seconds: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._lines, self._send_seconds = lines, send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, unless the client goes."""

        async def written(message: Message) -> None:
            await asyncio.wait_for(send(message), self._send_seconds)

        async def all_lines() -> None:
            await written({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for line in self._lines:
                name, data = ("", line) if isinstance(line, str) else (f"event: {line[0]}\n", line[1])
                event = f"{name}data: {data}\n\n".encode()
                await written({"type": "http.response.body", "body": event, "more_body": True})
            await written({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            await unless_gone(receive, all_lines())
        except (TimeoutError, OSError) as error:
            raise ClientGone from error
        finally:
            close = getattr(self._lines, "aclose", None)
            if close is not None:
                await close()


async def unless_gone(receive: Callable[[], Awaitable[Message]], work: Awaitable[T]) -> T:
    """Wait for work as long as the client does.

    Raises:
        ClientGone: It has closed its connection; the work is cancelled.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[Message]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def bounded(receive: Receive, admission: Admission) -> Receive:
    """A body that must arrive within its size and its time; what comes after it, such as a disconnect, may take longer.

    Args:
        receive: Of the request (ASGI 3). The one returned raises a `Refusal` where the body is too large (413) or too
            slow (408).
        admission: Knows the limits.
    """
    from tutti.serve.errors import ErrorStatus, Refusal

    limits = admission.limits
    deadline: float | None = None
    size, whole = 0, False

    async def received() -> Message:
        nonlocal deadline, size, whole
        if whole:
            return await receive()
        deadline = deadline or asyncio.get_running_loop().time() + limits.body_seconds
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Refusal(
                ErrorStatus(408, "invalid_request_error", "request_timeout"),
                f"The body did not arrive within {limits.body_seconds:g} s; send it faster.",
                cause="slow",
            ) from None
        size += len(message.get("body", b""))
        admission.check_size(size)
        whole = not message.get("more_body", False)
        return message

    return received
