"""The middleware before every route: authentication, admission, the log and the counters. Denies by default."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tutti.serve import logs
from tutti.serve.admission import Admission
from tutti.serve.applications import PREFIX
from tutti.serve.errors import ErrorStatus, Refusal, respond_to
from tutti.serve.keys import Keys
from tutti.serve.metrics import Metrics
from tutti.serve.pages import PATHS
from tutti.serve.responses import ClientGone, bounded

PUBLIC = frozenset({"/health", "/openapi.json", *PATHS})
"""Paths that need no key, for reading only. All others do, those that do not exist among them."""
_READING = ("GET", "HEAD", "OPTIONS")
"""Methods that ask for no work, and are not limited by rate."""
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_NO_KEY = ErrorStatus(401, "invalid_request_error", "invalid_api_key")
_FOREIGN = ErrorStatus(403, "invalid_request_error", "foreign_origin")
LOCAL_TENANT = "local"
"""The tenant of all requests where there are no keys."""


@dataclass
class _Record:
    """What is logged about a request."""

    id: str
    begun: float = field(default_factory=time.perf_counter)
    status: int = 0
    tenant: str | None = None
    fields: dict[str, object] = field(default_factory=dict)


class Gate:
    """ASGI middleware around all routes.

    Args:
        app: The routes.
        keys: Of tenants. Without any, programs on this machine are served, but no web pages from elsewhere.
        admission: Whether there is room.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, keys: Keys, admission: Admission, metrics: Metrics) -> None:
        self._app, self._keys, self._admission, self._metrics = app, keys, admission, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        record = _Record(f"req-{secrets.token_hex(8)}")
        scope.setdefault("state", {})["record"] = record

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", record.id.encode()), *_SAFE]
            await send(message)

        try:
            await self._through(Request(scope), record, receive, noted)
        finally:
            self._log(scope, record)

    async def _through(self, request: Request, record: _Record, receive: Receive, send: Send) -> None:
        scope = request.scope
        try:
            public = request.method in ("GET", "HEAD") and request.url.path in PUBLIC
            record.tenant = "public" if public else self._tenant(request)
            scope["state"]["tenant"] = record.tenant
            if request.method not in _READING:
                self._admission.check_rate(record.tenant)
            with self._admission.body(_content_length(request.headers)):
                await self._app(scope, bounded(receive, self._admission), send)
        except ClientGone:
            record.status = record.status or 499
            record.fields["gone"] = True
        except Exception as error:  # noqa: BLE001 - the outermost frame of a request: every error is answered and logged
            self._refused(error, record)
            if record.status == 0:
                await respond_to(error)(scope, receive, send)

    def _refused(self, error: Exception, record: _Record) -> None:
        if isinstance(error, Refusal):
            note_refusal(record, error, self._metrics)
        else:
            logs.log_bug(error, request=record.id)

    def _tenant(self, request: Request) -> str:
        if len(self._keys):
            tenant = self._keys.tenant(request.headers.get("authorization"))
            if tenant is None:
                raise Refusal(_NO_KEY, "No valid key was given; send one as: Authorization: Bearer KEY.", cause="key")
            return tenant
        # A page of any site can make a browser on this machine send requests here, or resolve its own name to here.
        host = request.headers.get("host", "").rsplit(":", 1)[0] if request.headers.get("host") else ""
        host = request.headers.get("host", "") if host.startswith("[") and not host.endswith("]") else host
        origin = request.headers.get("origin")
        if host not in _OWN_NAMES or (origin is not None and origin.rpartition("://")[2] != request.headers["host"]):
            raise Refusal(
                _FOREIGN,
                "Without keys, this server answers only requests made to localhost by programs of this machine; "
                "start it with --keys to open it further.",
                cause="origin",
            )
        return LOCAL_TENANT

    def _log(self, scope: Scope, record: _Record) -> None:
        seconds = time.perf_counter() - record.begun
        route = _route(scope)
        self._metrics.request(route, record.status, seconds)
        logs.log_event(
            "request",
            request=record.id,
            tenant=record.tenant,
            method=scope["method"] if scope["method"].isalpha() else "other",
            route=route,
            status=record.status,
            ms=round(1000 * seconds, 1),
            **record.fields,
        )


def _route(scope: Scope) -> str:
    """The route that matched, with the prefix of its application; never more names than there are routes."""
    route: str = getattr(scope.get("route"), "path", "other")
    if not scope["path"].startswith(f"{PREFIX}/") or route == "other" or route.startswith(f"{PREFIX}/"):
        return route
    return f"{PREFIX}/{scope['path'].split('/')[2]}{route}"


_SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


def note_refusal(record: _Record, error: Refusal, metrics: Metrics) -> None:
    """Count a refusal, and add its cause to the log record."""
    metrics.rejected(error.cause)
    record.fields["refused"] = error.cause


def _content_length(headers: Mapping[str, str]) -> int | None:
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return 0  # RFC 9112, section 6.3: there is no body
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
