"""What the routes ask for: answers, vectors and transcripts of one model, within limits, counted."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping
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
from tutti.interfaces import Bounded, Embedder, LiveSpeech, Observable, Responder, TokenCounter, Transcriber, Verifier
from tutti.model import verified_events
from tutti.pricing.tokens import reserved_tokens
from tutti.providers.given import shortened_parts
from tutti.providers.registry import open_provider
from tutti.serve.admission import Admission, Cost, ServerLimits
from tutti.serve.async_stream import Stream
from tutti.serve.errors import ErrorStatus, Refusal
from tutti.serve.feedback import FeedbackDesk
from tutti.serve.kept_responses import KeptResponses
from tutti.serve.media_parts import MediaOpener, texts
from tutti.serve.metrics import Metrics
from tutti.serve.questions import Question
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
        ignore_tools: Leave tools out of requests, with a warning in the answer.
        aliases: Other names by which clients may call the model.
    """

    def __init__(
        self,
        model: Responder | Embedder | Transcriber,
        name: str,
        limits: ServerLimits,
        opener: MediaOpener,
        telemetry: Telemetry | None = None,
        *,
        ignore_tools: bool = False,
        aliases: Collection[str] = (),
    ) -> None:
        self.model, self.name, self.opener = model, name, opener
        self.ignore_tools, self.aliases = ignore_tools, tuple(aliases)
        self.verifier: Verifier | None = None
        self.adapted: dict[str, Responder] = {}
        """Name → the model with an adapter, for those who ask by that name."""
        self.feedback: FeedbackDesk | None = None
        """Remembers answers, so that they can be judged; None keeps no feedback."""
        self.created = int(time.time())
        self._lock = threading.Lock()
        self._speech: LiveSpeech | None = None
        self._telemetry = telemetry or Telemetry()
        self.admission = Admission(limits)
        self.kept = KeptResponses(limits.kept)
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
        return [self.name, *self.adapted, *self.aliases]

    def called(self, name: str | None) -> str:
        """The model that answers to a name: an adapted one, or the one that is served."""
        return name if name is not None and name in self.adapted else self.name

    def check_model(self, name: str | None) -> None:
        """Refuse a model that is not served here.

        Raises:
            Refusal: 404.
        """
        if name is not None and name not in self.names:
            raise Refusal(
                ErrorStatus(404, "invalid_request_error", "model_not_found"),
                f"There is no model {name[:80]!r} here; this server has {', '.join(map(repr, self.names))}.",
                cause="model",
                param="model",
            )

    @property
    def context_length(self) -> int | None:
        """Longest prompt and answer together, in tokens; None where the model does not tell."""
        return self.model.context_length if isinstance(self.model, Bounded) else None

    def prepared(self, question: Question) -> Question:
        """A question as it is asked here: without tools, where the server leaves them out."""
        return question.without_tools() if self.ignore_tools else question

    async def stream(self, question: Question) -> AsyncGenerator[tuple[int, Event], None]:
        """Events of all choices as they come, each with the number of its choice.

        Raises:
            UnsupportedTask: The model does not answer questions.
            Refusal: The request is too large, or too much is in progress.
            TuttiError: A medium cannot be used, or the model failed.
        """
        responder = self._responder(question.model)
        begun = time.perf_counter()
        turns, cost = await self._on(self._preparers, partial(self._conversation, question))
        choices = question.each()
        parts = [part for turn in turns for part in turn.parts]
        with (
            self.admission.admitted(cost, len(choices)),
            self._telemetry.span("chat", self.name, parts, question.options) as span,
        ):
            answers: list[Answer] = []
            said: dict[int, str] = {}
            self.metrics.admitted(cost)
            asked = partial(self._verified, responder, turns) if question.verify else partial(responder.stream, turns)
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
                        said[index] = event.answer.text
                        if len(said) == len(choices):  # before the client can know that it is whole
                            await self._remember(question, turns, said)
                    yield index, event

    async def _remember(self, question: Question, turns: list[Message], said: Mapping[int, str]) -> None:
        if self.feedback is not None and question.answer_id:
            adapter = question.model if question.model in self.adapted else None
            remember = partial(self.feedback.remember, model=self.name, adapter=adapter or "")
            await self._on(self._preparers, partial(remember, question.options.tenant, question.answer_id, turns, said))

    def _verified(self, responder: Responder, turns: list[Message], options: SamplingOptions) -> Iterator[Event]:
        """Events of an answer that is verified; the specialists are opened by the first request that needs them."""
        if self.verifier is None:
            self.verifier = standard_verifier(open_provider)
        return verified_events(responder.stream(turns, options), turns, self.verifier)

    async def answers(self, question: Question) -> list[Answer]:
        """All choices, whole. Errors as for `stream`."""
        found: dict[int, Answer] = {}
        async with aclosing(self.stream(question)) as events:
            async for index, event in events:
                if isinstance(event, Finished):
                    found[index] = event.answer
        return [found[index] for index in sorted(found)]

    async def count(self, question: Question) -> int:
        """Tokens of a question's prompt, its media included.

        Raises:
            UnsupportedTask: The model does not answer questions, or cannot tell beforehand.
            TuttiError: As for `stream`.
        """
        counter = self._responder(question.model)
        if not isinstance(counter, TokenCounter):
            raise UnsupportedTask(f"{self.name} cannot tell how many tokens a request takes before it is asked.")
        turns, cost = await self._on(self._preparers, partial(self._conversation, question))
        with self.admission.admitted(cost):
            self.metrics.admitted(cost)
            return await self._on(self._answerers, partial(counter.count_tokens, turns, question.options.offered))

    async def embed(self, parts_of: Callable[[], list[Part]], tenant: str, truncate: bool = False) -> Embeddings:
        """Vectors of what a request holds, in order.

        Args:
            parts_of: Opens what is to be embedded, and may take a while.
            tenant: Whose it is.
            truncate: Embed of a text that is too long its beginning.

        Raises:
            UnsupportedTask: The model does not embed.
            Refusal: The request is too large, or too much is in progress.
            TuttiError: A medium cannot be used, or the model failed.
        """
        embedder = self.model
        if not isinstance(embedder, Embedder):
            raise UnsupportedTask(f"{self.name} does not embed", "embed")
        parts, cost = await self._on(self._preparers, partial(self._parts, parts_of))
        with self.admission.admitted(cost), self._telemetry.span("embeddings", self.name, parts):
            self.metrics.admitted(cost)
            if truncate:
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

    async def at_work(self, job: Callable[[], T]) -> T:
        """Run what computes on one of the threads for answers."""
        return await self._on(self._answerers, job)

    async def prepared_by(self, job: Callable[[], T]) -> T:
        """Run what opens media on one of the threads for that."""
        return await self._on(self._preparers, job)

    def speech(self) -> LiveSpeech:
        """What writes down speech while it is said: the model if it can, else the Whisper of the package."""
        if isinstance(self.model, LiveSpeech):
            return self.model
        with self._lock:
            if self._speech is None:
                opened = open_provider("whisper-base")
                if not isinstance(opened, LiveSpeech):  # pragma: no cover - the checkpoint of the package does
                    raise UnsupportedTask(f"{opened.name} does not write down speech while it is said.")
                self._speech = opened
            return self._speech

    def _responder(self, name: str | None) -> Responder:
        responder = self.adapted.get(name or "", self.model)
        if not isinstance(responder, Responder):
            raise UnsupportedTask(f"{self.name} does not answer questions", "ask")
        return responder

    def _conversation(self, question: Question) -> tuple[list[Message], Cost]:
        turns = question.conversation()
        parts = [part for turn in turns for part in turn.parts]
        longest = question.options.max_tokens
        room = self.context_length or longest
        tokens = reserved_tokens([*texts(parts), *_described(question.options)]) + question.choices * min(longest, room)
        return turns, self.opener.cost(parts) + Cost(tokens=tokens)

    def _parts(self, parts_of: Callable[[], list[Part]]) -> tuple[list[Part], Cost]:
        parts = parts_of()
        return parts, self.opener.cost(parts) + Cost(tokens=reserved_tokens(texts(parts)))

    def _stats(self) -> Mapping[str, float]:
        kept = {"kept_responses": len(self.kept), "kept_responses_bytes": self.kept.size}
        return {**(self.model.stats() if isinstance(self.model, Observable) else {}), **kept}

    async def _on(self, threads: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, job)


def _described(options: SamplingOptions) -> list[str]:
    """The descriptions of tools that a prompt will hold."""
    return [json.dumps(tool.to_function()) for tool in options.offered]
