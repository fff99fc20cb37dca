"""Anthropic's Claude models.

Wire format: the Messages API reference of Anthropic. Its guide "Vision" (copies of summer and autumn 2026): pictures
are used at 1,568 pixels a side at most, from Claude 4.7 on at 2,576; they may have 10 MB of base64 each; 100 a request,
and where there are more than 20, at most 2,000 pixels a side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tutti.content import Conversation, Image, SamplingOptions, ToolCallDelta, Usage
from tutti.providers.hosted import Hosted, PartialReply, finish_reason
from tutti.providers.outgoing import Accepts, Outgoing, OutgoingTurn, Piece, sent, split_system

_BASE64_SHARE = 3 / 4
"""Of a limit on base64 text, what is left for content."""


_MANY, _SIDE_OF_MANY_PX = 20, 2000
_COARSE = re.compile(r"claude-(\d|instant|\w+-([0-3]|4(-[0-6])?)($|-\d{8}|-latest))")
"""Models before Claude 4.7, by their names: claude-3-…, claude-opus-4-20250514, claude-haiku-4-5."""


def accepted(model: str) -> Accepts:
    """What a Claude model takes."""
    return Accepts(
        image_side_px=1568 if _COARSE.match(model) else 2576,
        medium_bytes=int(10 * 2**20 * _BASE64_SHARE),
        request_bytes=int(32 * 2**20 * _BASE64_SHARE),
        says="text and pictures",
    )


class Anthropic(Hosted):
    """A Claude model; arguments and errors as for `Hosted`."""

    library = "anthropic"

    def _accepts(self) -> Accepts:
        return accepted(self.model)

    def _connected(self, library: Any, base_url: str | None) -> Any:
        return library.Anthropic(
            api_key=self.key.reveal(),
            base_url=base_url or "https://api.anthropic.com",
            timeout=self.options.timeout_s,
            max_retries=self.options.retries,
        )

    def _accepted(self, conversation: Conversation) -> Accepts:
        """Many pictures are sent smaller, which Anthropic asks for."""
        accepts, pictures = self.accepts, sum(isinstance(part, Image) for turn in conversation for part in turn.parts)
        if pictures <= _MANY:
            return accepts
        return replace(accepts, image_side_px=min(accepts.image_side_px, _SIDE_OF_MANY_PX))

    def _payload(self, turns: Sequence[OutgoingTurn], options: SamplingOptions) -> dict[str, Any]:
        self._refuse(options, "repetition_penalty", "logprobs", "json_schema", "seed")
        system, others = split_system(turns)
        payload: dict[str, Any] = {
            "model": self.model,
            "max_tokens": options.max_tokens,
            "messages": _messages(others),
            "stream": True,
        }
        if system:
            payload["system"] = system
        # Newer models draw in a way of their own and refuse these, so they are sent only where they were asked for.
        drawn = {"temperature": options.temperature, "top_k": options.top_k, "top_p": options.top_p % 1}
        if chosen := {name: value for name, value in drawn.items() if value}:
            payload["extra_body"] = chosen
        if options.offered:
            payload |= _tools(options)
        if options.stop:
            payload["stop_sequences"] = list(options.stop)
        return payload

    def _events(self, payload: dict[str, Any], progress: PartialReply) -> Iterator[str | ToolCallDelta]:
        with self._client.messages.create(**sent(payload, lambda medium: medium.base64)) as stream:
            for event in stream:
                if event.type == "message_start":
                    progress.usage = _prompt_usage(event.message.usage)
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text
                elif event.type == "content_block_start" and event.content_block.type == "tool_use":
                    yield progress.calls.piece(event.index, event.content_block.id, event.content_block.name)
                elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                    yield progress.calls.piece(event.index, arguments=event.delta.partial_json)
                elif event.type == "message_delta":
                    progress.finish_reason = finish_reason(event.delta.stop_reason, ("max_tokens",))
                    progress.usage = replace(progress.usage, completion_tokens=event.usage.output_tokens)

    def _failed(self, error: Exception) -> tuple[int | None, str] | None:
        import anthropic

        if isinstance(error, anthropic.APIStatusError):
            return error.status_code, error.message
        if isinstance(error, anthropic.APIError):
            return None, type(error).__name__
        return None


def _messages(turns: Sequence[OutgoingTurn]) -> list[dict[str, Any]]:
    """Turns in the dialect; what tools gave is a user's turn, all results of one answer together."""
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for turn in turns:
        blocks = [_block(piece) for piece in turn.pieces]
        if turn.role == "tool":
            block = {"type": "tool_result", "tool_use_id": turn.tool_call_id, "content": blocks}
            if results is None:
                results = []
                messages.append({"role": "user", "content": results})
            results.append(block)
            continue
        results = None
        calls = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.values()} for call in turn.tool_calls
        ]
        messages.append({"role": turn.role, "content": [*blocks, *calls]})
    return messages


def _tools(options: SamplingOptions) -> dict[str, Any]:
    """The tools that are offered, and how they may be used."""
    named = {"type": "tool", "name": options.tool_choice}
    choice: dict[str, Any] = {"auto": {"type": "auto"}, "required": {"type": "any"}}.get(options.tool_choice, named)
    if not options.parallel_tool_calls:
        choice = {**choice, "disable_parallel_tool_use": True}
    functions = [tool.to_function()["function"] for tool in options.offered]
    tools = [
        {
            "name": one["name"],
            "description": one["description"],
            "input_schema": {"type": "object", **one["parameters"]},
        }
        for one in functions
    ]
    return {"tools": tools, "tool_choice": choice}


def _block(piece: Piece) -> dict[str, Any]:
    if not isinstance(piece, Outgoing):
        return {"type": "text", "text": piece}
    return {"type": "image", "source": {"type": "base64", "media_type": piece.mime, "data": piece}}


def _prompt_usage(usage: Any) -> Usage:
    """Tokens found in or written to the provider's cache are counted by it apart from the others."""
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    return Usage(prompt_tokens=usage.input_tokens + cached + written, cached_tokens=cached)
