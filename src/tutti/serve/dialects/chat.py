"""`/v1/chat/completions`: OpenAI's chat dialect, between requests and Tutti's own values."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tutti.content import Answer, Finished, Message, SamplingOptions, Text, TextDelta, ToolCall, ToolCallDelta
from tutti.errors import InputError
from tutti.serve.dialects.shared import (
    Open,
    calls_of,
    choice_of,
    drawn,
    finish_word,
    logprobs_of,
    parts_of,
    tools_of,
    usage_of,
    warnings_of,
)
from tutti.serve.errors import body_of, kind_of, message_of
from tutti.serve.questions import Question
from tutti.serve.responses import EventStream
from tutti.serve.schemas import chat
from tutti.serve.service import Service
from tutti.serve.streaming import Events, answered, begun, failed, noted


class ChatRoutes:
    """The route of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route("/v1/chat/completions", self.chat, methods=["POST"], response_model=chat.ChatResponse)

    async def chat(self, body: chat.ChatRequest, request: Request) -> Response:
        """Answer a conversation, whole or as a stream of events."""
        service = self.service
        service.check_model(body.model)
        options = options_of(body, request.state.tenant)
        question = service.prepared(question_of(body, options, service.opener.open))
        envelope = Envelope(service.called(body.model), question.warnings)
        question = replace(question, answer_id=envelope.id)
        if not body.stream:
            return JSONResponse(envelope.whole(await answered(service, question, request), options))
        events = await begun(service, question, request)
        return EventStream(_lines(events, envelope, body, request), service.admission.limits.send_seconds)


def question_of(body: chat.ChatRequest, options: SamplingOptions, open_address: Open) -> Question:
    """The request as a question."""
    calls = any(turn.role == "tool" or turn.tool_calls for turn in body.messages)
    return Question(
        lambda: conversation(body.messages, open_address),
        options,
        body.model,
        body.n or 1,
        has_calls=calls,
        verify=bool(body.verify),
    )


def conversation(messages: Sequence[chat.ChatMessage], open_address: Open) -> list[Message]:
    """Messages as Tutti's own.

    Args:
        messages: As they came.
        open_address: Opens what a part names.

    Raises:
        InputError: A medium cannot be opened, or is no base64; or a message lacks what its role needs.
    """
    return [_turn(message, open_address, f"messages[{place}]") for place, message in enumerate(messages)]


def _turn(message: chat.ChatMessage, open_address: Open, place: str) -> Message:
    parts = parts_of(message.content, open_address, f"{place}.content")
    calls = tuple(ToolCall(one.id, one.function.name, one.function.arguments) for one in message.tool_calls or ())
    if message.role == "tool" and not message.tool_call_id:
        raise InputError(f"{place} is what a tool gave and names no call; set tool_call_id.")
    if calls and message.role != "assistant":
        raise InputError(f"{place} has tool_calls and is of the {message.role}; only an assistant's turn has those.")
    if message.refusal and message.role == "assistant":
        parts.append(Text(message.refusal))
    if message.content is None and message.role != "assistant":
        raise InputError(f"{place}.content is null; expected words or parts, which only an assistant's turn may lack.")
    role = "system" if message.role == "developer" else message.role
    return Message(role, tuple(parts) if parts or calls else (Text(""),), calls, message.tool_call_id)


def options_of(body: chat.ChatRequest, tenant: str) -> SamplingOptions:
    """How the answer is to be drawn.

    Raises:
        InputError: The options contradict one another.
    """
    if body.top_logprobs and not body.logprobs:
        raise InputError("top_logprobs is given without logprobs; set logprobs to true.")
    if body.verify and body.stream:
        raise InputError("An answer is verified when it is whole; leave out stream or verify.")
    options = drawn(body, tenant)
    return replace(
        options,
        max_tokens=body.max_completion_tokens or options.max_tokens,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        json_schema=_schema(body.response_format),
        tools=tools_of(body.tools),
        tool_choice=choice_of(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls is not False,
    )


def _schema(wanted: chat.PlainFormat | chat.SchemaFormat | None) -> str | None:
    if isinstance(wanted, chat.SchemaFormat):
        return json.dumps(wanted.json_schema.schema_ or {})
    if wanted is None or wanted.type == "text":
        return None
    return json.dumps(wanted.schema_ or {"type": "object"})


class Envelope:
    """What surrounds an answer: its id, time and model, the same in all events of a stream.

    Args:
        model: What clients call the model.
        warnings: What is not done as asked, known beforehand.
    """

    def __init__(self, model: str, warnings: Sequence[str] = ()) -> None:
        self.id, self.created, self.model = f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), model
        self.warnings = warnings

    def whole(self, answers: Sequence[Answer], options: SamplingOptions) -> dict[str, Any]:
        """The answers, whole; as plain values of `ChatResponse`."""
        choices = [
            chat.ChatChoice(
                index=index,
                message=_message(answer),
                logprobs=None
                if options.logprobs is None
                else chat.ChoiceLogprobs(content=logprobs_of(answer.logprobs)),
                finish_reason=finish_word(answer),
            )
            for index, answer in enumerate(answers)
        ]
        usage = usage_of([one.usage for one in answers])
        shared: dict[str, Any] = {"id": self.id, "created": self.created, "model": self.model}
        written = chat.ChatResponse(**shared, choices=choices, usage=usage).model_dump(exclude={"warnings"})
        for choice in written["choices"]:
            if choice["message"]["tool_calls"] is None:
                del choice["message"]["tool_calls"]
        return written | self._warnings(answers)

    def opening(self, index: int) -> dict[str, Any]:
        """The first chunk of a choice."""
        return self._chunk(index, {"role": "assistant", "content": ""})

    def piece(self, index: int, event: TextDelta | ToolCallDelta) -> dict[str, Any]:
        """More of a choice: of its text, or of a call."""
        if isinstance(event, TextDelta):
            told = chat.ChoiceLogprobs(content=logprobs_of(event.logprobs)).model_dump() if event.logprobs else None
            return self._chunk(index, {"content": event.text}, told)
        call: dict[str, Any] = {"index": event.index, "function": {"arguments": event.arguments}}
        if event.id:
            call |= {"id": event.id, "type": "function", "function": {"name": event.name, "arguments": event.arguments}}
        return self._chunk(index, {"tool_calls": [call]})

    def ending(self, index: int, answer: Answer) -> dict[str, Any]:
        """The last chunk of a choice."""
        return self._chunk(index, {}, None, finish_word(answer)) | self._warnings([answer])

    def usage(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The last chunk of a stream that was asked for usage."""
        return self._shared() | {"choices": [], "usage": usage_of([one.usage for one in answers]).model_dump()}

    def _chunk(
        self, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self._shared() | {"choices": [choice], "usage": None}

    def _shared(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": None,
        }

    def _warnings(self, answers: Sequence[Answer]) -> dict[str, Any]:
        told = warnings_of(self.warnings, answers)
        return {"warnings": told} if told else {}


def _message(answer: Answer) -> chat.AnswerMessage:
    said: dict[str, Any] = {"content": _content(answer), "tool_calls": calls_of(answer)}
    if not any(claim.verdict for claim in answer.evidence):
        return chat.AnswerMessage(**said)
    evidence = [claim.to_dict() for claim in answer.evidence]
    return chat.VerifiedMessage(**said, evidence=evidence, warnings=list(answer.notes))


def _content(answer: Answer) -> str | None:
    return None if answer.tool_calls and not answer.text else answer.text


async def _lines(
    events: Events, envelope: Envelope, body: chat.ChatRequest, request: Request
) -> AsyncGenerator[str, None]:
    """The stream's events as JSON, closed with `[DONE]`; an error during the stream is the last event."""
    answers: list[Answer] = []
    try:
        async with aclosing(events):
            for index in range(body.n or 1):
                yield json.dumps(envelope.opening(index))
            async for index, event in events:
                if isinstance(event, Finished):
                    answers.append(event.answer)
                    yield json.dumps(envelope.ending(index, event.answer))
                else:
                    yield json.dumps(envelope.piece(index, event))
    except Exception as error:  # noqa: BLE001 - the status is sent already
        failed(error, request)
        yield json.dumps(body_of(kind_of(error), message_of(error)))
        return
    noted(request, answers)
    if body.stream_options is not None and body.stream_options.include_usage:
        yield json.dumps(envelope.usage(answers))
    yield "[DONE]"
