"""The WebSocket around a session: events in and out, within limits, until the client goes."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import WebSocket
from fastapi.routing import APIRouter
from starlette.websockets import WebSocketDisconnect

from tutti.errors import TuttiError, UnsupportedTask
from tutti.interfaces import Embedder
from tutti.providers.registry import open_provider
from tutti.serve import logs
from tutti.serve.errors import ErrorStatus, Refusal, kind_of, message_of, respond_to
from tutti.serve.gate import SOCKET, note_refusal
from tutti.serve.realtime.items import new_id
from tutti.serve.realtime.session import RealtimeSession
from tutti.serve.realtime.settings import SessionSettings, invalid
from tutti.serve.realtime.watching import Watching
from tutti.serve.responses import ClientGone
from tutti.serve.service import Service

_FULL = ErrorStatus(429, "rate_limit_error", "too_many_sessions")
_BEHIND = ErrorStatus(503, "server_error", "behind")
_STOPPING = ErrorStatus(503, "server_error", "server_stopping")
_EXPIRED = ErrorStatus(408, "invalid_request_error", "session_expired")
_RESTART, _GOING_AWAY = 1012, 1001
"""Codes with which a socket is closed (RFC 6455, section 7.4, and IANA's registry)."""
_PICTURE = "tutti.image.append"
_LATE_S, _CAUGHT_UP_S = 5.0, 1.0
"""The client is told that what it sends waits for longer than this, and when it waits for less than that again."""


@dataclass(frozen=True, kw_only=True)
class RealtimeLimits:
    """Limits of `/v1/realtime`."""

    sessions: int = 32
    """At once."""
    sessions_a_tenant: int = 8
    waiting_bytes: int = 8 * 2**20
    """Of events that wait to be worked on; more is refused with an error event."""
    session_seconds: float = 3600.0
    """Longest session."""

    @property
    def expired(self) -> str:
        """What a client is told whose session has lasted for so long."""
        return f"The session has lasted {self.session_seconds:g} s, and none lasts longer; begin a new one."


class RealtimeRoutes:
    """The WebSocket, and how many there are.

    Args:
        service: The model and its limits.
        limits: Of sessions.
    """

    def __init__(self, service: Service, limits: RealtimeLimits | None = None) -> None:
        self.service, self.limits = service, limits or RealtimeLimits()
        self.open: Counter[str] = Counter()
        """Tenant → sessions."""
        self._connections: set[_Connection] = set()
        self._seer: Embedder | None = None
        self._lock = threading.Lock()
        service.admission.farewells.append(self._say_goodbye)

    async def _say_goodbye(self) -> None:
        """Tell all clients that the server stops."""
        await asyncio.gather(*(one.leave() for one in list(self._connections)), return_exceptions=True)

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_websocket_route(SOCKET, self.connect)

    async def connect(self, socket: WebSocket) -> None:
        """Serve one client. The gate has let it pass."""
        tenant: str = socket.state.tenant
        kind = socket.query_params.get("intent")
        settings = SessionSettings(type="transcription") if kind == "transcription" else SessionSettings()
        try:
            self.service.check_model(socket.query_params.get("model"))
            with self._counted(tenant):
                offered = socket.scope.get("subprotocols", ())
                await socket.accept("realtime" if "realtime" in offered else None)
                connection = _Connection(self, socket, tenant, settings)
                self._connections.add(connection)
                try:
                    await connection.run()
                finally:
                    self._connections.discard(connection)
        except Refusal as error:  # before it was accepted: a session reports its errors itself
            note_refusal(socket.state.record, error, self.service.metrics)
            socket.state.record.status = error.kind.status
            await socket.send_denial_response(respond_to(error, SOCKET))

    def seer(self) -> Embedder:
        """What places pictures and sounds beside words: the model if it can, else tutti-mini."""
        with self._lock:
            if self._seer is None:
                model: object = self.service.model
                model = model if isinstance(model, Embedder) else open_provider("tutti-mini")
                if not isinstance(model, Embedder):  # pragma: no cover - the checkpoint of the package does
                    raise UnsupportedTask(f"{self.service.name} does not embed.", "embed")
                self._seer = model
            return self._seer

    @contextmanager
    def _counted(self, tenant: str) -> Iterator[None]:
        if self.open.total() >= self.limits.sessions or self.open[tenant] >= self.limits.sessions_a_tenant:
            raise Refusal(
                _FULL,
                f"{self.open[tenant]} sessions are open with this key and {self.open.total()} in all; close one first.",
                cause="sessions",
                retry_after_s=5,
            )
        self.open[tenant] += 1
        try:
            yield
        finally:
            self.open[tenant] -= 1
            if not self.open[tenant]:
                del self.open[tenant]


class _Connection:
    """One client: a reader that never waits for work, so that it sees the client go, and a worker behind it."""

    def __init__(self, routes: RealtimeRoutes, socket: WebSocket, tenant: str, settings: SessionSettings) -> None:
        self._limits, self._socket = routes.limits, socket
        self._send_seconds = routes.service.admission.limits.send_seconds
        self._watching = Watching(routes.service, routes.seer, self._send, self._tell)
        self._session = RealtimeSession(routes.service, tenant, self._send, settings, self._watching)
        self._waiting: asyncio.Queue[tuple[str, int, float]] = asyncio.Queue()
        self._waiting_bytes = 0
        self._behind = self._late = False
        self._leaving = asyncio.Event()

    async def leave(self) -> None:
        """Tell the client that the server stops, and end the session."""
        sentence = "The server is stopping; connect again, here in a moment or elsewhere, and begin a new session."
        with suppress(ClientGone):
            await self._tell(Refusal(_STOPPING, sentence, cause="draining"))
        self._leaving.set()

    async def run(self) -> None:
        """Until the client goes, or its time is over."""
        leaving = asyncio.create_task(self._leaving.wait())
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._read()), asyncio.create_task(self._work()), leaving]
        done: set[asyncio.Task[Any]] = set()
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=self._limits.session_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (error := task.exception()) is not None and not isinstance(error, ClientGone):
                    logs.log_bug(error if isinstance(error, Exception) else RuntimeError(), request=self._session.id)
            if not done:
                with suppress(ClientGone):
                    await self._tell(Refusal(_EXPIRED, self._limits.expired, cause="session_seconds"))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._session.end()
            with suppress(WebSocketDisconnect, RuntimeError, OSError):
                await self._socket.close(_RESTART if leaving in done else 1000 if done else _GOING_AWAY)

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await self._tell(invalid("An event came as bytes; expected JSON text."), None)
                continue
            size = len(text)
            if 2 * self._waiting_bytes > self._limits.waiting_bytes and _is_picture(text):
                self._watching.passed_over("behind")  # pictures are dropped before words
                continue
            if self._waiting_bytes + size > self._limits.waiting_bytes:
                if not self._behind:
                    self._behind = True
                    await self._tell(
                        Refusal(
                            _BEHIND,
                            "This server is slower than what is sent; events are dropped until it has caught up.",
                            cause="overload",
                        ),
                        None,
                    )
                continue
            self._waiting_bytes += size
            self._waiting.put_nowait((text, size, time.monotonic()))

    async def _work(self) -> None:
        await self._session.begin()
        while True:
            text, size, came = await self._waiting.get()
            await self._tell_late(time.monotonic() - came)
            event_id = None
            try:
                event = _event(text)
                event_id = event.get("event_id")
                await self._session.handle(event)
            except (TuttiError, Refusal) as error:
                await self._tell(error, event_id)
            except ClientGone:
                raise
            except Exception as error:  # noqa: BLE001 - one event fails; the session goes on, and the log has the trace
                logs.log_bug(error, request=self._session.id)
                await self._tell(error, event_id)
            finally:
                self._waiting_bytes -= size
                if self._behind and self._waiting_bytes < self._limits.waiting_bytes // 2:
                    self._behind = False

    async def _tell_late(self, late_s: float) -> None:
        """Have the session hurry, and tell the client that it waits, or waits no longer."""
        self._session.late_s = late_s
        if not self._late and late_s > _LATE_S:
            self._late = True
            await self._send({"type": "tutti.behind", "seconds": round(late_s, 1)})
        elif self._late and late_s < _CAUGHT_UP_S:
            self._late = False
            await self._send({"type": "tutti.caught_up"})

    async def _tell(self, error: Exception, event_id: object = None) -> None:
        kind = kind_of(error)
        body: dict[str, Any] = {"type": kind.type, "code": kind.code, "message": message_of(error)}
        body["param"] = error.param if isinstance(error, Refusal) else None
        body["event_id"] = event_id if isinstance(event_id, str) else None
        await self._send({"type": "error", "error": body})

    async def _send(self, event: dict[str, Any]) -> None:
        text = json.dumps({"event_id": new_id("event"), **event}, ensure_ascii=False)
        try:
            await asyncio.wait_for(self._socket.send_text(text), self._send_seconds)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:  # TimeoutError is an OSError
            raise ClientGone from error


def _is_picture(text: str) -> bool:
    if _PICTURE not in text:
        return False
    with suppress(Refusal):
        return _event(text).get("type") == _PICTURE
    return False


def _event(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("An event is no JSON.", code="invalid_json") from None
    if not isinstance(event, dict):
        raise invalid("An event is no object.", code="invalid_json")
    return event
