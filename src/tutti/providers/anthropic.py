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

from tutti.content import Conversation, Image, SamplingOptions, Usage
from tutti.errors import MissingExtra
from tutti.media import MediaDecoder
from tutti.providers.hosted import Hosted, HostedOptions, PartialReply, finish_reason
from tutti.providers.keys import Key
from tutti.providers.outgoing import Accepts, Outgoing, Piece, sent, split_system

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
    """A Claude model; arguments as for `Hosted`, and the address of a server that stands for Anthropic's in tests.

    Raises:
        MissingExtra: The official client is not installed.
    """

    def __init__(
        self,
        name: str,
        model: str,
        key: Key,
        decoder: MediaDecoder,
        options: HostedOptions,
        base_url: str | None = None,
    ) -> None:
        super().__init__(name, model, key, decoder, options)
        self.accepts = accepted(model)
        try:
            import anthropic
        except ImportError:
            raise MissingExtra("Reaching hosted models", "hosted") from None
        self._client = anthropic.Anthropic(
            api_key=key.reveal(),
            base_url=base_url or "https://api.anthropic.com",
            timeout=options.timeout_s,
            max_retries=options.retries,
        )

    def _accepted(self, conversation: Conversation) -> Accepts:
        """Many pictures are sent smaller, which Anthropic asks for."""
        accepts, pictures = self.accepts, sum(isinstance(part, Image) for turn in conversation for part in turn.parts)
        if pictures <= _MANY:
            return accepts
        return replace(accepts, image_side_px=min(accepts.image_side_px, _SIDE_OF_MANY_PX))

    def _payload(self, turns: Sequence[tuple[str, list[Piece]]], options: SamplingOptions) -> dict[str, Any]:
        self._refuse(options, "repetition_penalty", "logprobs", "json_schema", "seed")
        system, others = split_system(list(turns))
        payload: dict[str, Any] = {
            "model": self.model,
            "max_tokens": options.max_tokens,
            "messages": [{"role": role, "content": [_block(piece) for piece in pieces]} for role, pieces in others],
            "stream": True,
        }
        if system:
            payload["system"] = system
        # Newer models draw in a way of their own and refuse these, so they are sent only where they were asked for.
        drawn = {"temperature": options.temperature, "top_k": options.top_k, "top_p": options.top_p % 1}
        if chosen := {name: value for name, value in drawn.items() if value}:
            payload["extra_body"] = chosen
        if options.stop:
            payload["stop_sequences"] = list(options.stop)
        return payload

    def _events(self, payload: dict[str, Any], progress: PartialReply) -> Iterator[str]:
        with self._client.messages.create(**sent(payload, lambda medium: medium.base64)) as stream:
            for event in stream:
                if event.type == "message_start":
                    progress.usage = _prompt_usage(event.message.usage)
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text
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


def _block(piece: Piece) -> dict[str, Any]:
    if not isinstance(piece, Outgoing):
        return {"type": "text", "text": piece}
    return {"type": "image", "source": {"type": "base64", "media_type": piece.mime, "data": piece}}


def _prompt_usage(usage: Any) -> Usage:
    """Tokens found in or written to the provider's cache are counted by it apart from the others."""
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    return Usage(prompt_tokens=usage.input_tokens + cached + written, cached_tokens=cached)
