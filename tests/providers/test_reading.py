"""Text in pictures beside the model that ships: found by a reader that stands for one, and quoted with its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tutti
from recipes.tutti_mini.routes import UNSEEN_ON_TEXT
from tutti.content import Image, Message, Text, TextLine
from tutti.errors import InputError
from tutti.model import Model, default_reader
from tutti.providers.question_sorts import EXAMPLES
from tutti.providers.registry import open_provider

LINES = (
    TextLine(text="PLATFORM 9", box=(10, 20, 180, 60), confidence=0.98),
    TextLine(text="to London", box=(10, 80, 150, 110), confidence=0.91),
)
TICKET = (
    TextLine(text="Harbour Café", box=(10, 4, 150, 18), confidence=0.97),
    TextLine(text="Pier Street 4, Tel. 020 7946 0018", box=(10, 22, 190, 36), confidence=0.97),
    TextLine(text="Order No. 17", box=(10, 40, 100, 54), confidence=0.97),
    TextLine(text="12 May 2026", box=(10, 58, 100, 72), confidence=0.97),
    TextLine(text="Coffee, vanilla £3.20", box=(10, 76, 150, 90), confidence=0.97),
    TextLine(text="Total £7.40", box=(10, 94, 100, 108), confidence=0.97),
)
"""What has a line of every kind that is asked for."""
PICTURE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (120, 200, 3)).astype(np.uint8)

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
    said = [ask(provider, question, Reader(TICKET)) for question in UNSEEN_ON_TEXT]
    quoted = [answer for answer in said if any(line.text in answer.text for line in TICKET)]
    assert len(quoted) >= 18, [one for one, answer in zip(UNSEEN_ON_TEXT, said, strict=True) if answer not in quoted]
    assert all(answer.evidence for answer in quoted)
    assert not set(UNSEEN_ON_TEXT) & {example for examples in EXAMPLES.values() for example in examples}


@pytest.mark.parametrize("question", ["How much does it cost?", "When was it bought?", "What is the telephone number?"])
def test_lines_without_what_is_asked_for_are_no_answer(provider: Any, question: str) -> None:
    answer = ask(provider, question, Reader())
    assert "“" not in answer.text
    assert answer.notes == ("There is text in the picture, but none of it answers the question.",)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Does it say London?", "Yes."),
        ('Would you read this as "platform 9"?', "Yes."),
        ('Is the word "Paris" written here?', "No."),
        ("Is 9 the number here?", "Yes."),
        ("Is 8 the number here?", "No."),
        ("Is there any text?", "Yes."),
        ("Does the sign mention Londom?", "Yes."),
    ],
)
def test_what_lines_can_be_searched_for_is_answered_yes_or_no_from_them(
    provider: Any, question: str, said: str
) -> None:
    answer = ask(provider, question, Reader())
    assert answer.text == said
    assert answer.evidence


def test_whether_there_is_a_line_of_a_kind(provider: Any) -> None:
    assert ask(provider, "Is a price written on it?", Reader(TICKET)).text == "Yes."
    assert ask(provider, "Is a price written on it?", Reader()).text == "No."


def test_whether_there_is_text_is_answered_by_the_reader(provider: Any) -> None:
    answer = ask(provider, "Is anything written here?", Reader(()))
    assert (answer.text, answer.notes) == ("No.", ("No text was found in the picture.",))


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


def test_a_follow_up_is_on_the_picture_before(provider: Any) -> None:
    provider.reader = None
    turns = [Message.user(Image(PICTURE), "What is this?"), Message("assistant", (Text("a train"),))]
    answer = Model(provider, reader=Reader()).ask([*turns, Message.user("And what is written there?")])
    assert "PLATFORM 9" in answer.text


def test_lines_are_quoted_where_there_is_a_sound_as_well(provider: Any) -> None:
    provider.reader = None
    sound = tutti.Audio(np.zeros(1600, np.float32), sample_rate_hz=16000)
    answer = Model(provider, reader=Reader()).ask("Which word is written here?", Image(PICTURE), sound, max_tokens=12)
    assert answer.text == "“PLATFORM 9 to London”"


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
