"""Google's Gemini models: text, pictures, recordings and videos.

Wire format: the Gemini API reference of Google. Media are sent within the request, which may have 20 MB in all ("Image
understanding", section on inline data); longer videos would need its file store, which is not used here.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tutti.content import Embeddings, Part, SamplingOptions, ToolCallDelta, Usage
from tutti.content.tools import TOOL_CHOICES
from tutti.media.sniff import HEIC, HEIF, JPEG, PNG, WEBP
from tutti.providers.hosted import Hosted, PartialReply, finish_reason, unit_rows
from tutti.providers.outgoing import Accepts, Outgoing, OutgoingTurn, split_system, texts_only

_FIRST_PAUSE_S = 1.0
_MOST_PAUSE_S = 30.0
_SIGNATURES = 1024
"""Calls whose signatures are kept, the latest."""


class Gemini(Hosted):
    """A Gemini model; arguments and errors as for `Hosted`."""

    library = "google.genai"
    accepts = Accepts(
        image_side_px=3072,
        pictures=(JPEG, PNG, WEBP, HEIC, HEIF),
        audio_rate_hz=16_000,
        video=True,
        medium_bytes=14_000_000,
        request_bytes=14_000_000,
        media=3600,
        says="text, image, audio and video",
    )
    sharpness = 100.0
    """Inverse temperature for cosines; it is not told, so it is the most that CLIP allows."""

    def _accepts(self) -> Accepts:
        return Gemini.accepts

    def _connected(self, library: Any, base_url: str | None) -> Any:
        retry = library.types.HttpRetryOptions(
            attempts=self.options.retries + 1, initial_delay=_FIRST_PAUSE_S, max_delay=_MOST_PAUSE_S
        )
        self._signatures: dict[str, str] = {}
        return library.Client(
            api_key=self.key.reveal(),
            http_options=library.types.HttpOptions(
                base_url=base_url, timeout=int(self.options.timeout_s * 1000), retry_options=retry
            ),
        )

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """One unit vector a text.

        Raises:
            UnsupportedTask: There is a medium among them.
            InputError: A text is empty.
            ProviderError: The provider fails.
        """
        texts = texts_only(parts, self.name)
        with self._errors():
            contents: Any = texts
            answer = self._client.models.embed_content(model=self.model, contents=contents)
        rows = [row.values for row in answer.embeddings or () if row.values]
        return Embeddings(vectors=unit_rows(rows), model=self.name, usage=Usage())

    def _payload(self, turns: Sequence[OutgoingTurn], options: SamplingOptions) -> dict[str, Any]:
        self._refuse(options, "repetition_penalty", "logprobs")
        system, others = split_system(turns)
        settings: dict[str, Any] = {
            "max_output_tokens": options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
        }
        if options.top_k:
            settings["top_k"] = options.top_k
        if options.stop:
            settings["stop_sequences"] = list(options.stop)
        if system:
            settings["system_instruction"] = system
        if options.json_schema is not None:
            settings |= _json(options.json_schema)
        if options.offered:
            self._refuse(options, "parallel_tool_calls")
            settings |= _tools(options)
        names = {call.id: call.name for turn in others for call in turn.tool_calls}
        contents = [self._content(turn, names) for turn in others]
        return {"model": self.model, "contents": contents, "config": settings}

    def _events(self, payload: dict[str, Any], progress: PartialReply) -> Iterator[str | ToolCallDelta]:
        from google.genai import types

        contents: Any = [
            types.Content(role=turn["role"], parts=[_part(types, piece) for piece in turn["parts"]])
            for turn in payload["contents"]
        ]
        config = types.GenerateContentConfig(**payload["config"])
        stream = self._client.models.generate_content_stream(model=self.model, contents=contents, config=config)
        for chunk in stream:
            if chunk.usage_metadata:
                progress.usage = _usage(chunk.usage_metadata)
            for candidate in chunk.candidates or ():
                said = candidate.finish_reason.name if candidate.finish_reason else None
                progress.finish_reason = finish_reason(said, ("MAX_TOKENS",)) or progress.finish_reason
                for part in (candidate.content and candidate.content.parts) or ():
                    if part.text and not part.thought:
                        yield part.text
                    if part.function_call is not None:
                        yield self._called(part, progress)

    def _content(self, turn: OutgoingTurn, names: Mapping[str, str]) -> dict[str, Any]:
        """A turn, with calls and what tools gave as parts of their own."""
        parts: list[Any] = list(turn.pieces)
        if turn.tool_call_id is not None:
            result = {
                "id": turn.tool_call_id,
                "name": names.get(turn.tool_call_id, ""),
                "response": {"result": turn.words},
            }
            parts = [{"function_response": result}, *(piece for piece in turn.pieces if not isinstance(piece, str))]
        for call in turn.tool_calls:
            part: dict[str, Any] = {"function_call": {"id": call.id, "name": call.name, "args": call.values()}}
            if (signature := self._signatures.get(call.id)) is not None:
                part["thought_signature"] = signature
            parts.append(part)
        return {"role": "model" if turn.role == "assistant" else "user", "parts": parts}

    def _called(self, part: Any, progress: PartialReply) -> ToolCallDelta:
        """A call, which comes whole; what signs the thoughts that led to it is wanted back with it."""
        call, number = part.function_call, len(progress.calls.calls)
        call_id = call.id or f"call_{secrets.token_hex(8)}"
        if part.thought_signature:
            self._signatures[call_id] = base64.b64encode(part.thought_signature).decode()
            while len(self._signatures) > _SIGNATURES:
                del self._signatures[next(iter(self._signatures))]
        return progress.calls.piece(number, call_id, call.name or "", json.dumps(call.args or {}))

    def _failed(self, error: Exception) -> tuple[int | None, str] | None:
        from google.genai import errors

        if isinstance(error, errors.APIError):
            return error.code, error.message or type(error).__name__
        return None


def _tools(options: SamplingOptions) -> dict[str, Any]:
    """The tools that are offered, and how they may be used."""
    functions = [tool.to_function()["function"] for tool in options.offered]
    declared = [
        {"name": one["name"], "description": one["description"], "parameters_json_schema": one["parameters"]}
        for one in functions
    ]
    calling: dict[str, Any] = {"mode": "AUTO" if options.tool_choice == "auto" else "ANY"}
    if options.tool_choice not in TOOL_CHOICES:
        calling["allowed_function_names"] = [options.tool_choice]
    return {"tools": [{"function_declarations": declared}], "tool_config": {"function_calling_config": calling}}


def _part(types: Any, piece: Any) -> Any:
    if isinstance(piece, dict):
        signature = piece.get("thought_signature")
        signed = {"thought_signature": base64.b64decode(signature)} if signature is not None else {}
        return types.Part.model_validate({**piece, **signed})
    if not isinstance(piece, Outgoing):
        return types.Part(text=piece)
    return types.Part.from_bytes(data=piece.data, mime_type=piece.mime)


def _json(schema: str) -> dict[str, Any]:
    parsed = json.loads(schema)
    return {"response_mime_type": "application/json", **({"response_json_schema": parsed} if parsed else {})}


def _usage(usage: Any) -> Usage:
    by_modality = {detail.modality.name: detail.token_count or 0 for detail in usage.prompt_tokens_details or ()}
    image, audio, video = (by_modality.get(name, 0) for name in ("IMAGE", "AUDIO", "VIDEO"))
    return Usage(
        prompt_tokens=usage.prompt_token_count or 0,
        completion_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        media_tokens=image + audio + video,
        image_tokens=image,
        audio_tokens=audio,
        video_tokens=video,
        cached_tokens=usage.cached_content_token_count or 0,
    )
