"""How answers are written in OpenAI's Responses dialect: whole, or as numbered events that build the whole."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from tutti.content import Answer, TextDelta, ToolCall, ToolCallDelta, Usage
from tutti.serve.dialects.shared import logprobs_of, warnings_of
from tutti.serve.responses import Line
from tutti.serve.schemas import responses as schemas


class ResponseWriter:
    """Writes one response.

    Args:
        name: Its id.
        model: What clients call the model.
        body: What was asked for, which is told back.
        warnings: What is not done as asked, known beforehand.
    """

    def __init__(self, name: str, model: str, body: schemas.ResponsesRequest, warnings: Sequence[str]) -> None:
        self.name, self._warnings = name, warnings
        self._message = f"msg_{secrets.token_hex(12)}"
        self._calls = [f"fc_{secrets.token_hex(12)}"]
        self._told = _told_back(body) | {"id": name, "model": model, "created_at": int(time.time())}
        self._logprobs = bool(body.top_logprobs) or "message.output_text.logprobs" in (body.include or ())

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The response as plain values of `ResponseObject`."""
        cut = answer.finish_reason not in ("stop", "tool_calls")
        status: schemas.ResponseStatus = "incomplete" if cut else "completed"
        output = [self.message(answer.text, status, answer)] if answer.text or not answer.tool_calls else []
        output += [self.call(place, call, status) for place, call in enumerate(answer.tool_calls)]
        return self._response(
            status,
            output=output,
            usage=_usage(answer.usage),
            incomplete_details={"reason": "max_output_tokens"} if cut else None,
            warnings=warnings_of(self._warnings, [answer]) or None,
        )

    def begun(self) -> dict[str, Any]:
        """The response before its first token."""
        return self._response("in_progress", output=[])

    def failed(self, code: str | None, message: str) -> dict[str, Any]:
        """A response that an error ended."""
        return self._response("failed", output=[], error={"code": code or "server_error", "message": message})

    def message(self, text: str, status: str, answer: Answer | None = None) -> dict[str, Any]:
        """The item of the answer's words."""
        content = [] if status == "in_progress" else [self.part(text, answer)]
        head = {"type": "message", "id": self._message, "role": "assistant", "status": status}
        return head | {"content": content}

    def part(self, text: str, answer: Answer | None = None) -> dict[str, Any]:
        """The answer's words."""
        logprobs = [one.model_dump() for one in logprobs_of(answer.logprobs)] if answer and self._logprobs else []
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def call(self, place: int, call: ToolCall, status: str) -> dict[str, Any]:
        """The item of a call."""
        while len(self._calls) <= place:
            self._calls.append(f"fc_{secrets.token_hex(12)}")
        head = {"type": "function_call", "id": self._calls[place], "call_id": call.id, "name": call.name}
        return head | {"arguments": call.arguments, "status": status}

    def _response(self, status: schemas.ResponseStatus, **fields: Any) -> dict[str, Any]:
        written = schemas.ResponseObject(**self._told, status=status, **fields).model_dump()
        return {name: value for name, value in written.items() if name != "warnings" or value is not None}


class ResponseEvents:
    """The events of one response, numbered; items are opened and closed one behind the other.

    Args:
        writer: Writes items and the whole.
    """

    def __init__(self, writer: ResponseWriter) -> None:
        self._writer = writer
        self._number = 0
        self._items = 0
        self._text: str | None = None
        self._call: ToolCall | None = None
        self._calls = 0

    def opening(self) -> list[Line]:
        """The first events."""
        begun = self._writer.begun()
        return [self._event("response.created", response=begun), self._event("response.in_progress", response=begun)]

    def of(self, event: TextDelta | ToolCallDelta) -> list[Line]:
        """The events of a piece."""
        if isinstance(event, TextDelta):
            return self._words(event)
        lines: list[Line] = []
        if event.id:
            lines += self.closed()
            self._call = ToolCall(event.id, event.name, "")
            lines.append(self._added(self._writer.call(self._calls, self._call, "in_progress")))
        if self._call is not None and event.arguments:
            self._call = ToolCall(self._call.id, self._call.name, self._call.arguments + event.arguments)
            place = {"item_id": self._writer.call(self._calls, self._call, "")["id"], "output_index": self._items - 1}
            lines.append(self._event("response.function_call_arguments.delta", delta=event.arguments, **place))
        return lines

    def closed(self, answer: Answer | None = None, status: str = "completed") -> list[Line]:
        """The end of the item that is open, if one is; of the last one with the whole answer."""
        lines: list[Line] = []
        at = self._items - 1
        if self._text is not None:
            item = self._writer.message(self._text, status, answer)
            place = {"item_id": item["id"], "output_index": at, "content_index": 0}
            logprobs = item["content"][0]["logprobs"]
            lines.append(self._event("response.output_text.done", text=self._text, logprobs=logprobs, **place))
            lines.append(self._event("response.content_part.done", part=item["content"][0], **place))
            lines.append(self._event("response.output_item.done", item=item, output_index=at))
        if self._call is not None:
            item = self._writer.call(self._calls, self._call, status)
            told = {"arguments": self._call.arguments, "name": self._call.name, "item_id": item["id"]}
            lines.append(self._event("response.function_call_arguments.done", output_index=at, **told))
            lines.append(self._event("response.output_item.done", item=item, output_index=at))
            self._calls += 1
        self._text = self._call = None
        return lines

    def ending(self, answer: Answer) -> list[Line]:
        """The last events."""
        whole = self._writer.whole(answer)
        lines = [] if self._items else self._words(TextDelta(""))
        lines += self.closed(answer, whole["status"])
        return [*lines, self._event(f"response.{whole['status']}", response=whole)]

    def failing(self, code: str | None, message: str) -> list[Line]:
        """The last events of a response that an error ended."""
        return [
            self._event("response.failed", response=self._writer.failed(code, message)),
            self._event("error", code=code, message=message, param=None),
        ]

    def _words(self, event: TextDelta) -> list[Line]:
        lines: list[Line] = []
        if self._text is None:
            lines += self.closed()
            item = self._writer.message("", "in_progress")
            lines.append(self._added(item))
            place = {"item_id": item["id"], "output_index": self._items - 1, "content_index": 0}
            lines.append(self._event("response.content_part.added", part=self._writer.part(""), **place))
            self._text = ""
        self._text += event.text
        if event.text:
            item_id = self._writer.message("", "in_progress")["id"]
            place = {"item_id": item_id, "output_index": self._items - 1, "content_index": 0}
            logprobs = [one.model_dump() for one in logprobs_of(event.logprobs)]
            lines.append(self._event("response.output_text.delta", delta=event.text, logprobs=logprobs, **place))
        return lines

    def _added(self, item: dict[str, Any]) -> Line:
        self._items += 1
        return self._event("response.output_item.added", item=item, output_index=self._items - 1)

    def _event(self, kind: str, /, **fields: Any) -> Line:
        self._number += 1
        return kind, json.dumps({"type": kind, "sequence_number": self._number - 1, **fields})


def _told_back(body: schemas.ResponsesRequest) -> dict[str, Any]:
    choice = body.tool_choice
    form = body.text.format if body.text is not None else None
    return {
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "store": body.store is not False,
        "temperature": body.temperature,
        "text": {"format": form.model_dump(by_alias=True) if form is not None else {"type": "text"}},
        "tool_choice": choice.model_dump() if isinstance(choice, schemas.ResponseToolChoice) else choice or "auto",
        "tools": [
            {"type": "function", **one.model_dump(include={"name", "description", "parameters", "strict"})}
            for one in body.tools or ()
        ],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": body.top_p,
        "user": body.user,
    }


def _usage(usage: Usage) -> schemas.ResponsesUsage:
    return schemas.ResponsesUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=schemas.CachedDetails(cached_tokens=usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )
