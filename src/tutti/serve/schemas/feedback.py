"""`/v1/feedback`: a client's rating of an answer, and the response to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tutti.serve.schemas.base import RequestBody, ResponseBody


class FeedbackRequest(RequestBody):
    """A judgement of an answer that this server gave a while ago."""

    answer_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """The `id` of the response that held the answer."""
    verdict: Literal["good", "bad", "corrected", "chosen", "unjudged"]
    """What is thought of it; `corrected` takes `text`, and `chosen` takes `over`."""
    choice: int = Field(default=0, ge=0, le=127)
    """Which of the response's choices is judged, or was chosen."""
    over: int | None = Field(default=None, ge=0, le=127)
    """For `chosen`: the choice of the same response that was not chosen."""
    text: Annotated[str, StringConstraints(max_length=200_000)] | None = None
    """For `corrected`: the answer as it should have been."""
    who: Annotated[str, StringConstraints(max_length=256)] | None = None
    """Who judges, by a name of the caller's own."""
    consent: Literal["training", "measuring"] = "measuring"
    """Whether models may learn from it, or it is only counted."""
    keep_days: float | None = Field(default=None, gt=0, le=36_500)
    """Days after which it is erased; the server's own longest time where it is shorter."""


class FeedbackResponse(ResponseBody):
    """That it is kept."""

    id: str
    """By which it can be erased."""
    object: Literal["feedback"] = "feedback"
    erased_at: str
    """When it will be erased (ISO 8601)."""
