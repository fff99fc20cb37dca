"""One tree of errors, mapped once to HTTP: every error leaves as an OpenAI error object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as FrameworkError

from tutti.errors import (
    CapacityError,
    InputError,
    ProviderError,
    RateLimited,
    TuttiError,
    Unavailable,
    UnsupportedTask,
)
from tutti.serve.schemas import PART_TYPES, ErrorBody, ErrorResponse


class ErrorStatus(NamedTuple):
    """How a class of errors looks over HTTP."""

    status: int
    type: str
    code: str | None


_KINDS: tuple[tuple[type[TuttiError], ErrorStatus], ...] = (
    (UnsupportedTask, ErrorStatus(400, "invalid_request_error", "unsupported")),
    (InputError, ErrorStatus(400, "invalid_request_error", None)),
    (CapacityError, ErrorStatus(413, "invalid_request_error", "over_limit")),
    (RateLimited, ErrorStatus(429, "rate_limit_error", "provider_rate_limited")),
    (Unavailable, ErrorStatus(503, "server_error", "provider_unavailable")),
    (ProviderError, ErrorStatus(502, "server_error", "provider_failed")),
    (TuttiError, ErrorStatus(400, "invalid_request_error", None)),
)
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
    kind: ErrorStatus, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An OpenAI error object."""
    body = body_of(kind, message, param)
    return JSONResponse(body, status_code=kind.status, headers=dict(headers or {}))


def body_of(kind: ErrorStatus, message: str, param: str | None = None) -> dict[str, Any]:
    """The error object as plain values."""
    return ErrorResponse(error=ErrorBody(message=message, type=kind.type, param=param, code=kind.code)).model_dump()


def respond_to(error: Exception) -> JSONResponse:
    """Any error over HTTP."""
    if isinstance(error, Refusal):
        return respond(error.kind, str(error), error.param, error.headers)
    headers = {"retry-after": "5"} if kind_of(error).status in (429, 503) else None
    return respond(kind_of(error), message_of(error), headers=headers)


def respond_to_http(error: FrameworkError) -> JSONResponse:
    """What the framework refuses: unknown routes, methods, bodies that are no JSON."""
    codes = {404: "not_found", 405: "method_not_allowed"}
    kind = ErrorStatus(error.status_code, "invalid_request_error", codes.get(error.status_code))
    message = {
        404: "There is no such route; GET /openapi.json lists them, and the page /docs shows them.",
        405: "This route does not accept that method; GET /openapi.json lists those that it accepts.",
    }.get(error.status_code, str(error.detail))
    return respond(kind, message, headers=error.headers)


def respond_to_validation(error: RequestValidationError) -> JSONResponse:
    """A body that does not fit the schema: the first thing wrong, and where."""
    # A union fails in each of its ways; the way that got furthest is the one that was meant.
    first = max(error.errors(), key=lambda one: (str(one.get("type")).startswith("union_tag"), len(one.get("loc", ()))))
    place = _place(first, error.body)
    return respond(ErrorStatus(400, "invalid_request_error", first.get("type")), _sentence(first, place), place or None)


def _place(first: Mapping[str, Any], body: Any) -> str:
    """Where in the body, in the form `messages[0].content[1].image_url`.

    The framework names the ways of unions between the fields; what is no field of the body is no part of the path.
    """
    text, value = "", body if isinstance(body, (Mapping, list)) else {}
    steps = first.get("loc", ())[1:]
    missing = len(steps) - 1 if first.get("type") == "missing" else None
    for place, step in enumerate(steps):
        if isinstance(value, list) and isinstance(step, int):
            text += f"[{step}]"
            value = value[step] if step < len(value) else None
        elif isinstance(value, Mapping) and (step in value or place == missing):
            text += f".{step}" if text else str(step)
            value = value.get(step)
    return text


def _sentence(first: Mapping[str, Any], place: str) -> str:
    what = first.get("type")
    where = place or "The body"
    if what == "model_attributes_type" and not place:
        return "The body is no JSON object; expected one, with the header content-type: application/json."
    context = first.get("ctx", {})
    if what in ("union_tag_invalid", "union_tag_not_found") and ".content" in f".{place}":
        found = context.get("tag")
        named = f"is of type {str(found)[:40]!r}, which is not known" if found is not None else "has no type"
        return f"{where} {named}; known are: {', '.join(PART_TYPES)}."
    if what == "extra_forbidden":
        return f"{where} is not a field that this server knows; GET /openapi.json lists the fields."
    if what == "missing":
        return f"{where} is missing; expected as in GET /openapi.json."
    message = str(first.get("msg", "is not valid"))
    return f"{where}: {message[:1].lower()}{message[1:][:300]}."
