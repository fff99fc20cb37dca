"""`/v1/messages` and its count of tokens: Anthropic's dialect."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tutti.content import Answer, Finished, SamplingOptions, TextDelta, Tool, ToolCallDelta, Usage
from tutti.errors import InputError
from tutti.serve.dialects.message_turns import turns_of
from tutti.serve.dialects.shared import warnings_of
from tutti.serve.errors import MESSAGES, body_of, kind_of, message_of
from tutti.serve.questions import Question
from tutti.serve.responses import EventStream, Line, unless_gone
from tutti.serve.schemas import messages as schemas
from tutti.serve.service import Service
from tutti.serve.streaming import Events, answered, begun, failed, noted


class MessageRoutes:
    """The routes of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        add = router.add_api_route
        add(MESSAGES, self.answer, methods=["POST"], response_model=schemas.MessagesResponse)
        add(f"{MESSAGES}/count_tokens", self.count, methods=["POST"], response_model=schemas.CountResponse)

    async def answer(self, body: schemas.MessagesRequest, request: Request) -> Response:
        """Answer a conversation in Anthropic's dialect, whole or as a stream of events."""
        service = self.service
        service.check_model(body.model)
        question = service.prepared(self._question(body, options_of(body, request.state.tenant)))
        said = MessageWriter(service.called(body.model), question.warnings)
        question = replace(question, answer_id=said.id)
        if body.stream:
            lines = said.lines(await begun(service, question, request), request)
            return EventStream(lines, service.admission.limits.send_seconds)
        (answer,) = await answered(service, question, request)
        return JSONResponse(said.whole(answer))

    async def count(self, body: schemas.CountRequest, request: Request) -> schemas.CountResponse:
        """Count the tokens of a conversation, its pictures included, without answering it."""
        service = self.service
        service.check_model(body.model)
        options = replace(SamplingOptions(tenant=request.state.tenant), **_tools(body))
        question = service.prepared(self._question(body, options))
        return schemas.CountResponse(input_tokens=await unless_gone(request.receive, service.count(question)))

    def _question(self, body: schemas.CountRequest, options: SamplingOptions) -> Question:
        if body.messages[-1].role == "assistant":
            raise InputError(
                "The last turn is the assistant's, and models here begin a turn of their own; end with a user's turn."
            )
        calls = any(
            isinstance(block, (schemas.ToolUseBlock, schemas.ToolResultBlock))
            for turn in body.messages
            for block in (turn.content if isinstance(turn.content, list) else ())
        )
        return Question(lambda: turns_of(body, self.service.opener.open), options, body.model, has_calls=calls)


def options_of(body: schemas.MessagesRequest, tenant: str) -> SamplingOptions:
    """How the answer is to be drawn. Without a temperature it is the likeliest one, as everywhere in Tutti."""
    form = body.output_config.format if body.output_config is not None else None
    return SamplingOptions(
        max_tokens=body.max_tokens,
        temperature=body.temperature or 0.0,
        top_k=body.top_k or 0,
        top_p=1.0 if body.top_p is None else body.top_p,
        stop=tuple(word for word in body.stop_sequences or () if word),
        seed=secrets.randbits(62),
        json_schema=None if form is None else json.dumps(form.schema_),
        tenant=tenant,
        **_tools(body),
    )


def _tools(body: schemas.CountRequest) -> dict[str, Any]:
    tools = tuple(Tool(one.name, one.description or "", one.input_schema) for one in body.tools or ())
    choice = body.tool_choice
    if choice is None:
        return {"tools": tools}
    if choice.type == "tool" and not choice.name:
        raise InputError("tool_choice is of type 'tool' and names none; set tool_choice.name.")
    words = {"auto": "auto", "none": "none", "any": "required"}
    return {
        "tools": tools,
        "tool_choice": choice.name if choice.type == "tool" else words[choice.type],
        "parallel_tool_calls": not choice.disable_parallel_tool_use,
    }


class MessageWriter:
    """Writes one answer, whole or in events.

    Args:
        model: What clients call the model.
        warnings: What is not done as asked, known beforehand.
    """

    def __init__(self, model: str, warnings: Sequence[str]) -> None:
        self.id, self.model, self.warnings = f"msg_{secrets.token_hex(12)}", model, warnings

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The answer as plain values of `MessagesResponse`."""
        content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
        content += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.values()} for call in answer.tool_calls
        ]
        return self._message(content, _usage(answer.usage)) | _ending(answer) | self._warnings(answer)

    async def lines(self, events: Events, request: Request) -> AsyncGenerator[Line, None]:
        """The answer as events; an error on the way is the last one."""
        empty = _usage(Usage())
        yield _event("message_start", message=self._message([], empty) | {"stop_reason": None, "stop_sequence": None})
        blocks = _Blocks()
        try:
            async with aclosing(events):
                async for _, event in events:
                    if isinstance(event, Finished):
                        answer = event.answer
                    else:
                        for line in blocks.of(event):
                            yield line
        except Exception as error:  # noqa: BLE001 - the status is sent already
            failed(error, request)
            yield "error", json.dumps(body_of(kind_of(error), message_of(error), path=MESSAGES))
            return
        for line in blocks.closed():
            yield line
        noted(request, [answer])
        yield _event("message_delta", delta=_ending(answer), usage=_usage(answer.usage), **self._warnings(answer))
        yield _event("message_stop")

    def _message(self, content: list[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model}
        return head | {"content": content, "usage": usage}

    def _warnings(self, answer: Answer) -> dict[str, Any]:
        told = warnings_of(self.warnings, [answer])
        return {"warnings": told} if told else {}


class _Blocks:
    """The blocks of a streamed answer, of which one is open at a time."""

    def __init__(self) -> None:
        self._next = 0
        self._open: str | int | None = None

    def of(self, event: TextDelta | ToolCallDelta) -> list[Line]:
        """The events of a piece."""
        if isinstance(event, TextDelta):
            if not event.text:
                return []
            begun = self._begun("text", {"type": "text", "text": ""})
            return [*begun, self._delta({"type": "text_delta", "text": event.text})]
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        begun = self._begun(event.index, block)
        piece = {"type": "input_json_delta", "partial_json": event.arguments}
        return [*begun, self._delta(piece)] if event.arguments or begun else []

    def closed(self) -> list[Line]:
        """The end of the block that is open, if one is."""
        if self._open is None:
            return []
        self._open = None
        return [_event("content_block_stop", index=self._next - 1)]

    def _begun(self, which: str | int, block: dict[str, Any]) -> list[Line]:
        if self._open == which:
            return []
        lines = self.closed()
        self._open, self._next = which, self._next + 1
        return [*lines, _event("content_block_start", index=self._next - 1, content_block=block)]

    def _delta(self, delta: dict[str, Any]) -> Line:
        return _event("content_block_delta", index=self._next - 1, delta=delta)


def _event(name: str, **fields: Any) -> Line:
    return name, json.dumps({"type": name, **fields})


def _ending(answer: Answer) -> dict[str, Any]:
    """Why an answer ended, in the dialect's words; one that was cut off ended by length."""
    words = {"stop": "end_turn", "tool_calls": "tool_use"}
    reason = "stop_sequence" if answer.stopped_by else words.get(answer.finish_reason, "max_tokens")
    return {"stop_reason": reason, "stop_sequence": answer.stopped_by}


def _usage(usage: Usage) -> dict[str, int]:
    return schemas.MessagesUsage(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
    ).model_dump()
