"""OpenAI's chat models, and every server that speaks the same dialect (vLLM, llama.cpp, Ollama, `tutti serve`).

Wire format: the Chat Completions and Embeddings API reference of OpenAI; `video_url` and the sampling options beside it
as vLLM's OpenAI-compatible server documents them. OpenAI's guide "Images and vision" (copies of summer 2026): at most
1,500 pictures and 512 MB a request; models up to gpt-5.4 use 2,048 pixels a side at most. Later ones use all of a
picture's pixels where no `detail` is asked for, and charge for them; they are sent 2,048, too, the guide's size for
"standard high-fidelity image understanding".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tutti.content import Embeddings, Part, SamplingOptions, Text, ToolCall, ToolCallDelta, Usage
from tutti.content.messages import TokenLogprob
from tutti.content.tools import TOOL_CHOICES
from tutti.providers.hosted import Hosted, PartialReply, finish_reason, unit_rows
from tutti.providers.outgoing import Accepts, Outgoing, OutgoingTurn, Piece, outgoing, sent, texts_only

if TYPE_CHECKING:
    import openai

CHAT = Accepts(
    image_side_px=2048,
    request_bytes=384_000_000,
    media=1500,
    says="text and pictures (of OpenAI's, openai:gpt-audio-1.5 takes recordings)",
)
HEARING = Accepts(audio_rate_hz=24_000, says="text and recordings (openai:gpt-4o takes pictures)")
SERVER = Accepts(image_side_px=4096, audio_rate_hz=24_000, video=True, media=250, says="text, image, audio and video")
FIXED_TEMPERATURE = ("o1", "o3", "o4", "gpt-5", "gpt-6")
"""Reasoning models draw in a way of their own and refuse `temperature` and `top_p`."""


def accepted(model: str) -> Accepts:
    """What a model of OpenAI's takes: gpt-audio and its like hear and do not see; the others see and do not hear."""
    return HEARING if "audio" in model else CHAT


class OpenAI(Hosted):
    """A chat model behind OpenAI's dialect; arguments and errors as for `Hosted`."""

    library = "openai"
    _client: openai.OpenAI
    sharpness = 100.0
    """Inverse temperature for cosines; no server tells its own, so it is the most that CLIP allows."""

    def _accepts(self) -> Accepts:
        return SERVER if self.own_server else accepted(self.model)

    def _connected(self, library: Any, base_url: str | None) -> openai.OpenAI:
        client: openai.OpenAI = library.OpenAI(
            api_key=self.key.reveal(),
            base_url=base_url or "https://api.openai.com/v1",
            timeout=self.options.timeout_s,
            max_retries=self.options.retries,
        )
        return client

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """One unit vector a part. OpenAI embeds text; other servers are given media as messages, a request each.

        Raises:
            UnsupportedTask: OpenAI was given a medium.
            InputError: A text is empty, or a medium cannot be read.
            ProviderError: The server fails or does not embed.
        """
        if all(isinstance(part, Text) for part in parts) or not self.own_server:
            answers = [self._embed({"input": texts_only(parts, self.name)})]
        else:
            answers = [self._embed(self._embedding_input(part)) for part in parts]
        rows = [row.embedding for answer in answers for row in sorted(answer.data, key=lambda row: row.index)]
        tokens = sum(answer.usage.prompt_tokens for answer in answers if answer.usage)
        return Embeddings(vectors=unit_rows(rows), model=self.name, usage=Usage(prompt_tokens=tokens))

    def _embedding_input(self, part: Part) -> dict[str, Any]:
        from tutti.content import Message

        if isinstance(part, Text):
            return {"input": [part.text]}
        turns = outgoing([Message("user", (part,))], self.accepts, self.decoder, self.name, self.options.keep_metadata)
        return self._wire({"messages": _messages(turns)}, lambda medium: medium.data_url)

    def _embed(self, body: dict[str, Any]) -> Any:
        import openai

        with self._errors():
            return self._sending().post(
                "/embeddings",
                body={"model": self.model, "encoding_format": "float", **body},
                cast_to=openai.types.CreateEmbeddingResponse,
            )

    def _payload(self, turns: Sequence[OutgoingTurn], options: SamplingOptions) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": _messages(turns),
            "max_completion_tokens": options.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if not self.model.startswith(FIXED_TEMPERATURE) or self.own_server:
            payload |= {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}
        else:
            self._refuse(options, "temperature", "top_p", "seed")
        if options.stop:
            payload["stop"] = list(options.stop)
        if options.logprobs is not None:
            payload |= {"logprobs": True, "top_logprobs": options.logprobs}
        if options.json_schema is not None:
            payload["response_format"] = _response_format(options.json_schema)
        if options.offered:
            payload |= _tools(options)
        if self.own_server:
            own = {"top_k": options.top_k or -1, "repetition_penalty": options.repetition_penalty}
            payload["extra_body"] = {name: value for name, value in own.items() if value not in (-1, 1.0)}
        else:
            self._refuse(options, "top_k", "repetition_penalty")
        return payload

    def _events(self, payload: dict[str, Any], progress: PartialReply) -> Iterator[str | ToolCallDelta]:
        with self._opened(payload) as stream:
            for chunk in stream:
                if chunk.usage:
                    progress.usage = _usage(chunk.usage)
                for choice in chunk.choices:
                    ended = finish_reason(choice.finish_reason, ("length",))
                    progress.finish_reason = ended or progress.finish_reason
                    if choice.logprobs and choice.logprobs.content:
                        progress.logprobs += [_logprob(token) for token in choice.logprobs.content]
                    if choice.delta.content:
                        yield choice.delta.content
                    for piece in choice.delta.tool_calls or ():
                        function = piece.function
                        name, arguments = (function.name, function.arguments) if function else (None, None)
                        yield progress.calls.piece(piece.index, piece.id or "", name or "", arguments or "")

    def _opened(self, payload: dict[str, Any]) -> Any:
        """The stream of an answer. What is encrypted is accepted once, so that each attempt is encrypted anew."""
        import openai

        def as_text(medium: Outgoing) -> str:
            return medium.base64 if medium.modality == "audio" else medium.data_url

        attempts = 1 if self.options.media_sealer is None else 1 + self.options.retries
        for attempt in range(attempts):
            try:
                return self._sending().chat.completions.create(**self._wire(payload, as_text))
            except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError):
                if attempt + 1 == attempts:
                    raise
                time.sleep(min(8.0, 0.5 * 2**attempt))
        raise AssertionError  # the last attempt returns or raises

    def _sending(self) -> openai.OpenAI:
        """The client; it sends nothing twice where media are encrypted."""
        return self._client if self.options.media_sealer is None else self._client.with_options(max_retries=0)

    def _wire(self, payload: dict[str, Any], as_text: Callable[[Outgoing], str]) -> dict[str, Any]:
        """A payload with its media as text, or encrypted."""
        sealer = self.options.media_sealer
        if sealer is None:
            return sent(payload, as_text)  # type: ignore[no-any-return]
        media: list[bytes] = []
        sent(payload, lambda medium: media.append(medium.data))
        urls = iter(sealer.sealed(media))
        return sent(payload, lambda medium: next(urls))  # type: ignore[no-any-return]

    def _failed(self, error: Exception) -> tuple[int | None, str] | None:
        import openai

        if isinstance(error, openai.APIStatusError):
            return error.status_code, error.message
        if isinstance(error, openai.APIConnectionError):
            return None, "no connection" if not isinstance(error, openai.APITimeoutError) else "no answer in time"
        if isinstance(error, openai.APIError):  # an error within a stream
            return 400, error.message
        return None


def _messages(turns: Sequence[OutgoingTurn]) -> list[dict[str, Any]]:
    """Turns in the dialect; a turn of words only stays a string, which every server reads."""
    messages = []
    for turn in turns:
        plain = all(isinstance(piece, str) for piece in turn.pieces)
        content: Any = turn.words if plain else [_part(piece) for piece in turn.pieces]
        message: dict[str, Any] = {"role": turn.role, "content": content}
        if turn.tool_calls:
            message |= {"content": content or None, "tool_calls": [_call(call) for call in turn.tool_calls]}
        if turn.tool_call_id is not None:
            message["tool_call_id"] = turn.tool_call_id
        messages.append(message)
    return messages


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tools(options: SamplingOptions) -> dict[str, Any]:
    """The tools that are offered, and how they may be used."""
    choice: Any = options.tool_choice
    if choice not in TOOL_CHOICES:
        choice = {"type": "function", "function": {"name": choice}}
    body = {"tools": [tool.to_function() for tool in options.offered], "tool_choice": choice}
    return body if options.parallel_tool_calls else {**body, "parallel_tool_calls": False}


def _part(piece: Piece) -> dict[str, Any]:
    if not isinstance(piece, Outgoing):
        return {"type": "text", "text": piece}
    if piece.modality == "audio":
        return {"type": "input_audio", "input_audio": {"data": piece, "format": piece.format}}
    kind = f"{piece.modality}_url"
    return {"type": kind, kind: {"url": piece}}


def _response_format(schema: str) -> dict[str, Any]:
    import json

    if schema.strip() == "{}":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": json.loads(schema), "strict": True}}


def _usage(usage: Any) -> Usage:
    details = usage.prompt_tokens_details
    image = getattr(details, "image_tokens", None) or 0
    video = getattr(details, "video_tokens", None) or 0
    audio = getattr(details, "audio_tokens", None) or 0
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        media_tokens=image + audio + video,
        image_tokens=image,
        audio_tokens=audio,
        video_tokens=video,
        cached_tokens=getattr(details, "cached_tokens", None) or 0,
    )


def _logprob(token: Any) -> TokenLogprob:
    top = tuple((other.token, other.logprob) for other in token.top_logprobs)
    return TokenLogprob(token=token.token, logprob=token.logprob, top=top)
