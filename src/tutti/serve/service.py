"""What the routes ask for: answers, vectors and transcripts of one model, within limits, counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from tutti.content import (
    Answer,
    Audio,
    Embeddings,
    Event,
    Finished,
    Message,
    Part,
    SamplingOptions,
    Transcript,
    TranscriptionOptions,
)
from tutti.errors import UnsupportedTask
from tutti.interfaces import Embedder, Observable, Responder, Transcriber, Verifier
from tutti.model import shortened_parts, verified_events
from tutti.providers.registry import open_provider
from tutti.serve import dialect, schemas
from tutti.serve.admission import Admission, Cost, ServerLimits
from tutti.serve.async_stream import Stream
from tutti.serve.errors import ErrorStatus, Refusal
from tutti.serve.media_parts import MediaOpener, texts
from tutti.serve.metrics import Metrics
from tutti.serve.telemetry import Telemetry
from tutti.trust.verification.standard import standard_verifier

T = TypeVar("T")
_PREPARERS = 4
"""Threads that decode base64, read headers and fetch."""


class Service:
    """One model behind the routes.

    Args:
        model: What computes: a `Responder`, an `Embedder`, a `Transcriber`, or several of them.
        name: What clients call it.
        limits: What is admitted.
        opener: Opens media.
        telemetry: Makes spans; none if not given.
    """

    def __init__(
        self,
        model: Responder | Embedder | Transcriber,
        name: str,
        limits: ServerLimits,
        opener: MediaOpener,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.model, self.name, self.opener = model, name, opener
        self.verifier: Verifier | None = None
        self.adapted: dict[str, Responder] = {}
        """Name → the model with an adapter, for those who ask by that name."""
        self.created = int(time.time())
        self._telemetry = telemetry or Telemetry()
        self.admission = Admission(limits)
        self.metrics = Metrics(self.admission, self._stats)
        self._answerers = ThreadPoolExecutor(limits.max_running, "tutti-answer")
        self._preparers = ThreadPoolExecutor(_PREPARERS, "tutti-prepare")

    def close(self) -> None:
        """Let the threads go, once they are through."""
        for threads in (self._answerers, self._preparers):
            threads.shutdown(wait=True, cancel_futures=True)

    @property
    def names(self) -> list[str]:
        """What clients may ask for."""
        return [self.name, *self.adapted]

    def check_model(self, name: str | None) -> None:
        """Refuse a model that is not served here.

        Raises:
            Refusal: 404.
        """
        if name is not None and name != self.name and name not in self.adapted:
            raise Refusal(
                ErrorStatus(404, "invalid_request_error", "model_not_found"),
                f"There is no model {name[:80]!r} here; this server has {', '.join(map(repr, self.names))}.",
                cause="model",
                param="model",
            )

    async def chat(
        self, body: schemas.ChatRequest, options: SamplingOptions
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """Events of all choices as they come, each with the number of its choice.

        Raises:
            UnsupportedTask: The model does not answer questions.
            Refusal: The request is too large, or too much is in progress.
            TuttiError: A medium cannot be used, or the model failed.
        """
        responder = self.adapted.get(body.model or "", self.model)
        if not isinstance(responder, Responder):
            raise UnsupportedTask(f"{self.name} does not answer questions", "ask")
        begun = time.perf_counter()
        turns, cost = await self._on(self._preparers, partial(self._conversation, body, options))
        choices = dialect.choice_options(options, body.n or 1)
        parts = [part for turn in turns for part in turn.parts]
        with (
            self.admission.admitted(cost, len(choices)),
            self._telemetry.span("chat", self.name, parts, options) as span,
        ):
            answers: list[Answer] = []
            self.metrics.admitted(cost)
            asked = partial(self._verified, responder, turns) if body.verify else partial(responder.stream, turns)
            stream = Stream(self._answerers, [partial(asked, choice) for choice in choices])
            firsts: dict[int, float] = {}
            async with aclosing(stream.events()) as arriving:
                async for index, event in arriving:
                    now = time.perf_counter()
                    if index not in firsts:
                        firsts[index] = now
                        self.metrics.first_token(now - begun)
                    if isinstance(event, Finished):
                        self.metrics.answered(event.answer.usage, now - firsts[index])
                        answers.append(event.answer)
                        span.answered(answers)
                    yield index, event

    def _verified(self, responder: Responder, turns: list[Message], options: SamplingOptions) -> Iterator[Event]:
        """Events of an answer that is verified; the specialists are opened by the first request that needs them."""
        if self.verifier is None:
            self.verifier = standard_verifier(open_provider)
        return verified_events(responder.stream(turns, options), turns, self.verifier)

    async def answers(self, body: schemas.ChatRequest, options: SamplingOptions) -> list[Answer]:
        """All choices, whole. Errors as for `chat`."""
        found: dict[int, Answer] = {}
        async with aclosing(self.chat(body, options)) as events:
            async for index, event in events:
                if isinstance(event, Finished):
                    found[index] = event.answer
        return [found[index] for index in sorted(found)]

    async def embed(self, body: schemas.EmbeddingsRequest, tenant: str) -> Embeddings:
        """Vectors of what a request holds, in order.

        Raises:
            UnsupportedTask: The model does not embed.
            Refusal: The request is too large, or too much is in progress.
            TuttiError: A medium cannot be used, or the model failed.
        """
        embedder = self.model
        if not isinstance(embedder, Embedder):
            raise UnsupportedTask(f"{self.name} does not embed", "embed")
        parts, cost = await self._on(self._preparers, partial(self._parts, body))
        with self.admission.admitted(cost), self._telemetry.span("embeddings", self.name, parts):
            self.metrics.admitted(cost)
            if body.truncate:
                parts = await self._on(self._answerers, partial(shortened_parts, embedder, parts))
            return await self._on(self._answerers, partial(embedder.embed, parts, tenant))

    async def transcribe(self, content: bytes, options: TranscriptionOptions) -> Transcript:
        """The speech in a recording.

        Raises:
            UnsupportedTask: The model does not write down speech.
            Refusal: The recording is too long, or too much is in progress.
            TuttiError: It cannot be used, or the model failed.
        """
        transcriber = self.model
        if not isinstance(transcriber, Transcriber):
            raise UnsupportedTask(f"{self.name} does not transcribe", "transcribe")
        audio = Audio(content)
        cost = await self._on(self._preparers, partial(self.opener.cost, [audio]))
        with self.admission.admitted(cost), self._telemetry.span("transcription", self.name, [audio]):
            self.metrics.admitted(cost)
            return await self._on(self._answerers, partial(transcriber.transcribe, audio, options))

    def _conversation(self, body: schemas.ChatRequest, options: SamplingOptions) -> tuple[list[Message], Cost]:
        turns = dialect.conversation(body.messages, self.opener.open)
        parts = [part for turn in turns for part in turn.parts]
        tokens = dialect.text_tokens(texts(parts)) + (body.n or 1) * options.max_tokens
        return turns, self.opener.cost(parts) + Cost(tokens=tokens)

    def _parts(self, body: schemas.EmbeddingsRequest) -> tuple[list[Part], Cost]:
        parts = dialect.embedding_parts(body, self.opener.open)
        return parts, self.opener.cost(parts) + Cost(tokens=dialect.text_tokens(texts(parts)))

    def _stats(self) -> Mapping[str, float]:
        return self.model.stats() if isinstance(self.model, Observable) else {}

    async def _on(self, threads: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, job)
