"""A reader of text beside a model that answers and embeds: what is written in a picture is quoted, with its place.

Who answers is decided by `providers.question_routes`: open questions about what is written are answered from the lines
of the picture, if one of them answers, and yes/no questions that name a word or a number by searching the lines. What a
thing is, is said by the model; where it says that it is something to read (a sign, a menu, a package), what that reads
is added.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tutti.content import (
    Answer,
    Conversation,
    Event,
    Finished,
    Image,
    SamplingOptions,
    TextDelta,
    TextLine,
    TextSize,
    Usage,
)
from tutti.errors import TuttiError
from tutti.interfaces import TextFinder, TextReader
from tutti.providers.question_checks import Check, is_in
from tutti.providers.question_routes import QuestionRoutes, asked_of
from tutti.providers.quoting import WrittenRow, claims, fitting, kind_asked, quote, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tutti.media import MediaDecoder

    class _Answering(QuestionRoutes):
        """What the class that this is mixed into has."""

        name: str
        decoder: MediaDecoder

        def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]: ...
        def text_size(self, text: str) -> TextSize: ...
else:
    _Answering = QuestionRoutes

THINGS_TO_READ = (
    "a sign", "a street sign", "a traffic sign", "a menu", "a web site", "a book", "a book jacket", "an envelope",
    "a packet", "a package", "a carton", "a comic book", "a crossword puzzle", "a label", "a receipt", "a poster",
    "a screen", "a monitor", "a license plate", "a newspaper", "a letter", "a page of text", "a sheet of paper",
    "a scoreboard", "a billboard", "a document", "a milk carton",
)  # fmt: skip
"""What is read where the model says that it sees one, or something like it."""
_LIKE_THAT = 0.62
"""Cosine between an answer and the nearest of these from which on it is one."""
_UNREAD = (
    "No reader of text is installed (pip install 'tutti[ocr]'); {name} itself reads about one drawn word in four, and "
    "hardly any in photographs."
)
_NO_TEXT = "No text was found in the picture."
_NO_ANSWER = "There is text in the picture, but none of it answers the question."


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read in a picture."""

    lines: tuple[TextLine, ...]
    name: str
    """Of the picture."""


class Reading(_Answering):
    """Goes before a class that answers and embeds."""

    reader: TextReader | None = None
    """Reads the text in pictures; None leaves all to the model."""

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """As without a reader; what is asked about written words is answered from the lines, its evidence."""
        asked = None if options.json_schema is not None else asked_of(conversation)
        if asked is None or asked.picture is None:
            yield from super().stream(conversation, options)
            return
        routed = self.routed(asked.question, picture=True, sound=asked.sound is not None)
        if routed.route not in ("lines", "check lines"):
            events = super().stream(conversation, options)
            reads = routed.asks_what and asked.sound is None
            yield from self._with_what_it_reads(events, asked.picture) if reads else events
            return
        begun = time.perf_counter()
        found = self._read(asked.picture)
        answer = self._from_lines(asked.question, routed.check, found, asked.picture.name, begun)
        if answer is not None:
            yield TextDelta(answer.text)
            yield Finished(answer)
            return
        note = _UNREAD.format(name=self.name) if self.reader is None else _NO_ANSWER if found else _NO_TEXT
        for event in super().stream(conversation, options):
            yield _noted(event, note) if isinstance(event, Finished) else event

    def _read(self, picture: Image) -> Found | None:
        """What is written in a picture; None if nothing is, or it cannot be told."""
        if self.reader is None:
            return None
        try:
            # What the reader gets is decoded: it must not open files that were to be opened in a sandbox.
            pixels = self.decoder.image(picture)
            part = Image(pixels)
            if isinstance(self.reader, TextFinder) and not self.reader.finds(part):
                return None
            # What has neither a letter nor a digit is a line or a corner of a drawing that was taken for one.
            lines = tuple(line for line in self.reader.read(part) if any(map(str.isalnum, line.text)))
        except TuttiError:
            return None  # what is wrong with the picture, the model says in its own words
        return Found(lines=lines, name=picture.name) if lines else None

    def _from_lines(
        self, question: str, check: Check | None, found: Found | None, picture: str, begun: float
    ) -> Answer | None:
        """What the lines answer; None if they do not, so that the model may."""
        rows: Sequence[WrittenRow]
        if check is not None:
            told = _searched(check, found, self.reader is not None)
            if told is None:
                return None
            text, rows = told
        else:
            quoted = None if found is None else quote(question, found.lines, self._cosines)
            if quoted is None:
                return None
            text, rows = quoted.text, quoted.rows
        return Answer(
            text=text,
            model=self.name,
            finish_reason="stop",
            usage=Usage(),
            seconds=time.perf_counter() - begun,
            evidence=claims(rows, picture),
            notes=() if found is not None else (_NO_TEXT,),
        )

    def _with_what_it_reads(self, events: Iterator[Event], picture: Image) -> Iterator[Event]:
        """The model's answer; if that is something to read, with what it reads."""
        for event in events:
            if not isinstance(event, Finished):
                yield event
                continue
            answer = event.answer
            found = self._read(picture) if self.reader is not None and self._to_read(answer.text) else None
            if found is not None:
                quoted = quote("", found.lines, self._cosines)
                end = "" if answer.text.rstrip().endswith((".", "!", "?")) else "."
                more = f"{end} It reads: {quoted.text}" if quoted is not None else ""
                yield TextDelta(more)
                evidence = (*answer.evidence, *claims(rows_of(found.lines), found.name))
                answer = replace(answer, text=answer.text + more, evidence=evidence)
            yield Finished(answer)

    def _to_read(self, said: str) -> bool:
        """Whether what the model sees is one of `THINGS_TO_READ`, or much like one."""
        try:
            (vector,) = self._points([said.strip().rstrip(".")])
            return bool((self._things @ vector).max() >= _LIKE_THAT)
        except TuttiError:
            return False

    @cached_property
    def _things(self) -> NDArray[np.float32]:
        return self._points(THINGS_TO_READ)

    def _cosines(self, question: str, texts: Sequence[str]) -> list[float]:
        """Nearness of texts to a question; what the vocabulary has nothing of is far from all."""
        if not question.strip():
            return [0.0] * len(texts)
        sizes = [self.text_size(text) for text in texts]
        known = [index for index, size in enumerate(sizes) if size.tokens and not size.says_nothing]
        vectors = self._points([question, *(texts[index] for index in known)])
        out = [0.0] * len(texts)
        for index, score in zip(known, vectors[1:] @ vectors[0], strict=True):
            out[index] = float(score)
        return out


def _searched(check: Check, found: Found | None, has_reader: bool) -> tuple[str, Sequence[WrittenRow]] | None:
    """Yes or no, and the rows it rests on; None where nothing was read, unless that is what was asked."""
    if found is None:
        return ("No.", ()) if has_reader and not check.named else None
    rows = rows_of(found.lines)
    if not check.named:
        return "Yes.", rows
    holding = [row for row in rows if is_in(check.named, row.text, read=True)]
    kind = kind_asked(check.named)
    if not holding and kind is not None:  # "Is there a price on it?"
        holding = fitting(kind, rows)
    if not holding and is_in(check.named, " ".join(row.text for row in rows), read=True):
        holding = rows
    return ("Yes.", holding) if holding else ("No.", rows)


def _noted(event: Finished, note: str) -> Finished:
    return Finished(replace(event.answer, notes=(*event.answer.notes, note)))
