"""A stream that is watched: what is reported when, what is held, and which picture a question is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.search.synthetic_media import COLOURS, RATE_HZ, Space, Speaker, tone
from tutti.content import FinalSegment, FinalWords, LiveEvent, Segment, TimedWord
from tutti.errors import InputError
from tutti.search.live_questions import LiveQuestions, questions_in
from tutti.search.live_watch import KEPT_S, MOST_KEPT, LiveWatch


def shade(colour: str, seed: int = 0) -> np.ndarray:
    """A picture of a colour, no two alike."""
    rng = np.random.default_rng(seed)
    return np.clip(np.array(COLOURS[colour]) + rng.integers(-40, 40, (64, 64, 3)), 0, 255).astype(np.uint8)


def caption(text: str, end_s: float = 1.0) -> list[LiveEvent]:
    return [FinalSegment(Segment(start_s=0.0, end_s=end_s, text=text))]


def words(*said: str) -> list[LiveEvent]:
    return [FinalWords(tuple(TimedWord(start_s=n, end_s=n + 0.5, text=word) for n, word in enumerate(said)))]


def test_a_thing_that_is_seen_is_reported_once_until_it_was_gone() -> None:
    watch = LiveWatch(Space(), ["red", "yellow"])
    alerts = []
    for second, colour in enumerate(["blue", "red", "red", "blue", "blue", "blue", "blue", "blue", "red"]):
        alerts += watch.see(shade(colour, second), float(second))
    assert [(one.thing, one.sense, one.start_s) for one in alerts] == [("red", "seen", 1.0), ("red", "seen", 8.0)]
    assert all(one.fit >= 0.5 for one in alerts)


def test_a_sound_is_reported_with_its_window_however_the_stream_is_cut() -> None:
    sound = np.concatenate([tone("low", 5.0), tone("high", 5.0), tone("low", 4.0)])
    found = []
    for blocks in (1, 7, 200):
        watch = LiveWatch(Space(), ["high"])
        alerts = [alert for block in np.array_split(sound, blocks) for alert in watch.hear(block)]
        found.append([(one.sense, one.start_s, one.end_s) for one in alerts])
    assert found[0] == found[1] == found[2]
    ((sense, start_s, end_s),) = found[0]
    assert (sense, end_s - start_s) == ("heard", 2.5)
    assert 3.5 <= start_s <= 5.0


def test_silence_is_not_looked_at_and_memory_does_not_grow() -> None:
    space = Space()
    watch = LiveWatch(space, ["high"])
    before = len(space.calls)
    for _ in range(40):
        assert watch.hear(np.zeros(RATE_HZ, np.float32)) == []
    assert len(space.calls) == before
    assert len(watch._samples) < 3 * RATE_HZ


def test_words_in_quotation_marks_are_to_be_said() -> None:
    watch = LiveWatch(Space(), ['somebody says "red card"'])
    assert watch.see(shade("red"), 0.0) == []
    assert watch.said(words("Show", "me", "the", "Red")) == []
    assert watch.said(caption("red card")) == []
    (alert,) = watch.said([FinalWords((TimedWord(start_s=9.0, end_s=9.5, text="card!"),))])
    assert (alert.sense, alert.start_s, alert.end_s) == ("said", 3.0, 9.5)


def test_what_does_not_change_is_embedded_once_and_lasts() -> None:
    space = Space()
    watch = LiveWatch(space)
    before = len(space.calls)
    for second in range(10):
        watch.see(shade("red"), float(second))
    assert len(space.calls) == before + 1
    (glimpse,) = watch.glimpses
    assert (glimpse.at_s, glimpse.until_s) == (0.0, 9.0)


def test_the_last_minutes_are_held_and_no_more() -> None:
    watch = LiveWatch(Space())
    for number in range(MOST_KEPT + 50):
        watch.see(shade(("red", "blue")[number % 2], number % 7), number * 2.0)
    assert len(watch.glimpses) <= MOST_KEPT
    assert watch.glimpses[0].until_s >= watch.glimpses[-1].at_s - KEPT_S


def test_a_model_that_does_not_hear_watches_what_it_sees() -> None:
    watch = LiveWatch(Space(hears=False), ["red"])
    assert watch.hear(tone("high", 4.0)) == []
    assert len(watch.see(shade("red"), 1.0)) == 1


def test_an_empty_alert_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        LiveWatch(Space(), ["a dog", " "])


@pytest.fixture
def asked() -> tuple[LiveWatch, LiveQuestions, Speaker]:
    """Blue until 4 s, then red."""
    speaker = Speaker(says="a red thing")
    watch = LiveWatch(speaker)
    for second, colour in enumerate(["blue"] * 4 + ["red"] * 3):
        watch.see(shade(colour, second), float(second))
    return watch, LiveQuestions(speaker, watch, speaker.name), speaker


Asked = tuple[LiveWatch, LiveQuestions, Speaker]


def test_a_question_is_answered_from_what_is_seen_now(asked: Asked) -> None:
    _, questions, speaker = asked
    (found,) = questions.heard(caption("Here it is. What is this?", 6.5))
    assert (found.question, found.asked_s, found.shown_s) == ("What is this?", 6.5, 6.0)
    assert found.answer.text == "a red thing"
    assert speaker.asked[-1][-1].parts[0].modality == "image"


def test_a_question_about_before_is_about_the_shot_before(asked: Asked) -> None:
    _, questions, _ = asked
    (found,) = questions.heard(caption("What did she hold up before?"))
    assert found.shown_s == 3.0


def test_when_is_answered_by_the_time(asked: Asked) -> None:
    _, questions, speaker = asked
    (found,) = questions.heard(caption("When did red appear?"))
    assert found.answer.text.startswith("From ")
    assert found.shown_s is not None and found.shown_s >= 4.0
    (missing,) = questions.heard(caption("When did yellow appear?"))
    assert "not seen" in missing.answer.text
    (seen,) = questions.heard(caption("When did you see blue?"))
    assert (seen.shown_s or 0.0) < 4.0 and seen.answer.text.startswith("From ")
    assert speaker.asked == []


def test_a_question_in_two_captions_is_one_and_statements_are_none(asked: Asked) -> None:
    _, questions, _ = asked
    assert list(questions.heard(caption("And what colour is the thing that"))) == []
    (found,) = questions.heard(caption("she holds up?"))
    assert found.question == "And what colour is the thing that she holds up?"
    assert list(questions.heard(caption("This is red."))) == []


def test_before_anything_is_seen_it_says_so() -> None:
    speaker = Speaker()
    (found,) = LiveQuestions(speaker, LiveWatch(speaker), "m").heard(caption("What is this?"))
    assert found.answer.text == "Nothing is seen yet."


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("What is it?", ["What is it?"]),
        ("Tell me what you see.", ["Tell me what you see."]),
        ("It is a dog. Is it brown? I think so.", ["Is it brown?"]),
        ("Okay, now, how many are there", ["Okay, now, how many are there"]),
        ("Whatever. I was there.", []),
    ],
)
def test_questions_are_found_by_their_mark_or_their_beginning(said: str, found: Sequence[str]) -> None:
    assert questions_in(said) == found
