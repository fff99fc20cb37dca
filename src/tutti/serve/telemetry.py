"""Spans for OpenTelemetry, with the attributes of `tutti.content.span_attributes`.

Where spans go is for the
environment to say, as everywhere with OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tutti.content import Answer, Part, SamplingOptions
from tutti.content.span_attributes import answer_attributes, request_attributes
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
        given = request_attributes(operation, "tutti", model, parts, options, self.tells_digests)
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
            self._started.set_attributes(answer_attributes(answers))


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
