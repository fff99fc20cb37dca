"""What `tutti tune` measures: answers to held-out rows, and a suite that must not get worse."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import note
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.checkpoints import Loaded
    from tutti.content import Message
    from tutti.evaluate.running import Outcome
    from tutti.evaluate.suite import Case, Suite
    from tutti.interfaces import Responder
    from tutti.training.tuning import Tuning
    from tutti.training.tuning_card import CardFigure

_SHORT_WORDS = 6
"""Answers of so many words are compared as a whole."""
_LOSS = "validation/loss"
_LEFT_OF_1 = {"wer": "1 - wer"}
"""Metrics whose score is what errors leave of 1."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows that are held out, as a suite of questions.

    Args:
        loaded: The model, as it is at the time.
        tuning: What is tuned.
        suite: Questions with one medium or several, and their answers; None if only the loss is measured.
        folder: The run's.
    """

    loaded: Loaded
    tuning: Tuning
    suite: Suite | None
    folder: Path

    @classmethod
    def of(cls, arguments: argparse.Namespace, loaded: Loaded, tuning: Tuning) -> HeldOut:
        """By what the command line asks for."""
        metric = arguments.metric
        if metric is None and writes_speech(loaded):
            if find_spec("jiwer") is None:
                note("Word errors are not measured, only the loss: pip install 'tutti[evaluate]'.")
                return cls(loaded, tuning, None, arguments.out)
            metric = "wer"
        return cls(loaded, tuning, _suite(tuning, metric), arguments.out)

    @property
    def figure(self) -> tuple[str, bool]:
        """The figure by which weights are the best, and whether more of it is better."""
        return (_LOSS, False) if self.suite is None else ("validation/score", True)

    def validate(self, model: Any) -> Mapping[str, float]:
        """Figures of a validation."""
        figures = dict(self.tuning.validate(model))
        if self.suite is not None:
            with tempfile.TemporaryDirectory() as scratch:
                scores = _scores(answered(self.loaded, self.suite, Path(scratch) / "answers.jsonl", "now"))
            figures["validation/score"] = sum(scores) / len(scores)
        return figures

    def answers(self, when: str) -> list[Outcome]:
        """Answers to all questions, kept in the run's folder."""
        if self.suite is None:
            return []
        file = self.folder / f"{when}.jsonl"
        if when == "after":
            file.unlink(missing_ok=True)
        return answered(self.loaded, self.suite, file, when)

    def compared(self, before: Sequence[Outcome], after: Sequence[Outcome]) -> tuple[list[CardFigure], list[str]]:
        """Rows of the card, and what got worse."""
        if not after:
            return [], []
        metric = after[0].case.metric
        row = _row(f"{_LEFT_OF_1.get(metric, metric)} on {len(after)} held-out rows", before, after)
        return [row], []

    def track(self, before: Sequence[Outcome], after: Sequence[Outcome], arguments: argparse.Namespace) -> None:
        """Log both into a tracker, if one was asked for."""
        if arguments.track is None or self.suite is None or not after:
            return
        from tutti.evaluate.report import make_report
        from tutti.evaluate.trackers import TRACKERS

        named = [replace(one, model=when) for when, some in (("before", before), ("after", after)) for one in some]
        TRACKERS[arguments.track](make_report(self.suite, named), self.folder)


@dataclass(eq=False)
class GuardedSuite:
    """A suite that must not get worse by more than so many points.

    Args:
        loaded: The model, as it is at the time.
        suite: None if nothing is guarded.
        most: Points of 100 that it may lose.
        folder: The run's.
    """

    loaded: Loaded
    suite: Suite | None
    most: float
    folder: Path
    first: Sequence[Outcome] = ()
    second: Sequence[Outcome] = ()

    @classmethod
    def of(cls, arguments: argparse.Namespace, loaded: Loaded) -> GuardedSuite:
        """By what the command line asks for.

        Raises:
            InputError: The suite is not what is expected.
        """
        from tutti.evaluate.suite import read_suite

        suite = read_suite(arguments.guard) if arguments.guard else None
        return cls(loaded, suite, arguments.loss_at_most, arguments.out)

    def before(self) -> None:
        """Ask the model as it is."""
        if self.suite is not None:
            self.first = answered(self.loaded, self.suite, self.folder / "guard-before.jsonl", "before")

    def refusal(self) -> str:
        """Ask the tuned model; why it may not be handed out, or nothing."""
        if self.suite is None:
            return ""
        file = self.folder / "guard-after.jsonl"
        file.unlink(missing_ok=True)
        self.second = answered(self.loaded, self.suite, file, "after")
        change = _comparison(self.first, self.second)
        lost = -100 * change.mean
        if lost <= self.most + 1e-9:
            return ""
        return (
            f"Not handed out: {self.suite.name} lost {lost:.1f} points ({-100 * change.high:.1f} to "
            f"{-100 * change.low:.1f}) of {len(self.first)} cases, and --loss-at-most is {self.most:g}; learn for "
            "fewer epochs, at a lower rate, or add rows like those of the suite."
        )

    def figures(self) -> list[CardFigure]:
        """Rows of the card."""
        return [_row(f"guard {self.suite.name}", self.first, self.second)] if self.suite else []

    def worse(self) -> list[str]:
        """What got worse."""
        if self.suite is None:
            return []
        change = _comparison(self.first, self.second)
        if change.mean >= 0:
            return []
        return [
            f"{self.suite.name}: {-100 * change.mean:.1f} points ({-100 * change.high:.1f} to {-100 * change.low:.1f})"
        ]


def writes_speech(loaded: Loaded) -> bool:
    """Whether a model's answers are transcripts."""
    return "transcribe" in loaded.info.tasks


def answered(loaded: Loaded, suite: Suite, file: Path, name: str) -> list[Outcome]:
    """What a model that is in memory answers to a suite; answers that are in the file are not asked for again."""
    from tutti.content import SamplingOptions
    from tutti.evaluate.reply_log import ReplyLog
    from tutti.evaluate.running import Candidate, EvaluationPlan, run
    from tutti.media import InProcess, Limits
    from tutti.providers.dictation import Dictation
    from tutti.providers.local import LocalResponder
    from tutti.providers.speech import LocalTranscriber
    from tutti.settings import read_settings

    file.parent.mkdir(parents=True, exist_ok=True)
    decoder = InProcess(Limits.from_settings(read_settings()))
    model: Responder = (
        Dictation(LocalTranscriber(name, loaded, decoder), name)
        if writes_speech(loaded)
        else LocalResponder(name, loaded, decoder)
    )
    longest = max((len(answer) for case in suite.cases for answer in case.expected), default=64)
    options = SamplingOptions(max_tokens=min(256, 16 + longest))
    plan = EvaluationPlan(suite=suite, candidates=[Candidate(name=name, model=model)], options=options, concurrency=8)
    return run(plan, log=ReplyLog(file))


def _scores(outcomes: Sequence[Outcome]) -> list[float]:
    """Of each case; one that failed is wrong."""
    return [one.score.value if one.score else 0.0 for one in outcomes]


def _comparison(before: Sequence[Outcome], after: Sequence[Outcome]) -> Any:
    from tutti.evaluate.statistics import compare

    return compare(_scores(after), _scores(before), [one.case.cluster for one in before]).difference


def _row(name: str, before: Sequence[Outcome], after: Sequence[Outcome]) -> CardFigure:
    from tutti.evaluate.statistics import share_interval
    from tutti.training.tuning_card import CardFigure

    clusters = [one.case.cluster for one in after]
    first, second = share_interval(_scores(before), clusters), share_interval(_scores(after), clusters)
    change = _comparison(before, after)

    def told(one: Any, sign: str = "") -> str:
        return f"{100 * one.mean:{sign}.1f} % ({100 * one.low:{sign}.1f} to {100 * one.high:{sign}.1f})"

    return CardFigure(name=name, before=told(first), after=told(second), change=told(change, "+"))


def _suite(tuning: Tuning, metric: str | None) -> Suite | None:
    """Held-out questions with one answer, as a suite; None where only the loss can be measured."""
    from tutti.evaluate.suite import METRICS, Suite
    from tutti.training.data import Dialogue

    if metric is not None and metric not in METRICS:
        raise InputError(f"--metric is {metric!r}; known are {', '.join(METRICS)}.")
    rows = [row for row in tuning.held_out if isinstance(row, Dialogue)]
    answers = [_words(row.messages[-1]) for row in rows]
    long = sum(len(answer.split()) for answer in answers) > _SHORT_WORDS * max(1, len(answers))
    if not rows or (metric is None and long):
        return None
    cases = [
        _case(f"{number} {row.where}", row.messages, answer, metric or "exact")
        for number, (row, answer) in enumerate(zip(rows, answers, strict=True))
    ]
    asked = tuple(case for case in cases if case is not None)
    if len(asked) < len(cases):
        note(f"{len(cases) - len(asked)} held-out rows have several turns or media in memory; only their loss counts.")
    return Suite(name="held out", cases=asked) if asked else None


def _case(name: str, messages: Sequence[Message], answer: str, metric: str) -> Case | None:
    from tutti.content import Media
    from tutti.evaluate.suite import Case

    media = [part.source for message in messages for part in message.parts if isinstance(part, Media)]
    paths = tuple(source for source in media if isinstance(source, str))
    if [message.role for message in messages] != ["user", "assistant"] or len(paths) < len(media):
        return None
    return Case(id=name, media=paths, question=_words(messages[0]), expected=(answer,), metric=metric)


def _words(message: Message) -> str:
    from tutti.content import Text

    return " ".join(part.text for part in message.parts if isinstance(part, Text))
