"""Spoken questions about what is seen: which sentences are questions, which picture they are about, and the answer."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

import numpy as np

from tutti.content import (
    Answer,
    FinalSegment,
    Finished,
    LiveAnswer,
    LiveEvent,
    Message,
    SamplingOptions,
    Usage,
)
from tutti.interfaces import Responder
from tutti.search.answer.answers import RELEVANT, asks_when, thing_asked_for
from tutti.search.live_watch import Glimpse, LiveWatch
from tutti.search.query.fusion import probability

_QUESTION = re.compile(
    r"^\W*(?:(?:and|so|now|then|well|okay|ok|please)\W+)*"
    r"(?:what|who|whose|which|where|when|why|how|is|are|was|were|does|do|did|can|could|will|would|has|have|"
    r"tell me|describe|name|count|read)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\b(?:before|earlier|previously|previous|just now|a moment ago|ago|last time|was|were|did)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"[^.?!…]+[.?!…]*")
_NOTHING_SEEN = "Nothing is seen yet."
_NOT_SEEN = "That was not seen in the last {held}."


class LiveQuestions:
    """Answers the questions that are asked in a stream.

    Args:
        responder: Answers questions on pictures.
        watch: What holds the pictures.
        name: Of the model.
    """

    def __init__(self, responder: Responder, watch: LiveWatch, name: str) -> None:
        self.responder, self.watch, self.name = responder, watch, name
        self._open, self._end_s = "", 0.0

    def heard(self, events: Iterable[LiveEvent]) -> Iterator[LiveAnswer]:
        """Take what was written down; an answer for each question that has ended."""
        for event in events:
            if not isinstance(event, FinalSegment):
                continue
            self._open, self._end_s = f"{self._open} {event.segment.text}".strip(), event.segment.end_s
            if not self._open.endswith((".", "?", "!", "…")) and len(self._open.split()) < 40:
                continue
            said, self._open = self._open, ""
            yield from (self.answer(sentence, self._end_s) for sentence in questions_in(said))

    def answer(self, question: str, asked_s: float) -> LiveAnswer:
        """The answer to a question from what is seen now, or was seen before.

        Args:
            question: In words.
            asked_s: When it ended, from the beginning of the stream.
        """
        begun = time.perf_counter()
        if not self.watch.glimpses:
            return self._of(question, asked_s, None, _NOTHING_SEEN, begun)
        if asks_when(question):
            return self._when(question, asked_s, begun)
        glimpse = glimpse_about(self.watch, question)
        conversation = [Message.user(glimpse.picture, question)]
        for event in self.responder.stream(conversation, SamplingOptions()):
            if isinstance(event, Finished):
                return LiveAnswer(question=question, asked_s=asked_s, shown_s=glimpse.at_s, answer=event.answer)
        raise AssertionError("a responder ends its stream with Finished")

    def _when(self, question: str, asked_s: float, begun: float) -> LiveAnswer:
        glimpses = list(self.watch.glimpses)
        vectors = np.stack([one.vector for one in glimpses])
        odds = self.watch.odds(thing_asked_for(question), vectors, "image")
        best = int(odds.argmax())
        if probability(float(odds[best])) < RELEVANT:
            seconds = glimpses[-1].until_s - glimpses[0].at_s
            held = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
            return self._of(question, asked_s, None, _NOT_SEEN.format(held=held), begun)
        one = glimpses[best]
        return self._of(question, asked_s, one.at_s, f"From {one.at_s:.1f} to {one.until_s:.1f} s.", begun)

    def _of(self, question: str, asked_s: float, shown_s: float | None, text: str, begun: float) -> LiveAnswer:
        answer = Answer(
            text=text, model=self.name, finish_reason="stop", usage=Usage(), seconds=time.perf_counter() - begun
        )
        return LiveAnswer(question=question, asked_s=asked_s, shown_s=shown_s, answer=answer)


def glimpse_about(watch: LiveWatch, question: str) -> Glimpse:
    """The picture that a question is about: of what was before, the last one of the shot before.

    Args:
        watch: Holds one picture or more.
        question: In words.
    """
    newest = watch.glimpses[-1]
    if not _BEFORE.search(question):
        return newest
    return next((one for one in reversed(watch.glimpses) if one.shot < newest.shot), newest)


def questions_in(said: str) -> list[str]:
    """The sentences that are questions: by their mark, or by how they begin."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(said)]
    return [one for one in sentences if one.endswith("?") or _QUESTION.match(one)]
