"""Streams of answers as responses: what is wrong with a request is a status, what goes wrong later the last event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeAlias

from starlette.requests import Request

from tutti.content import Answer, Event
from tutti.serve import logs
from tutti.serve.errors import kind_of
from tutti.serve.questions import Question
from tutti.serve.responses import unless_gone
from tutti.serve.service import Service

Events: TypeAlias = AsyncGenerator[tuple[int, Event], None]
"""Events of several choices, each with the number of its choice."""


async def begun(service: Service, question: Question, request: Request) -> Events:
    """The events of an answer, once the first of them is there.

    Raises:
        TuttiError: What is wrong with a request shows before its first event, and is then a status.
    """
    events = service.stream(question)
    try:
        first = await unless_gone(request.receive, anext(events))
    except BaseException:
        await events.aclose()
        raise
    return _chained(first, events)


async def answered(service: Service, question: Question, request: Request) -> list[Answer]:
    """The answers of all choices, whole, noted in the log record; given up when the client is gone."""
    answers = await unless_gone(request.receive, service.answers(question))
    noted(request, answers)
    return answers


async def _chained(first: tuple[int, Event], events: Events) -> Events:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


def failed(error: Exception, request: Request) -> None:
    """Log an error that came when the status had been sent."""
    request.state.record.fields["error"] = type(error).__name__
    if kind_of(error).status == 500:
        logs.log_bug(error, request=request.state.record.id)


def noted(request: Request, answers: Sequence[Answer]) -> None:
    """Add the tokens of the answers to the log record."""
    request.state.record.fields |= {
        "prompt_tokens": answers[0].usage.prompt_tokens,
        "completion_tokens": sum(answer.usage.completion_tokens for answer in answers),
    }
