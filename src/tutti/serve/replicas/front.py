"""The door before replicas: an ASGI application that hands each request to one of them, and again if that one dies."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tutti.errors import ProviderError
from tutti.serve import logs
from tutti.serve.errors import ErrorStatus, Refusal
from tutti.serve.metrics import CONTENT_TYPE, Metrics
from tutti.serve.replicas.delivery import BrokenStream, Delivery
from tutti.serve.replicas.processes import Replica, Replicas
from tutti.serve.replicas.routing import COMPUTING, Pins, affinity, ranked
from tutti.serve.responses import unless_gone

if TYPE_CHECKING:
    import httpx

_LOST = ErrorStatus(503, "server_error", "replica_lost")
_NO_SOCKETS = ErrorStatus(501, "invalid_request_error", "no_websockets")
_READY_S = 30.0
"""Longest wait for a replica to come back where none is ready."""
_NOTICED_S = 5.0
"""By when a replica that dropped a connection is known to be dead, if it is."""
_OF_THE_CONNECTION = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "origin", "expect"}
)


class Front:
    """The application; `Gate` stands before it.

    Args:
        replicas: Started when the server starts, and ended with it.
        metrics: Of the door.
    """

    def __init__(self, replicas: Replicas, metrics: Metrics) -> None:
        self.replicas, self.metrics = replicas, metrics
        self._pins = Pins()
        self._client: httpx.AsyncClient | None = None
        self._rolls: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's own start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        request = Request(scope, receive)
        if request.headers.get("upgrade", "").lower() == "websocket":
            raise Refusal(
                _NO_SOCKETS,
                "WebSockets are not served behind the door of --replicas; start a server without --replicas for "
                "/v1/realtime.",
                cause="route",
            )
        if request.url.path == "/health" and request.method in ("GET", "HEAD"):
            await self._health()(scope, receive, send)
        elif request.url.path == "/metrics" and request.method in ("GET", "HEAD"):
            await (await self._all_metrics(request.headers))(scope, receive, send)
        else:
            body = await request.body()
            await unless_gone(receive, self._handed_on(request, body, Delivery(send)))

    async def _handed_on(self, request: Request, body: bytes, delivery: Delivery) -> None:
        path = request.url.path
        repeats = request.method in ("GET", "HEAD", "OPTIONS") or path in COMPUTING
        pinned, key = self._pins.of(path, body), affinity(path, body)
        asked: set[Replica] = set()
        while True:
            replica = await self._chosen(key, pinned, asked)
            if replica is None:
                break
            asked.add(replica)
            replica.in_progress += 1
            try:
                if await self._exchanged(replica, request, body, delivery, asked):
                    return
            except BrokenStream:
                break
            except _transport_errors() as error:
                logs.log_event("handed_on_again", replica=replica.number, cause=type(error).__name__)
                if not repeats and not _never_arrived(error):
                    break
            finally:
                replica.in_progress -= 1
        advice = "ask again" if repeats else "it may have been done, so look before you ask again"
        message = f"The replica that was at work on this request was lost; {advice}."
        if not delivery.begun:
            raise Refusal(_LOST, message, cause="replica", retry_after_s=1)
        await delivery.broke(message)

    async def _chosen(self, key: str, pinned: int | None, asked: set[Replica]) -> Replica | None:
        """The replica to ask next; None where no other will be there soon."""
        for _ in range(2):
            ready = {number: one for number, one in self.replicas.ready().items() if one not in asked}
            if pinned in ready:
                return ready[pinned]
            if ready:
                return ready[ranked(key, list(ready))[0]]
            if not await self._another_comes(asked):
                return None
        return None

    async def _another_comes(self, asked: set[Replica]) -> bool:
        """Whether a replica that was not asked yet becomes ready; those that were asked and live are no help."""
        loop = asyncio.get_running_loop()
        end, noticed = loop.time() + _READY_S, loop.time() + _NOTICED_S
        while loop.time() < end:
            if any(one not in asked for one in self.replicas.ready().values()):
                return True
            if all(one.state == "ready" for one in self.replicas.all) and loop.time() > noticed:
                return False
            await asyncio.sleep(0.05)
        return False

    async def _exchanged(
        self, replica: Replica, request: Request, body: bytes, delivery: Delivery, asked: set[Replica]
    ) -> bool:
        """Ask a replica and deliver its reply; False where it is too busy and another one might not be."""
        assert self._client is not None  # noqa: S101 - made when the server started
        headers = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_CONNECTION]
        url = target(replica.url, request.scope)
        async with self._client.stream(request.method, url, headers=headers, content=body) as reply:
            if reply.headers.get("content-type", "").startswith("text/event-stream"):
                await delivery.stream(reply.status_code, reply.headers, self._noted(reply, request, replica))
                return True
            content = await reply.aread()
        others = any(one not in asked for one in self.replicas.ready().values())
        if others and reply.status_code == 503 and _is_overloaded(content) and not delivery.begun:
            return False
        self._pins.note(request.url.path, content, replica.number)
        await delivery.whole(reply.status_code, reply.headers, content)
        return True

    async def _noted(self, reply: httpx.Response, request: Request, replica: Replica) -> Any:
        first = True
        async for piece in reply.aiter_raw():
            if first:
                self._pins.note(request.url.path, piece, replica.number)
                first = False
            yield piece

    def _health(self) -> Response:
        states = [
            {"number": one.number, "state": one.state, "in_progress": one.in_progress} for one in self.replicas.all
        ]
        ready = len(self.replicas.ready())
        status = "ok" if ready == len(states) else "degraded" if ready else "unavailable"
        return JSONResponse({"status": status, "replicas": states}, 200 if ready else 503)

    async def _all_metrics(self, headers: Headers) -> Response:
        """The door's own and each replica's, which have the label `replica`."""
        assert self._client is not None  # noqa: S101
        texts = [("front", self.metrics.text().decode())]
        key = {"authorization": headers["authorization"]} if "authorization" in headers else {}
        for one in self.replicas.ready().values():
            try:
                reply = await self._client.get(f"{one.url}/metrics", headers=key)
                texts.append((str(one.number), reply.text))
            except _transport_errors():
                continue  # it died just now
        return Response(merged(texts), media_type=CONTENT_TYPE)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        import httpx

        await receive()
        try:
            # No proxy of the environment stands between this process and its own replicas.
            timeout = httpx.Timeout(None, connect=10.0)
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
            self._client = httpx.AsyncClient(trust_env=False, timeout=timeout, limits=limits)
            await self.replicas.start()
        except ProviderError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        loop = asyncio.get_running_loop()
        is_main = threading.current_thread() is threading.main_thread()  # others get no signals
        if is_main:
            loop.add_signal_handler(signal.SIGHUP, self.roll)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if is_main:
            loop.remove_signal_handler(signal.SIGHUP)
        await self.replicas.stop()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    def roll(self) -> None:
        """Exchange all replicas, one after another; also what SIGHUP does."""
        task = asyncio.get_running_loop().create_task(self.replicas.roll())
        self._rolls.add(task)
        task.add_done_callback(self._rolls.discard)


def target(root: str, scope: Scope) -> str:
    """The address at a replica of what a request asks for: what was escaped in its path stays a part of its path."""
    path = quote(scope["path"].lstrip("/"))  # without a slash first, a path could name another host
    return f"{root}/{path}" + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")


def _transport_errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.TransportError,)


def _never_arrived(error: Exception) -> bool:
    import httpx

    return isinstance(error, httpx.ConnectError)


def _is_overloaded(content: bytes) -> bool:
    try:
        return bool(json.loads(content)["error"]["code"] == "overloaded")
    except (ValueError, KeyError, TypeError):
        return False


def merged(texts: Iterable[tuple[str, str]]) -> str:
    """Metrics of several processes as those of one, each sample with the label `replica`.

    Args:
        texts: The label's value, and metrics in the text format of Prometheus.
    """
    families: dict[str, tuple[str, str, list[str]]] = {}
    for replica, text in texts:
        for family in text_string_to_metric_families(text):
            lines = families.setdefault(family.name, (family.type, family.documentation, []))[2]
            for sample in family.samples:
                labels = {**sample.labels, "replica": replica}
                shown = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
                lines.append(f"{sample.name}{{{shown}}} {sample.value!r}")
    out = []
    for name, (kind, what, lines) in families.items():
        typed = f"{name}_total" if kind == "counter" else name
        out += [f"# HELP {typed} {what}", f"# TYPE {typed} {kind}", *lines]
    return "\n".join(out) + "\n"
