"""How errors look over HTTP, in OpenAI's dialect and in Anthropic's."""

from __future__ import annotations

from typing import Literal

from tutti.serve.schemas.base import ResponseBody


class ErrorBody(ResponseBody):
    """What went wrong, in one sentence."""

    message: str
    type: str
    param: str | None = None
    """The field at fault, by its whole path."""
    code: str | None = None


class ErrorResponse(ResponseBody):
    """An error, as every OpenAI client reads it."""

    error: ErrorBody


class MessagesError(ResponseBody):
    """What went wrong, in one sentence."""

    type: str
    message: str


class MessagesErrorResponse(ResponseBody):
    """An error, as Anthropic's clients read it."""

    type: Literal["error"] = "error"
    error: MessagesError
    request_id: str | None = None
