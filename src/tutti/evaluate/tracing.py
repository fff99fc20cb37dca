"""OpenTelemetry spans of queries, with the attributes of `tutti.content.span_attributes`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.content import Conversation, Event, Finished, SamplingOptions
from tutti.content.span_attributes import answer_attributes, request_attributes
from tutti.errors import MissingExtra, writing
from tutti.interfaces import Responder

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini"}


class Traced:
    """A `Responder` whose every query is a span.

    Args:
        responder: What answers.
        tracer: Where spans go.
    """

    def __init__(self, responder: Responder, tracer: Tracer) -> None:
        self._responder, self._tracer = responder, tracer

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._responder.name

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Answer as the responder does; the span ends with the answer, with the error, or where nobody listens on."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        with self._tracer.start_as_current_span(
            f"chat {self.name}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            parts = [part for message in conversation for part in message.parts]
            provider = _provider_of(self.name)
            span.set_attributes(request_attributes("chat", provider, self.name, parts, options, digests=True))
            first = True
            try:
                for event in self._responder.stream(conversation, options):
                    if first and not isinstance(event, Finished):
                        span.add_event("gen_ai.first_token")
                        first = False
                    if isinstance(event, Finished):
                        span.set_attributes(answer_attributes([event.answer]))
                    yield event
            except Exception as error:
                # The kind alone: a message may quote what was asked.
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
                raise


def _provider_of(name: str) -> str:
    provider, colon, _ = name.partition(":")
    return _PROVIDERS.get(provider, "tutti") if colon else "tutti"


@contextmanager
def spans_into(path: Path) -> Iterator[Tracer]:
    """A tracer whose spans are written to a file, a JSON object a line.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        raise MissingExtra("Writing OpenTelemetry spans", "otel") from None
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    with file:
        provider = TracerProvider(resource=Resource.create({"service.name": "tutti"}))
        exporter = ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(indent=None) + "\n")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield provider.get_tracer("tutti.evaluate")
        finally:
            provider.shutdown()
