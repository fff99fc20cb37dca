"""From options to a server that runs until a signal stops it, and then finishes the requests it admitted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from tutti.errors import InputError
from tutti.interfaces import Embedder, Responder, Transcriber
from tutti.serve.access import Access
from tutti.serve.admission import Admission, ServerLimits
from tutti.serve.app import create_app
from tutti.serve.applications import Application, MountedPage
from tutti.serve.feedback import FeedbackDesk
from tutti.serve.keys import Keys
from tutti.serve.media_parts import MediaOpener
from tutti.serve.service import Service
from tutti.serve.telemetry import Telemetry
from tutti.serve.tls import TlsFiles, listening

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HEAD_SECONDS = 10.0
"""Longest that a request's head may take to arrive, from the connection's beginning or the last answer's end."""
_FAREWELL_S = 1.0
"""How long clients that are connected for long are told that the server stops."""

_MESSAGE_BYTES = 4 * 2**20
"""Largest message of a WebSocket."""


@dataclass(frozen=True, kw_only=True)
class ListenOptions:
    """Where a server listens, and how it ends."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 chooses a free one."""
    drain_seconds: float = 30.0
    """Longest that a stopping server waits for admitted requests."""
    tls: TlsFiles | None = None
    """Certificate files; None listens without TLS."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What a server offers besides its model, and to whom."""

    applications: Sequence[Application] = ()
    """More routes."""
    access: Access = field(default_factory=Access)
    """Which browser pages from elsewhere may ask."""
    ignore_tools: bool = False
    """Leave tools out of requests, with a warning in the answer."""
    aliases: Sequence[str] = ()
    """Other names by which clients may call the model."""
    feedback: FeedbackDesk | None = None
    """Keeps what is thought of answers; None keeps nothing."""
    page: MountedPage | None = None
    """A page for people."""


class _Protocol(H11Protocol):
    """HTTP/1.1 with a time limit for a request's head and for the rest of a refused body."""

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Stop the timer once a head is complete; incomplete heads do not extend it."""
        super().data_received(data)
        if self._under_way():
            self._deadline.cancel()

    def on_response_complete(self) -> None:
        """Restart the timer, unless the next request has arrived already."""
        super().on_response_complete()
        self._deadline.cancel()
        if not self._under_way():
            self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Stop the timer: the WebSocket has limits of its own."""
        self._deadline.cancel()
        super().handle_websocket_upgrade(event)

    def _under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class Draining(Protocol):
    """What a server calls when it is stopping."""

    @property
    def admission(self) -> Admission:
        """What refuses new requests then."""
        ...


class Server(uvicorn.Server):
    """A server that refuses new requests as soon as it is stopping."""

    def __init__(self, config: uvicorn.Config, service: Draining) -> None:
        super().__init__(config)
        self.service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish admitted requests."""
        self.service.admission.draining = True
        told = [asyncio.ensure_future(farewell()) for farewell in self.service.admission.farewells]
        if told:
            await asyncio.wait(told, timeout=_FAREWELL_S)
        await super().shutdown(sockets)

    @property
    def url(self) -> str:
        """Where it listens, once it does."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        scheme = "https" if self.config.is_ssl else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def make_server(
    model: Responder | Embedder | Transcriber,
    name: str,
    listen: ListenOptions,
    keys: Keys,
    limits: ServerLimits,
    opener: MediaOpener,
    telemetry: Telemetry | None = None,
    offer: ServerOptions | None = None,
) -> Server:
    """A server, ready to run.

    Args:
        model: What computes.
        name: What clients call it.
        listen: Where it listens.
        keys: Who may ask.
        limits: What is admitted.
        opener: Opens media.
        telemetry: Makes spans; none if not given.
        offer: What else it offers, and to whom; nothing if not given.

    Raises:
        InputError: It would be open to others without a key.
    """
    check_exposure(listen, keys)
    offer = offer or ServerOptions()
    offer.access.check(bool(len(keys)))
    service = Service(model, name, limits, opener, telemetry, ignore_tools=offer.ignore_tools, aliases=offer.aliases)
    service.feedback = offer.feedback
    app = create_app(service, keys, offer.applications, offer.access, offer.page)
    return Server(config_of(app, listen, sockets=True), service)


def config_of(app: ASGIApp, listen: ListenOptions, *, sockets: bool = False) -> uvicorn.Config:
    """How an application is served; without WebSockets, unless it has some."""
    return uvicorn.Config(
        app,
        host=listen.host,
        port=listen.port,
        http=_Protocol,
        ws="websockets-sansio" if sockets else "none",
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(listen.drain_seconds)),
        **listening(listen.tls),
    )


def check_exposure(listen: ListenOptions, keys: Keys) -> None:
    """Refuse to be open to others without a key.

    Raises:
        InputError: The host is another than this machine's own, and there are no keys.
    """
    if listen.host not in _LOOPBACK and not len(keys):
        raise InputError(
            f"The host {listen.host} can be reached by others, and there are no keys; give --keys FILE "
            "(`tutti serve --new-key TENANT` prints a line for it), or leave --host away."
        )


def run_announced(server: Server, ready: Callable[[str], None]) -> bool:
    """Run until a signal arrives, then finish admitted requests.

    Args:
        server: From `make_server`.
        ready: Called with the server's address once it listens.

    Returns:
        Whether it could listen at all.
    """

    async def serve() -> None:
        running = asyncio.create_task(server.serve())
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready(server.url)
        await running

    # Objects that live as long as the server (the model, the libraries) are frozen: with so many of them, the garbage
    # collector would run too rarely for the few that requests leave in cycles, bodies among them.
    gc.collect()
    gc.freeze()
    # uvicorn exits if it cannot listen, and raises the signal that stopped it again. SIGTERM is handled like Ctrl-C, so
    # that the caller can still end workers and send the last spans.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        asyncio.run(serve())
    return server.started
