"""One answer of a session, as the events of OpenAI's Realtime API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tutti.content import Answer, Finished, Message, SamplingOptions, Text, TextDelta
from tutti.serve.errors import kind_of, message_of
from tutti.serve.questions import Question
from tutti.serve.realtime.items import RealtimeItem, message_item, new_id
from tutti.serve.responses import ClientGone
from tutti.serve.service import Service

Send = Callable[[dict[str, Any]], Awaitable[None]]
_STATES = {"stop": "completed", "length": "incomplete"}


@dataclass
class Answering:
    """One answer that is made.

    Args:
        service: Asks the model.
        send: Sends an event.
        turns: The conversation.
        max_tokens: Of the answer.
        metadata: Of the client, given back.
    """

    service: Service
    send: Send
    turns: Sequence[Message]
    max_tokens: int
    metadata: object = None
    id: str = field(default_factory=lambda: new_id("resp"))
    item_id: str = field(default_factory=lambda: new_id("item"))
    reason: str = "client_cancelled"
    """Why it is cancelled, if it is."""
    text: str = ""

    async def run(self) -> RealtimeItem | None:
        """Send all its events; what was said, if anything was.

        Raises:
            CancelledError: It was cancelled, and the client told so.
        """
        await self.send({"type": "response.created", "response": self._body("in_progress")})
        place = {"response_id": self.id, "output_index": 0}
        part = {**place, "item_id": self.item_id, "content_index": 0}
        item = {**self._item("in_progress"), "content": []}
        await self.send({"type": "response.output_item.added", **place, "item": item})
        await self.send({"type": "response.content_part.added", **part, "part": {"type": "text", "text": ""}})
        answer: Answer | None = None
        details: dict[str, Any] | None = None
        try:
            answer = await self._stream(part)
            state = _STATES.get(answer.finish_reason, "completed")
            if state == "incomplete":
                details = {"type": state, "reason": "max_output_tokens"}
        except asyncio.CancelledError:
            await self._end("cancelled", {"type": "cancelled", "reason": self.reason}, part, None)
            raise
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - reported to the client as the state of its response
            kind = kind_of(error)
            state = "failed"
            said = {"type": kind.type, "code": kind.code, "message": message_of(error)}
            details = {"type": state, "error": said}
        await self._end(state, details, part, answer)
        return None if state == "failed" else self.item()

    def item(self) -> RealtimeItem | None:
        """What was said, as a turn of the conversation."""
        if not self.text:
            return None
        return message_item("assistant", [{"type": "output_text", "text": self.text}], (Text(self.text),), self.item_id)

    async def _stream(self, part: dict[str, Any]) -> Answer:
        question = Question(lambda: list(self.turns), SamplingOptions(max_tokens=self.max_tokens))
        async with aclosing(self.service.stream(question)) as events:
            async for _, event in events:
                if isinstance(event, TextDelta) and event.text:
                    self.text += event.text
                    await self.send({"type": "response.output_text.delta", **part, "delta": event.text})
                elif isinstance(event, Finished):
                    self.text = event.answer.text
                    return event.answer
        raise RuntimeError("a stream ended without its answer")

    async def _end(
        self, state: str, details: dict[str, Any] | None, part: dict[str, Any], answer: Answer | None
    ) -> None:
        place = {"response_id": self.id, "output_index": 0}
        item_state = "completed" if state == "completed" else "incomplete"
        await self.send({"type": "response.output_text.done", **part, "text": self.text})
        content = {"type": "text", "text": self.text}
        await self.send({"type": "response.content_part.done", **part, "part": content})
        await self.send({"type": "response.output_item.done", **place, "item": self._item(item_state)})
        await self.send({"type": "response.done", "response": self._body(state, details, answer)})

    def _item(self, state: str) -> dict[str, Any]:
        content = [{"type": "output_text", "text": self.text}]
        body = message_item("assistant", content, (), self.item_id).body
        return {**body, "status": state}

    def _body(self, state: str, details: object = None, answer: Answer | None = None) -> dict[str, Any]:
        usage = None
        if answer is not None:
            used = answer.usage
            usage = {
                "input_tokens": used.prompt_tokens,
                "output_tokens": used.completion_tokens,
                "total_tokens": used.prompt_tokens + used.completion_tokens,
            }
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": state,
            "status_details": details,
            "output": [] if state == "in_progress" else [self._item("completed" if answer else "incomplete")],
            "output_modalities": ["text"],
            "max_output_tokens": self.max_tokens,
            "metadata": self.metadata,
            "usage": usage,
        }
