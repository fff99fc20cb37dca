"""`/v1/completions`: OpenAI's dialect from before there were chats. A prompt is what a user says."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tutti.content import Answer, Finished, Message, SamplingOptions, TextDelta, TokenLogprob, Usage
from tutti.errors import InputError
from tutti.serve.dialects.shared import drawn, usage_of, warnings_of
from tutti.serve.errors import body_of, kind_of, message_of
from tutti.serve.questions import Question
from tutti.serve.responses import EventStream, unless_gone
from tutti.serve.schemas import completions as schemas
from tutti.serve.service import Service
from tutti.serve.streaming import Events, begun, failed, noted

_MOST_TOKENS = 16
"""Of an answer, where the request names no number: OpenAI's default."""


class CompletionRoutes:
    """The route of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        response = schemas.CompletionResponse
        router.add_api_route("/v1/completions", self.complete, methods=["POST"], response_model=response)

    async def complete(self, body: schemas.CompletionRequest, request: Request) -> Response:
        """Answer a text, whole or as a stream of events."""
        service = self.service
        service.check_model(body.model)
        options = options_of(body, request.state.tenant)
        prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
        questions = [service.prepared(_question(prompt, options, body)) for prompt in prompts]
        shared: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": service.name,
        }
        if body.stream:
            if len(prompts) > 1:
                raise InputError("prompt is a list of several texts with stream; send one text, or no stream.")
            events = await begun(service, questions[0], request)
            lines = _lines(events, shared, body, request)
            return EventStream(lines, service.admission.limits.send_seconds)
        answers: list[Answer] = []
        usages: list[Usage] = []
        for question in questions:
            found = await unless_gone(request.receive, service.answers(question))
            answers += found
            usages.append(replace(found[0].usage, completion_tokens=sum(one.usage.completion_tokens for one in found)))
        noted(request, answers)
        choices = [
            _choice(place, answer, prompts[place // (body.n or 1)], body) for place, answer in enumerate(answers)
        ]
        told = warnings_of((), answers)
        whole = schemas.CompletionResponse(**shared, choices=choices, usage=usage_of([_together(usages)]))
        return JSONResponse(whole.model_dump(exclude={"warnings"}) | ({"warnings": told} if told else {}))


def options_of(body: schemas.CompletionRequest, tenant: str) -> SamplingOptions:
    """How the answer is to be drawn.

    Raises:
        InputError: The options contradict one another.
    """
    if body.echo and body.logprobs is not None:
        raise InputError("echo is given with logprobs; those of the prompt's tokens are not known here: leave one out.")
    return replace(drawn(body, tenant, _MOST_TOKENS), logprobs=body.logprobs)


def _question(prompt: str, options: SamplingOptions, body: schemas.CompletionRequest) -> Question:
    return Question(lambda: [Message.user(prompt)], options, body.model, body.n or 1)


def _together(usages: Sequence[Usage]) -> Usage:
    return Usage(
        prompt_tokens=sum(one.prompt_tokens for one in usages),
        completion_tokens=sum(one.completion_tokens for one in usages),
        cached_tokens=sum(one.cached_tokens for one in usages),
    )


def _choice(index: int, answer: Answer, prompt: str, body: schemas.CompletionRequest) -> schemas.CompletionChoice:
    return schemas.CompletionChoice(
        index=index,
        text=prompt + answer.text if body.echo else answer.text,
        logprobs=None if body.logprobs is None else logprobs_of(answer.logprobs),
        finish_reason=_reason(answer),
    )


def _reason(answer: Answer) -> Literal["stop", "length"]:
    return "stop" if answer.finish_reason == "stop" else "length"


def logprobs_of(logprobs: Sequence[TokenLogprob], offset: int = 0) -> schemas.CompletionLogprobs:
    """How likely tokens were.

    Args:
        logprobs: In order.
        offset: Where the first begins in the answer, in characters.
    """
    places = [offset]
    for one in logprobs:
        places.append(places[-1] + len(one.token))
    return schemas.CompletionLogprobs(
        tokens=[one.token for one in logprobs],
        token_logprobs=[one.logprob for one in logprobs],
        top_logprobs=[dict(one.top) for one in logprobs],
        text_offset=places[:-1],
    )


async def _lines(
    events: Events, shared: dict[str, Any], body: schemas.CompletionRequest, request: Request
) -> AsyncGenerator[str, None]:
    answers: list[Answer] = []
    said = [0] * (body.n or 1)

    def chunk(choice: schemas.CompletionChoice) -> str:
        return schemas.CompletionResponse(**shared, choices=[choice]).model_dump_json(exclude={"warnings"})

    try:
        async with aclosing(events):
            if body.echo and isinstance(body.prompt, str):
                for index in range(body.n or 1):
                    yield chunk(schemas.CompletionChoice(index=index, text=body.prompt))
            async for index, event in events:
                if isinstance(event, Finished):
                    answers.append(event.answer)
                    yield chunk(schemas.CompletionChoice(index=index, text="", finish_reason=_reason(event.answer)))
                elif isinstance(event, TextDelta):
                    told = None if body.logprobs is None else logprobs_of(event.logprobs, said[index])
                    said[index] += len(event.text)
                    yield chunk(schemas.CompletionChoice(index=index, text=event.text, logprobs=told))
    except Exception as error:  # noqa: BLE001 - the status is sent already
        failed(error, request)
        yield json.dumps(body_of(kind_of(error), message_of(error)))
        return
    noted(request, answers)
    if body.stream_options is not None and body.stream_options.include_usage:
        usage = usage_of([one.usage for one in answers])
        yield schemas.CompletionResponse(**shared, choices=[], usage=usage).model_dump_json(exclude={"warnings"})
    yield "[DONE]"
