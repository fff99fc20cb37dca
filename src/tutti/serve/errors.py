"""One tree of errors, mapped once to HTTP: every error leaves as an error object of the route's dialect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as FrameworkError

from tutti.errors import (
    CapacityError,
    ContextOverflow,
    InputError,
    ProviderError,
    RateLimited,
    TuttiError,
    Unavailable,
    UnsupportedTask,
)
from tutti.serve.schemas.errors import ErrorBody, ErrorResponse, MessagesError, MessagesErrorResponse


class ErrorStatus(NamedTuple):
    """How a class of errors looks over HTTP."""

    status: int
    type: str
    code: str | None


_KINDS: tuple[tuple[type[TuttiError], ErrorStatus], ...] = (
    (UnsupportedTask, ErrorStatus(400, "invalid_request_error", "unsupported")),
    (InputError, ErrorStatus(400, "invalid_request_error", None)),
    (ContextOverflow, ErrorStatus(400, "invalid_request_error", "context_length_exceeded")),
    (CapacityError, ErrorStatus(413, "invalid_request_error", "over_limit")),
    (RateLimited, ErrorStatus(429, "rate_limit_error", "provider_rate_limited")),
    (Unavailable, ErrorStatus(503, "server_error", "provider_unavailable")),
    (ProviderError, ErrorStatus(502, "server_error", "provider_failed")),
    (TuttiError, ErrorStatus(400, "invalid_request_error", None)),
)
MESSAGES = "/v1/messages"
"""What the routes of Anthropic's dialect begin with."""
_MESSAGES_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
"""Status → what Anthropic's dialect calls the error."""
BUG = ErrorStatus(500, "server_error", "internal_error")


class Refusal(HTTPException):
    """A request that is not worked on. Of the framework's kind, because it passes through the framework's reading.

    Args:
        kind: How it looks over HTTP.
        message: One sentence: what was found, what was expected, what to do.
        cause: One word for the counter of rejections.
        retry_after_s: When it is worth trying again, in seconds.
        param: The field at fault.
    """

    def __init__(
        self,
        kind: ErrorStatus,
        message: str,
        *,
        cause: str,
        retry_after_s: float | None = None,
        param: str | None = None,
    ) -> None:
        wait = {} if retry_after_s is None else {"retry-after": str(max(1, math.ceil(retry_after_s)))}
        super().__init__(kind.status, message, wait)
        self.kind, self.cause, self.param = kind, cause, param

    def __str__(self) -> str:
        return str(self.detail)


def kind_of(error: Exception) -> ErrorStatus:
    """How an error looks over HTTP; what is not ours is a bug."""
    if isinstance(error, Refusal):
        return error.kind
    return next((kind for family, kind in _KINDS if isinstance(error, family)), BUG)


def message_of(error: Exception) -> str:
    """The message for the client; a bug reveals nothing about the inside."""
    if kind_of(error) is BUG:
        return "The server failed over this request; this is a bug of ours, and the log has its trace."
    return str(error)


def respond(
    kind: ErrorStatus, message: str, path: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error object in the dialect of a route."""
    body = body_of(kind, message, param, path)
    return JSONResponse(body, status_code=kind.status, headers=dict(headers or {}))


def body_of(kind: ErrorStatus, message: str, param: str | None = None, path: str = "") -> dict[str, Any]:
    """The error object as plain values.

    Args:
        kind: How it looks over HTTP.
        message: One sentence.
        param: The field at fault.
        path: Of the route, which tells the dialect.
    """
    if path.startswith(MESSAGES):
        named = _MESSAGES_TYPES.get(kind.status, "invalid_request_error" if kind.status < 500 else "api_error")
        return MessagesErrorResponse(error=MessagesError(type=named, message=message)).model_dump(exclude_none=True)
    return ErrorResponse(error=ErrorBody(message=message, type=kind.type, param=param, code=kind.code)).model_dump()


def respond_to(error: Exception, path: str) -> JSONResponse:
    """Any error over HTTP, in the dialect of a route."""
    if isinstance(error, Refusal):
        return respond(error.kind, str(error), path, error.param, error.headers)
    headers = {"retry-after": "5"} if kind_of(error).status in (429, 503) else None
    return respond(kind_of(error), message_of(error), path, headers=headers)


def respond_to_http(error: FrameworkError, path: str) -> JSONResponse:
    """What the framework refuses: unknown routes, methods, bodies that are no JSON."""
    codes = {404: "not_found", 405: "method_not_allowed"}
    kind = ErrorStatus(error.status_code, "invalid_request_error", codes.get(error.status_code))
    message = {
        404: "There is no such route; GET /openapi.json lists them, and the page /docs shows them.",
        405: "This route does not accept that method; GET /openapi.json lists those that it accepts.",
    }.get(error.status_code, str(error.detail))
    return respond(kind, message, path, headers=error.headers)
