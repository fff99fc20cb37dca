"""Completions of the OpenAI dialect, from before there were chats."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from tutti.serve.schemas.base import LongText, Neutral, ResponseBody
from tutti.serve.schemas.chat import UsageBody
from tutti.serve.schemas.sampling import DrawnRequest

MOST_PROMPTS = 32
"""Of one request."""


class CompletionRequest(DrawnRequest):
    """A text to answer: models here are given it as what a user says."""

    prompt: LongText | Annotated[list[LongText], Field(min_length=1, max_length=MOST_PROMPTS)]
    """A text, or up to 32 of them, which are answered one after another."""
    echo: bool | None = None
    """Put the prompt before the answer."""
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """Tell how likely each token was, and so many others in its place."""
    suffix: Annotated[Any, Neutral("")] = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _no_ids(cls, value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(one, (int, list)) for one in value):
            raise PydanticCustomError(
                "token_ids",
                "holds token ids, and those of another tokenizer would be other words here; send the text itself",
            )
        return value


class CompletionLogprobs(ResponseBody):
    """How likely the tokens of an answer were; the tokens joined are its text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(ResponseBody):
    """One answer."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None


class CompletionResponse(ResponseBody):
    """The answers: of each prompt so many as were asked for."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: UsageBody | None = None
    system_fingerprint: str | None = None
    warnings: list[str] | None = None
