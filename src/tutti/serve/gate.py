"""The middleware before every route: authentication, admission, the log and the counters. Denies by default."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tutti.serve import logs
from tutti.serve.access import Access, is_preflight
from tutti.serve.admission import Admission
from tutti.serve.applications import PAGE, PREFIX
from tutti.serve.errors import ErrorStatus, Refusal, kind_of, respond_to
from tutti.serve.keys import Keys, bearer_of_basic
from tutti.serve.metrics import Metrics
from tutti.serve.pages import PATHS
from tutti.serve.responses import ClientGone, bounded
from tutti.settings import DEFAULT_TENANT

PUBLIC = frozenset({"/health", "/openapi.json", *PATHS})
"""Paths that need no key, for reading only. All others do, those that do not exist among them."""
SOCKET = "/v1/realtime"
"""The only WebSocket."""
_KEY_PREFIX = "openai-insecure-api-key."
"""Begins the subprotocol by which browsers, which cannot set headers, give OpenAI's WebSockets a key."""
_NO_SOCKET = ErrorStatus(404, "invalid_request_error", "not_found")
_READING = ("GET", "HEAD", "OPTIONS")
"""Methods that ask for no work, and are not limited by rate."""
_NO_KEY = ErrorStatus(401, "invalid_request_error", "invalid_api_key")
_FOREIGN = ErrorStatus(403, "invalid_request_error", "foreign_origin")


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
        access: Which pages from elsewhere may ask, and by which names; none if not given.
    """

    def __init__(
        self, app: ASGIApp, keys: Keys, admission: Admission, metrics: Metrics, access: Access | None = None
    ) -> None:
        self._app, self._keys, self._admission, self._metrics = app, keys, admission, metrics
        self._access = access or Access()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._socket(scope, receive, send)
            return
        record = _Record(f"req-{secrets.token_hex(8)}")
        scope.setdefault("state", {})["record"] = record
        request = Request(scope)
        ids = [(name, record.id.encode()) for name in _IDS]
        told = self._access.told(request.headers.get("origin"))

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                given = message.get("headers", ())
                names = {name for name, _ in given}  # a replica behind the front has set a page's headers already
                asked = _ASKING if record.status == 401 and _is_page(scope) else ()
                message["headers"] = [*given, *ids, *(one for one in told if one[0] not in names), *_SAFE, *asked]
            await send(message)

        try:
            await self._through(request, record, receive, noted)
        finally:
            self._log(scope, record)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket through, or refuse it before it is one."""
        record = _Record(f"req-{secrets.token_hex(8)}")
        scope.setdefault("state", {})["record"] = record

        async def noted(message: Message) -> None:
            if message["type"] == "websocket.accept":
                record.status = 101
                self._metrics.request(_route(scope), 101, time.perf_counter() - record.begun)
            await send(message)

        try:
            if scope["path"] != SOCKET:
                raise Refusal(_NO_SOCKET, f"There is no WebSocket here; {SOCKET} is one.", cause="route")
            record.tenant = self._tenant(Headers(scope=scope))
            scope["state"]["tenant"] = record.tenant
            self._admission.check_rate(record.tenant)
            await self._app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 - as for requests
            self._refused(error, record)
            if record.status == 0:
                record.status = kind_of(error).status
                await deny(error, scope, receive, send)
        finally:
            logs.log_event(
                "session",
                request=record.id,
                tenant=record.tenant,
                route=_route(scope),
                status=record.status,
                ms=round(1000 * (time.perf_counter() - record.begun), 1),
                **record.fields,
            )

    async def _through(self, request: Request, record: _Record, receive: Receive, send: Send) -> None:
        scope = request.scope
        try:
            if is_preflight(request.method, request.headers):
                await self._preflight(request, record, send)
                return
            public = request.method in ("GET", "HEAD") and request.url.path in PUBLIC
            record.tenant = "public" if public else self._tenant(request.headers, is_page=_is_page(scope))
            scope["state"].update(tenant=record.tenant, keyed=bool(len(self._keys)))
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
                await respond_to(error, scope["path"])(scope, receive, send)

    async def _preflight(self, request: Request, record: _Record, send: Send) -> None:
        """Answer a browser that asks whether a page from elsewhere may ask."""
        record.tenant = "public"
        if not self._access.allows(request.headers["origin"]):
            raise Refusal(
                _FOREIGN,
                f"Pages of {request.headers['origin'][:80]} may not ask here; start the server with --allow-origin.",
                cause="origin",
            )
        await send({"type": "http.response.start", "status": 204, "headers": self._access.preflight(request.headers)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _refused(self, error: Exception, record: _Record) -> None:
        if isinstance(error, Refusal):
            note_refusal(record, error, self._metrics)
        else:
            logs.log_bug(error, request=record.id)

    def _tenant(self, headers: Headers, *, is_page: bool = False) -> str:
        if len(self._keys):
            authorization = headers.get("authorization")
            if is_page:
                authorization = bearer_of_basic(authorization)
                self._check_same_page(headers)
            tenant = self._keys.tenant(authorization, headers.get("x-api-key") or _offered_key(headers))
            if tenant is None:
                raise Refusal(_NO_KEY, "No valid key was given; send one as: Authorization: Bearer KEY.", cause="key")
            return tenant
        # A page of any site can make a browser on this machine send requests here, or resolve its own name to here.
        if not self._access.is_own(headers):
            raise Refusal(
                _FOREIGN,
                "Without keys, this server answers only requests made to localhost by programs of this machine; "
                "start it with --keys to open it further, or with --allow-host or --allow-origin for one more.",
                cause="origin",
            )
        return DEFAULT_TENANT

    @staticmethod
    def _check_same_page(headers: Mapping[str, str]) -> None:
        """Refuse what a page from elsewhere asks for: a browser adds the key that it remembers to that, too."""
        origin = headers.get("origin")
        followed = headers.get("sec-fetch-mode") == "navigate"  # a link to here shows the page, and no result
        foreign = not followed and headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        if foreign or (origin is not None and origin.rpartition("://")[2] != headers.get("host")):
            raise Refusal(
                _FOREIGN, "Pages from elsewhere may not use this one; open it by its address.", cause="origin"
            )

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


def _is_page(scope: Scope) -> bool:
    return bool(scope["path"] == PAGE or scope["path"].startswith(f"{PAGE}/"))


_ASKING = ((b"www-authenticate", b'Basic realm="Tutti: any name, and your key as the password", charset="UTF-8"'),)
"""Makes a browser ask for the key; only of the page, since programs send theirs unasked."""
_IDS = (b"x-request-id", b"request-id")
"""Where clients of OpenAI and of Anthropic look for a request's id."""
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


def _offered_key(headers: Headers) -> str | None:
    """The key among the subprotocols of a WebSocket, if there is one."""
    offered = headers.get("sec-websocket-protocol", "").split(",")
    return next((one.strip()[len(_KEY_PREFIX) :] for one in offered if one.strip().startswith(_KEY_PREFIX)), None)


async def deny(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for a WebSocket with the response of an error."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return

    async def denied(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await respond_to(error, scope["path"])({**scope, "type": "http", "method": "GET"}, receive, denied)


def note_refusal(record: _Record, error: Refusal, metrics: Metrics) -> None:
    """Count a refusal, and add its cause to the log record."""
    metrics.rejected(error.cause)
    record.fields["refused"] = error.cause


def _content_length(headers: Mapping[str, str]) -> int | None:
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return 0  # RFC 9112, section 6.3: there is no body
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
