"""Spans for OpenTelemetry, in the GenAI conventions; media by digest only, no prompt and no answer.

Source: the semantic conventions for generative client and server spans of OpenTelemetry. Where spans go is for the
environment to say, as everywhere with OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tutti.content import Answer, Media, Part, SamplingOptions
from tutti.errors import MissingExtra


class Telemetry:
    """Makes spans.

    Args:
        tracer: OpenTelemetry's; None makes none.
    """

    def __init__(self, tracer: Any = None) -> None:
        self._tracer = tracer
        self.tells_digests = True
        """Whether spans tell digests of media, by which who has a medium sees that it was sent."""

    @contextmanager
    def span(
        self, operation: str, model: str, parts: Sequence[Part], options: SamplingOptions | None = None
    ) -> Iterator[RequestSpan]:
        """A span over one operation of a model: `chat`, `embeddings`, `transcription`."""
        if self._tracer is None:
            yield RequestSpan(None)
            return
        given: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "tutti",
            "gen_ai.request.model": model,
            **_media(parts, self.tells_digests),
        }
        if options is not None:
            given |= {
                "gen_ai.request.max_tokens": options.max_tokens,
                "gen_ai.request.temperature": options.temperature,
            }
            given |= {"gen_ai.request.top_p": options.top_p, "tutti.tenant": options.tenant}
        # Exceptions are not recorded: their messages may hold what a client sent.
        with self._tracer.start_as_current_span(
            f"{operation} {model}", attributes=given, record_exception=False, set_status_on_exception=False
        ) as started:
            try:
                yield RequestSpan(started)
            except BaseException as error:
                started.set_attribute("error.type", type(error).__name__)
                raise


class RequestSpan:
    """An operation that is being traced, or not.

    Args:
        started: OpenTelemetry's span, or None.
    """

    def __init__(self, started: Any) -> None:
        self._started = started

    def answered(self, answers: Sequence[Answer]) -> None:
        """Tell what the answers took."""
        if self._started is not None and answers:
            usages = [answer.usage for answer in answers]
            self._started.set_attributes(
                {
                    "gen_ai.usage.input_tokens": usages[0].prompt_tokens,
                    "gen_ai.usage.output_tokens": sum(usage.completion_tokens for usage in usages),
                    "gen_ai.response.finish_reasons": [answer.finish_reason for answer in answers],
                }
            )


def from_environment() -> Telemetry:
    """Spans, exported as configured by the environment.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise MissingExtra("Telling OpenTelemetry about requests", "otel") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "tutti"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Telemetry(provider.get_tracer("tutti.serve"))


def _media(parts: Sequence[Part], digests: bool) -> dict[str, Any]:
    media = [part for part in parts if isinstance(part, Media)]
    if not media:
        return {}
    told = {"tutti.media.modalities": [medium.modality for medium in media]}
    return told | {"tutti.media.digests": [medium.digest for medium in media]} if digests else told
