"""A reader of text beside a model that answers and embeds: what is written in a picture is quoted, with its place.

Questions on what is to be seen (is there a dog, what colour, how many) are left to the model. All others that may be
about something written are answered from the lines of the picture, if there are any. What a thing is, is said by the
model; where it says that it is something to read (a sign, a menu, a package), what it reads is added. Sorts of
questions are told apart by nearness to examples in the space, not by words.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tutti.content import (
    Answer,
    Conversation,
    Embeddings,
    Event,
    Finished,
    Image,
    Part,
    SamplingOptions,
    Text,
    TextDelta,
    TextLine,
    TextSize,
    Usage,
)
from tutti.errors import TuttiError
from tutti.interfaces import TextFinder, TextReader
from tutti.providers.quoting import claims, quote, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tutti.media import MediaDecoder

    class _Answering:
        """What the class that this is mixed into has."""

        name: str
        decoder: MediaDecoder

        def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]: ...
        def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings: ...
        def shortened(self, text: str) -> str: ...
        def text_size(self, text: str) -> TextSize: ...
else:
    _Answering = object

Sort = Literal["written", "seen", "open"]
"""Of questions: about what is written, about what is to be seen, what a thing is."""

EXAMPLES: dict[Sort, tuple[str, ...]] = {
    "written": (
        "What does it say?", "What is written here?", "Read the text.", "Read this out loud.",
        "What does the sign say?", "Which word is shown?", "What text is in the picture?",
        "What number is printed on it?", "What is the total?", "How much does it cost?", "What is the price?",
        "When was it bought?", "What is the date?", "Which shop is it from?", "What is the name of the restaurant?",
        "What is the address?", "What is the telephone number?", "Which brand is this?", "Who made it?",
        "What is the title?", "What does the label say?", "What is on the receipt?", "Which street is this?",
        "What does the screen show as text?", "Transcribe what is written.", "What is the number on the plate?",
        "What language is the text in?", "Which station is this?", "What does the heading say?", "Who sent it?",
        "What is the web site?", "What is it called?", "Quote the words.", "How much was paid?",
        "Is there any text?", "What letters do you see?",
    ),
    "seen": (
        "Is there a dog?", "Is there a person in the picture?", "Do you see a car?", "Does the picture show a cat?",
        "Is this a flower?", "What colour is it?", "What color is the shirt?", "How many are there?",
        "How many birds do you see?", "Where is the cat?", "Is it on the left or on the right?",
        "What is on the left?", "Is the dog above the tree?", "Is it big or small?", "Which of the two is it?",
        "Is this a cup or a bottle?", "Is it day or night?", "Is he smiling?", "Is it outdoors?",
        "What is next to the table?", "Are they moving?", "What is the person doing?", "Who is this?",
        "Who is in the picture?", "Where was this taken?", "What is the weather like?",
        "Does the sound fit the picture?",
    ),
    "open": (
        "What is this?", "What do you see?", "Describe the picture.", "What is in the picture?",
        "What does the picture show?", "What is shown here?", "Name the thing in the photo.",
        "What kind of thing is this?", "What animal is this?", "Write a caption.", "Which object is this?",
        "Tell me what you see.", "What is happening here?", "List everything that you see.",
        "Which food is this?", "What plant is this?",
    ),
}  # fmt: skip
"""Questions of each sort, which others are compared with."""
_SHARPNESS = 20.0
_KNOWN, _RATHER_WRITTEN, _CLEARLY_SEEN = 0.5, 0.14, 0.03
"""What a thing is, is asked for by a question that is so near to the examples of that, and nearer by so much than to
those about text; what is to be seen, by one that is nearer by so much. All others may be about text."""
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
        asked = None if options.json_schema is not None else _asked(conversation)
        sort = None if asked is None else self.sort_of(asked[0])
        if asked is None or sort == "seen":
            yield from super().stream(conversation, options)
            return
        if sort == "open":
            yield from self._with_what_it_reads(super().stream(conversation, options), asked[1])
            return
        begun = time.perf_counter()
        found = None if self.reader is None else self._read(asked[1])
        if found is not None:
            answer = self._from_lines(asked[0], found, begun)
            yield TextDelta(answer.text)
            yield Finished(answer)
            return
        note = _UNREAD.format(name=self.name) if self.reader is None else _NO_TEXT
        for event in super().stream(conversation, options):
            yield _noted(event, note) if isinstance(event, Finished) else event

    def sort_of(self, question: str) -> Sort:
        """What sort of question it is, by the examples that it is nearest to; open if its words are unknown."""
        try:
            (vector,) = self._points([question])
            near = {sort: _soft_maximum(points @ vector) for sort, points in self._examples.items()}
        except TuttiError:
            return "open"
        if near["seen"] > max(near["open"], near["written"] + _CLEARLY_SEEN):
            return "seen"
        clear = near["open"] >= _KNOWN and near["open"] > near["written"] + _RATHER_WRITTEN
        return "open" if clear else "written"

    @cached_property
    def _examples(self) -> dict[Sort, NDArray[np.float32]]:
        return {sort: self._points(questions) for sort, questions in EXAMPLES.items()}

    def _points(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed([Text(self.shortened(text)) for text in texts]).vectors

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

    def _from_lines(self, question: str, found: Found, begun: float) -> Answer:
        quoted = quote(question, found.lines, self._cosines)
        rows = quoted.rows if quoted is not None else ()
        return Answer(
            text=quoted.text if quoted is not None else _NO_TEXT,
            model=self.name,
            finish_reason="stop",
            usage=Usage(),
            seconds=time.perf_counter() - begun,
            evidence=claims(rows, found.name),
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


def _soft_maximum(cosines: NDArray[np.float32]) -> float:
    """The mean of cosines, in which the highest count most."""
    return math.log(sum(math.exp(_SHARPNESS * float(cosine)) for cosine in cosines) / len(cosines)) / _SHARPNESS


def _noted(event: Finished, note: str) -> Finished:
    return Finished(replace(event.answer, notes=(*event.answer.notes, note)))


def _asked(conversation: Conversation) -> tuple[str, Image] | None:
    """The question of the last turn and the picture it is on: the only medium, or the last one shown."""
    if not conversation or conversation[-1].role != "user":
        return None
    question = " ".join(part.text for part in conversation[-1].parts if isinstance(part, Text)).strip()
    media = [part for message in conversation for part in message.parts if not isinstance(part, Text)]
    if not question or not media or not isinstance(media[-1], Image):
        return None
    return question, media[-1]
