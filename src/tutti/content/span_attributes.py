"""Attributes of OpenTelemetry spans in its GenAI conventions: media by digest only, no prompt and no answer.

opentelemetry.io/docs/specs/semconv/gen-ai (attributes as of semantic conventions 1.37, in development there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tutti.content.messages import Answer, SamplingOptions
from tutti.content.parts import Media, Part


def request_attributes(
    operation: str, provider: str, model: str, parts: Sequence[Part], options: SamplingOptions | None, digests: bool
) -> dict[str, Any]:
    """Of a request.

    Args:
        operation: `chat`, `embeddings` or `transcription`.
        provider: As the conventions call it.
        model: The one that was asked.
        parts: What was sent, of which the media are described.
        options: Of an answer.
        digests: Whether digests of the media are told, by which who has a medium sees that it was sent.
    """
    found: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
    }
    if media := [part for part in parts if isinstance(part, Media)]:
        found["tutti.media.modalities"] = [medium.modality for medium in media]
        if digests:
            found["tutti.media.digests"] = [medium.digest for medium in media]
    if options is not None:
        found |= {
            "gen_ai.output.type": "text",
            "gen_ai.request.max_tokens": options.max_tokens,
            "gen_ai.request.temperature": options.temperature,
            "gen_ai.request.top_p": options.top_p,
            "gen_ai.request.seed": options.seed,
            "tutti.tenant": options.tenant,
        }
    return found


def answer_attributes(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of the answers to one request; the prompt is counted once."""
    first = answers[0]
    return {
        "gen_ai.response.model": first.model,
        "gen_ai.response.finish_reasons": [answer.finish_reason for answer in answers],
        "gen_ai.usage.input_tokens": first.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": sum(answer.usage.completion_tokens for answer in answers),
        "tutti.usage.media_tokens": first.usage.media_tokens,
    }
