"""Text in pictures beside the model that ships: found by a reader that stands for one, and quoted with its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tutti
from tutti.content import Image, Message, Text, TextLine
from tutti.errors import InputError
from tutti.model import Model, default_reader
from tutti.providers.reading import EXAMPLES, Sort
from tutti.providers.registry import open_provider

LINES = (
    TextLine(text="PLATFORM 9", box=(10, 20, 180, 60), confidence=0.98),
    TextLine(text="to London", box=(10, 80, 150, 110), confidence=0.91),
)
PICTURE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (120, 200, 3)).astype(np.uint8)

UNSEEN = (
    "What's on the board?",
    "Spell out the sign for me.",
    "How much do I owe?",
    "Which company printed this?",
    "What is the licence plate?",
    "Give me the wording on the package.",
    "Who is it addressed to?",
    "On what day was it issued?",
    "What flavour is it according to the label?",
    "What does the poster announce?",
    "Which words can you make out?",
    "What is the name of the shop?",
    "Could you transcribe the text?",
    "What's the phone number?",
    "How much was the coffee?",
    "Where does the sign point to?",
    "What is the order number?",
    "Quote the headline.",
    "What brand is it?",
    "Which street is the restaurant in?",
)
"""Written before the examples that questions are compared with."""
LEFT_TO_THE_MODEL = (
    "Is a cat visible?",
    "What colour is the car?",
    "How many people are there?",
    "Is this a dog or a wolf?",
    "Are there any trees?",
    "Which animal is on the left?",
    "Is the cup red?",
    "What is this?",
    "Describe this picture.",
    "What animal is this?",
)


class Reader:
    """What stands for a reader: it finds `lines` in every picture, and counts."""

    def __init__(self, lines: Sequence[TextLine] = LINES) -> None:
        self.lines, self.read_times, self.found_times = lines, 0, 0

    def finds(self, image: Image) -> bool:
        self.found_times += 1
        return bool(self.lines)

    def read(self, image: Image) -> Sequence[TextLine]:
        assert isinstance(image.source, np.ndarray), "a reader is given what was decoded"
        self.read_times += 1
        return self.lines


@pytest.fixture(scope="module")
def provider() -> Any:
    return open_provider("tutti-mini")


def ask(provider: Any, question: str, reader: Reader | None = None) -> tutti.Answer:
    provider.reader = None
    return Model(provider, reader=reader).ask(question, Image(PICTURE), max_tokens=12)


def test_phrasings_that_no_example_has_are_answered_from_the_lines(provider: Any) -> None:
    said = [ask(provider, question, Reader()) for question in UNSEEN]
    quoted = [answer for answer in said if any(line.text in answer.text for line in LINES)]
    assert len(quoted) >= 18, [question for question, one in zip(UNSEEN, said, strict=True) if one not in quoted]
    assert all(answer.evidence for answer in quoted)
    assert not set(UNSEEN) & {example for examples in EXAMPLES.values() for example in examples}


def test_what_is_to_be_seen_is_left_to_the_model(provider: Any) -> None:
    for question in LEFT_TO_THE_MODEL:
        with_reader = ask(provider, question, Reader())
        assert with_reader.text.startswith(ask(provider, question).text), question


def test_lines_are_the_evidence_with_their_boxes(provider: Any) -> None:
    answer = ask(provider, "What does it say?", Reader())
    assert answer.text == "“PLATFORM 9 to London”"
    assert [claim.text for claim in answer.evidence] == ["PLATFORM 9", "to London"]
    assert answer.evidence[0].evidence.endswith("at (10, 20, 180, 60), confidence 0.98")
    assert answer.notes == ()


def test_where_there_is_no_text_or_no_reader_the_model_answers_and_a_note_says_so(provider: Any) -> None:
    blank = Reader(())
    answer = ask(provider, "What does it say?", blank)
    assert (blank.found_times, blank.read_times) == (1, 0)
    assert answer.notes == ("No text was found in the picture.",)
    alone = ask(provider, "What does it say?")
    assert alone.text == answer.text
    assert "pip install 'tutti[ocr]'" in alone.notes[0]
    assert ask(provider, "What is this?").notes == ()


def test_a_thing_to_read_is_read_where_the_model_says_that_it_is_one(provider: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(provider), "_to_read", lambda self, said: True)
    answer = ask(provider, "What is this?", Reader())
    assert answer.text.endswith(" It reads: “PLATFORM 9 to London”")
    provider.reader = None
    streamed = list(Model(provider, reader=Reader()).stream("What is this?", Image(PICTURE), max_tokens=12))
    assert "".join(event.text for event in streamed[:-1] if hasattr(event, "text")) == answer.text
    monkeypatch.undo()
    assert provider._to_read("a street sign.")
    assert provider._to_read("something like a menu")
    assert not provider._to_read("a dog")
    assert not provider._to_read("yes")


@pytest.mark.parametrize(
    ("question", "sort"), [("Is there a horse?", "seen"), ("What do you see?", "open"), ("Read it.", "written")]
)
def test_sorts_of_questions(provider: Any, question: str, sort: Sort) -> None:
    assert provider.sort_of(question) == sort


def test_a_follow_up_is_on_the_picture_before(provider: Any) -> None:
    provider.reader = None
    turns = [Message.user(Image(PICTURE), "What is this?"), Message("assistant", (Text("a train"),))]
    answer = Model(provider, reader=Reader()).ask([*turns, Message.user("And what is written there?")])
    assert "PLATFORM 9" in answer.text


def test_what_cannot_be_decoded_is_an_error_of_the_model(provider: Any, tmp_path: Any) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(40))
    provider.reader = None
    with pytest.raises(InputError, match="broken"):
        Model(provider, reader=Reader()).ask("What does it say?", str(broken))


def test_a_model_that_quotes_gets_the_reader_of_the_extra(provider: Any) -> None:
    reader = default_reader(provider)
    assert reader is not None
    assert tutti.load(reader=False).reader is None
    assert default_reader(open_provider("whisper-base")) is None
