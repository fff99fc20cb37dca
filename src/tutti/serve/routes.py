"""The routes of the server, and what each does."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import APIRouter

from tutti.content import Answer, Event, Finished, TranscriptionOptions
from tutti.serve import dialect, logs, schemas
from tutti.serve.errors import body_of, kind_of, message_of
from tutti.serve.metrics import CONTENT_TYPE
from tutti.serve.responses import EventStream, unless_gone
from tutti.serve.service import Service

TranscriptForm = Literal["json", "verbose_json", "text", "srt", "vtt"]


class Routes:
    """What the routes do with a service.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def router(self) -> APIRouter:
        """All of them."""
        router = APIRouter()
        add = router.add_api_route
        add("/v1/chat/completions", self.chat, methods=["POST"], response_model=schemas.ChatResponse)
        add("/v1/embeddings", self.embeddings, methods=["POST"], response_model=schemas.EmbeddingsResponse)
        transcript = schemas.TranscriptionResponse
        add("/v1/audio/transcriptions", self.transcriptions, methods=["POST"], response_model=transcript)
        add("/v1/models", self.models, methods=["GET"], response_model=schemas.ModelsResponse)
        add("/v1/models/{name:path}", self.one_model, methods=["GET"], response_model=schemas.ModelBody)
        add("/health", self.health, methods=["GET"], response_model=schemas.HealthResponse)
        add("/metrics", self.metrics, methods=["GET"], response_class=PlainTextResponse)
        return router

    async def chat(self, body: schemas.ChatRequest, request: Request) -> Response:
        """Answer a conversation, whole or as a stream of events."""
        service = self.service
        service.check_model(body.model)
        options = dialect.options_of(body, request.state.tenant)
        envelope = dialect.Envelope(body.model or service.name)
        if not body.stream:
            answers = await unless_gone(request.receive, service.answers(body, options))
            _note(request, answers)
            return JSONResponse(envelope.whole(answers, options).model_dump())
        events = service.chat(body, options)
        try:
            # What is wrong with a request shows before its first event, and is then a status rather than an event.
            first = await unless_gone(request.receive, anext(events))
        except BaseException:
            await events.aclose()
            raise
        lines = _lines(_chained(first, events), envelope, body, request)
        return EventStream(lines, service.admission.limits.send_seconds)

    async def embeddings(self, body: schemas.EmbeddingsRequest, request: Request) -> Response:
        """Place words and media in one space: a vector for each input, or for each part of the messages."""
        self.service.check_model(body.model)
        found = await unless_gone(request.receive, self.service.embed(body, request.state.tenant))
        return JSONResponse(dialect.embeddings_response(found, self.service.name, body).model_dump(exclude_none=True))

    async def transcriptions(
        self,
        request: Request,
        file: Annotated[UploadFile, File(description="The recording")],
        model: Annotated[str | None, Form(max_length=256)] = None,
        language: Annotated[str | None, Form(max_length=64)] = None,
        response_format: Annotated[TranscriptForm, Form()] = "json",
    ) -> Response:
        """Write down the speech in a recording."""
        self.service.check_model(model)
        options = TranscriptionOptions(language=language)
        transcript = await unless_gone(request.receive, self.service.transcribe(await file.read(), options))
        written = dialect.transcription(transcript, response_format)
        if isinstance(written, str):
            return PlainTextResponse(written)
        return JSONResponse(written.model_dump(exclude_none=True))

    async def models(self) -> schemas.ModelsResponse:
        """The models that are served here."""
        service = self.service
        return schemas.ModelsResponse(
            data=[schemas.ModelBody(id=name, created=service.created) for name in service.names]
        )

    async def one_model(self, name: str) -> schemas.ModelBody:
        """One model."""
        self.service.check_model(name)
        return schemas.ModelBody(id=name, created=self.service.created)

    async def health(self) -> schemas.HealthResponse:
        """Whether requests are accepted."""
        return schemas.HealthResponse(status="draining" if self.service.admission.draining else "ok")

    async def metrics(self) -> Response:
        """Counters in the text format of Prometheus."""
        return Response(self.service.metrics.text(), media_type=CONTENT_TYPE)


async def _lines(
    events: AsyncGenerator[tuple[int, Event], None],
    envelope: dialect.Envelope,
    body: schemas.ChatRequest,
    request: Request,
) -> AsyncGenerator[str, None]:
    """The stream's events as JSON, closed with `[DONE]`; an error during the stream is the last event."""
    answers: list[Answer] = []
    try:
        async with aclosing(events):
            for index in range(body.n or 1):
                yield envelope.opening(index).model_dump_json(exclude_none=True)
            async for index, event in events:
                if isinstance(event, Finished):
                    answers.append(event.answer)
                    yield envelope.ending(index, event.answer).model_dump_json()
                else:
                    yield envelope.piece(index, event.text, event.logprobs).model_dump_json()
    except Exception as error:  # noqa: BLE001 - the status is sent already
        request.state.record.fields["error"] = type(error).__name__
        if kind_of(error).status == 500:
            logs.log_bug(error, request=request.state.record.id)
        yield json.dumps(body_of(kind_of(error), message_of(error)))
        return
    _note(request, answers)
    if body.stream_options is not None and body.stream_options.include_usage:
        yield envelope.usage(answers).model_dump_json()
    yield "[DONE]"


async def _chained(
    first: tuple[int, Event], events: AsyncGenerator[tuple[int, Event], None]
) -> AsyncGenerator[tuple[int, Event], None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


def _note(request: Request, answers: Sequence[Answer]) -> None:
    """Add the tokens of the answers to the log record."""
    request.state.record.fields |= {
        "prompt_tokens": answers[0].usage.prompt_tokens,
        "completion_tokens": sum(answer.usage.completion_tokens for answer in answers),
    }
