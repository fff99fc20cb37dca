"""Ask every model every case in every variant: many at once, with failures kept, and what is known not asked again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

from tutti.content import AnswerDelta, Event, Image, Media, Message, Part, SamplingOptions, Text, Usage
from tutti.content.streams import answer_of_stream
from tutti.errors import (
    CapacityError,
    InputError,
    ProviderError,
    QuotaExceeded,
    TuttiError,
    Unauthorized,
    UnsupportedTask,
)
from tutti.evaluate.captions import Consensus
from tutti.evaluate.metrics import Said, Score, score
from tutti.evaluate.prompts import PLAIN, Variant, prompt
from tutti.evaluate.reply_log import Reply, ReplyLog, request_digest
from tutti.evaluate.suite import Case, Suite
from tutti.interfaces import Embedder, Responder, TextReader, Transcriber
from tutti.media import wrap


class Pricing(Protocol):
    """What a model's tokens cost; `tutti.pricing.prices.Price` is one."""

    def cost_usd(self, usage: Usage) -> float:
        """Dollars for one query."""
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model to be measured."""

    name: str
    model: Responder | Embedder | Transcriber
    fingerprint: str = ""
    """What tells two models of one name apart, such as a digest of the weights."""
    hosted: bool = False
    """Whether each query is paid for."""
    price: Pricing | None = None
    """For a hosted model; None means that no price is known, which is said and never taken for 0."""

    def cost_usd(self, reply: Reply) -> float | None:
        """Dollars for an answer; None where no price is known."""
        if reply.cost_usd > 0:
            return reply.cost_usd
        if self.price is not None:
            return self.price.cost_usd(reply.usage)
        return None if self.hosted else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of asking one model one case in one variant."""

    model: str
    variant: str
    case: Case
    question: str
    reply: Reply | None = None
    """None when the model failed."""
    score: Score | None = None
    error: str = ""
    cost_usd: float | None = None
    cached: bool = False
    judged: bool | None = None
    """What the judge model thinks, where there is one."""


@dataclass(kw_only=True)
class EvaluationPlan:
    """How a suite is run."""

    suite: Suite
    candidates: Sequence[Candidate]
    variants: Sequence[Variant] = PLAIN
    options: SamplingOptions = field(default_factory=lambda: SamplingOptions(max_tokens=64))
    concurrency: int = 1
    """Requests under way at the same time."""
    reader: TextReader | None = None
    """Reads the text of pictures where answers are checked for inventions."""

    @property
    def size(self) -> int:
        """Number of requests."""
        return len(self.suite.cases) * len(self.candidates) * len(self.variants)


def run(
    plan: EvaluationPlan,
    *,
    log: ReplyLog,
    cache: ReplyLog | None = None,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Ask and score.

    Models are asked one after another, so that two on one machine do not slow each other down. A model that fails on a
    case fails on that case only; one that refuses the key, or whose quota is used up, is not asked again.

    Args:
        plan: What to ask whom.
        log: Answers of this run; those in it are not asked for again, which is how a run goes on after a cut.
        cache: Answers of other runs, used and added to where answers are deterministic.
        told: Called with each outcome as it comes, in the thread that called `run`.

    Returns:
        An outcome for each request, by model, variant and case.

    Raises:
        ProviderError: Every single request failed because of its provider.
        CapacityError: Every single request was over a limit, such as that of what may be spent.
        InputError: Every single request failed for another reason.
    """
    work = _Work(plan, log, cache)
    outcomes: list[Outcome] = []
    for candidate in plan.candidates:
        outcomes.extend(work.of(candidate, told))
    failed = [outcome.error for outcome in outcomes if outcome.reply is None]
    if len(failed) == len(outcomes):
        raise work.kind_of_failure()(f"No model answered anything; the first said: {failed[0]}")
    return outcomes


class _Work:
    def __init__(self, plan: EvaluationPlan, log: ReplyLog, cache: ReplyLog | None) -> None:
        self.plan, self.log = plan, log
        # An answer that is drawn anew each time is no answer to the next run's question.
        self.cache = cache if plan.options.temperature == 0 else None
        self.captions = Consensus([case.expected for case in plan.suite.cases if case.metric == "caption"])
        self.gallery = tuple(
            dict.fromkeys(item for case in plan.suite.cases if case.metric == "recall" for item in case.expected)
        )
        self.failed_as: set[type[TuttiError]] = set()
        self._refused: dict[str, str] = {}
        self._stop = threading.Event()
        self._read = lru_cache(maxsize=None)(self._lines)

    def kind_of_failure(self) -> type[TuttiError]:
        """What to raise where every request failed."""
        if ProviderError in self.failed_as:
            return ProviderError
        return CapacityError if self.failed_as == {CapacityError} else InputError

    def of(self, candidate: Candidate, told: Callable[[Outcome], None]) -> list[Outcome]:
        """Everything one model is asked, in order."""
        jobs = [(variant, case) for variant in self.plan.variants for case in self.plan.suite.cases]
        done: dict[int, Outcome] = {}
        pool = ThreadPoolExecutor(self.plan.concurrency, thread_name_prefix="evaluate")
        try:
            for index, outcome in _in_flight(pool, self.plan.concurrency, candidate, jobs, self._one):
                done[index] = outcome
                told(outcome)
        except BaseException:
            self._stop.set()  # answers under way are broken off; those that came are in the log
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [done[index] for index in range(len(jobs))]

    def _one(self, candidate: Candidate, variant: Variant, case: Case) -> Outcome:
        question, shown = prompt(variant, case)
        outcome = Outcome(model=candidate.name, variant=variant.name, case=case, question=question)
        try:
            reply, cached = self._reply(candidate, case, question)
            if candidate.name in self._refused and not cached:
                return replace(outcome, error=self._refused[candidate.name])
            read = self._read(case.media) if case.metric in ("facts", "hallucination") else None
            measured = score(case, Said(text=reply.text, options=shown, read=read), self.captions)
        except TuttiError as error:
            self.failed_as.add(
                next((kind for kind in (ProviderError, CapacityError) if isinstance(error, kind)), InputError)
            )
            if isinstance(error, (Unauthorized, QuotaExceeded)):
                self._refused[candidate.name] = f"Not asked, since it refused before: {error}"
            return replace(outcome, error=str(error))
        except Exception as error:  # noqa: BLE001 - whatever a model raises is that model's failure, and is reported
            self.failed_as.add(InputError)
            return replace(outcome, error=f"{type(error).__name__}: {error}")
        return replace(outcome, reply=reply, score=measured, cost_usd=candidate.cost_usd(reply), cached=cached)

    def _reply(self, candidate: Candidate, case: Case, question: str) -> tuple[Reply, bool]:
        """An answer, and whether it was known."""
        media = [wrapped(path) for path in case.media]
        ranking = case.metric == "recall"
        items = [question, *(case.options or self.gallery)] if ranking else [question]
        digest = reply_digest(candidate, items, media, None if ranking else self.plan.options)
        for known in (self.log, self.cache):
            if known is not None and (reply := known.get(digest)) is not None:
                if known is not self.log:
                    self.log.add(digest, reply)
                return reply, True
        if candidate.name in self._refused:
            raise ProviderError(self._refused[candidate.name])
        if ranking:
            reply = _ranked(candidate, case, media, case.options or self.gallery)
        else:
            reply = self._asked(candidate, media, question)
        for known in (self.log, self.cache):
            if known is not None:
                known.add(digest, reply)
        return reply, False

    def _asked(self, candidate: Candidate, media: Sequence[Media], question: str) -> Reply:
        if not isinstance(candidate.model, Responder):
            raise UnsupportedTask(
                f"{candidate.name} does not answer questions; only cases of metric recall are for it."
            )
        begun = time.perf_counter()
        first: list[float] = []

        def seen(_: AnswerDelta) -> None:
            if self._stop.is_set():
                raise InputError("The evaluation was interrupted.")
            if not first:
                first.append(time.perf_counter() - begun)

        events = candidate.model.stream([Message.user(*media, question)], self.plan.options)
        with closing(_closable(events)) as stream:
            answer = answer_of_stream(stream, candidate.name, seen)
        return Reply(
            text=answer.text,
            seconds=time.perf_counter() - begun,
            first_token_s=first[0] if first else None,
            usage=answer.usage,
            cost_usd=answer.cost_usd,
            finish_reason=answer.finish_reason,
        )

    def _lines(self, media: tuple[str, ...]) -> tuple[str, ...] | None:
        """Text that the reader finds in the pictures among media; None without a reader."""
        pictures = [part for path in media if isinstance(part := wrapped(path), Image)]
        if self.plan.reader is None or not pictures:
            return None
        return tuple(line.text for picture in pictures for line in self.plan.reader.read(picture))


def reply_digest(
    candidate: Candidate, items: Sequence[str], media: Sequence[Media], options: SamplingOptions | None
) -> str:
    """What a log knows a model's answer by: that of the prompt, or the items, about media."""
    parts = [part.digest for part in media]
    return request_digest(candidate.name, candidate.fingerprint, "\n".join(items), parts, options)


_Ask = Callable[[Candidate, Variant, Case], Outcome]


def _in_flight(
    pool: ThreadPoolExecutor, width: int, candidate: Candidate, jobs: Sequence[tuple[Variant, Case]], ask: _Ask
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come, with at most `width` jobs given out and unfinished at any time."""
    waiting = iter(enumerate(jobs))
    running: dict[Future[Outcome], int] = {}
    while True:
        while len(running) < width and (job := next(waiting, None)) is not None:
            index, (variant, case) = job
            running[pool.submit(ask, candidate, variant, case)] = index
        if not running:
            return
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield running.pop(future), future.result()


def _closable(events: Iterator[Event]) -> Generator[Event]:
    """The events behind a generator, so that leaving early closes whatever iterator a provider gave."""
    try:
        yield from events
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()


def wrapped(path: str) -> Media:
    """A case's medium, by its content."""
    return cast("Media", wrap(path))


def _part(item: str) -> Part:
    return wrap(item) if item.startswith("data:") or Path(item).is_file() else Text(item)


def _ranked(candidate: Candidate, case: Case, media: Sequence[Media], gallery: Sequence[str]) -> Reply:
    """Items of a gallery by their nearness to the case's medium, or to its question, one a line."""
    if not isinstance(candidate.model, Embedder):
        raise UnsupportedTask(f"{candidate.name} does not embed, which metric recall needs.")
    begun = time.perf_counter()
    query: Part = media[0] if media else Text(case.question)
    found = candidate.model.embed([query, *map(_part, gallery)])
    nearness = found.vectors[1:] @ found.vectors[0]
    ranked = sorted(range(len(gallery)), key=lambda index: -float(nearness[index]))
    return Reply(
        text="\n".join(gallery[index] for index in ranked),
        seconds=time.perf_counter() - begun,
        first_token_s=None,
        usage=found.usage,
        cost_usd=0.0,
        finish_reason="stop",
    )


def failures(outcomes: Sequence[Outcome]) -> Mapping[str, list[Outcome]]:
    """Failed outcomes by their error, the most frequent first."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.reply is None:
            found.setdefault(outcome.error, []).append(outcome)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
