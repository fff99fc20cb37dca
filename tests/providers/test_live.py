"""Speech written down while it is said: what is final when, with a fake for the model; and Whisper."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tutti.content import (
    Audio,
    FinalSegment,
    FinalWords,
    GuessedWords,
    LiveEvent,
    Segment,
    TimedWord,
    TranscriptionOptions,
    WindowScores,
)
from tutti.media import InProcess, Limits
from tutti.providers.agreement import HeardWord, LocalAgreement, words_of
from tutti.providers.captions import CaptionLines
from tutti.providers.ears import Ears
from tutti.providers.live import Cadence, LiveTranscriber

RATE = 16_000
SPEECH = Path(__file__).parents[2] / "examples" / "media" / "speech.ogg"
Samples = NDArray[np.float32]


def heard(text: str, segment: int = 0, start_s: float = 0.0) -> list[HeardWord]:
    return [
        HeardWord(TimedWord(start_s=start_s + at, end_s=start_s + at + 1, text=one), segment)
        for at, one in enumerate(text.split())
    ]


def texts(words: list[TimedWord]) -> str:
    return " ".join(one.text for one in words)


def voice(seconds: float, seed: int = 0) -> Samples:
    """Noise that rises and falls four times a second, as speech does."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(times))
    return (0.1 * noise * (np.sin(2 * np.pi * 4 * times) > 0)).astype(np.float32)


def quiet(seconds: float) -> Samples:
    return (1e-5 * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype(np.float32)


class Dictation:
    """Hears a word for each half second of sound that began; the last one, cut short, is heard wrongly."""

    def __init__(self, scores: WindowScores | None = None) -> None:
        self.asked: list[tuple[float, TranscriptionOptions]] = []
        self.scores = scores
        self.word = 0

    def __call__(self, samples: Samples, options: TranscriptionOptions) -> tuple[list[Segment], str | None]:
        seconds = len(samples) / RATE
        self.asked.append((seconds, options))
        words = [f"w{at}" for at in range(int(seconds / 0.5))]
        words += ["…cut"] if seconds % 0.5 else []
        parts = [words[at : at + 8] for at in range(0, len(words), 8)]
        return [
            Segment(start_s=4.0 * at, end_s=min(4.0 * at + 4.0, seconds), text=" ".join(part), scores=self.scores)
            for at, part in enumerate(parts)
        ], "en"


def fed(live: LiveTranscriber, samples: Samples, block_s: float = 0.25) -> list[LiveEvent]:
    size = round(block_s * RATE)
    return [event for at in range(0, len(samples), size) for event in live.feed(samples[at : at + size])]


def final(events: list[LiveEvent]) -> list[str]:
    return [word.text for event in events if isinstance(event, FinalWords) for word in event.words]


def test_what_two_hypotheses_begin_with_is_final() -> None:
    words = LocalAgreement()
    assert words.agreed(heard("The cat")) == []
    assert texts(words.agreed(heard("the cat sat, on"))) == "the cat"
    assert texts(words.guess) == "sat, on"
    assert texts(words.agreed(heard("The cat sat in the"))) == "sat"
    assert texts(words.agreed(heard("The cat sat in the hall"))) == "in the"
    assert texts(words.agreed(heard("The cat sat in the hall."), all_of_them=True)) == "hall."


def test_final_words_are_found_again_though_some_are_heard_otherwise() -> None:
    words = LocalAgreement()
    for _ in range(2):
        words.agreed(heard("one two three four five"))
    assert words.agreed(heard("one too three, four five six")) == []
    assert texts(words.agreed(heard("one too three four and five six seven"))) == "six"


def test_a_hypothesis_of_something_else_is_passed_over_and_then_placed_by_its_times() -> None:
    words = LocalAgreement()
    for _ in range(2):
        words.agreed(heard("one two three"))
    other = "quite another thing here"
    assert [texts(words.agreed(heard(other))) for _ in range(2)] == ["", ""]
    assert words.agreed(heard(other)) == []  # the third time its last word, said later, is a guess
    assert texts(words.guess) == "here"
    assert texts(words.agreed(heard(other), all_of_them=True)) == "here"


def test_segments_that_are_final_are_cut_off() -> None:
    words = LocalAgreement()
    both = [*heard("one two.", 0), *heard("three four", 1, 2.0)]
    words.agreed(both)
    assert words.cut() == []
    assert texts(words.agreed(both)) == "one two. three four"
    assert texts(words.cut()) == "one two."
    words.shift(2.0)
    assert texts(words.agreed(heard("three four five"))) == ""
    assert texts(words.agreed(heard("three four five six"))) == "five"


def test_words_share_the_time_of_their_segment_and_end_with_the_sound() -> None:
    segment = Segment(start_s=1.0, end_s=3.0, text="abcd efgh")
    assert [(one.word.start_s, one.word.end_s) for one in words_of([segment], 9.0)] == [(1.0, 2.0), (2.0, 3.0)]
    assert words_of([segment], 2.5)[-1].word.end_s == 2.5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("Hello", 0, 1), ("there.", 1, 2)], ["Hello there."]),
        ([("Good", 0, 1), ("evening", 1, 2), ("all.", 2, 3), ("Next", 3, 4)], ["Good evening all.", "Next"]),
        ([("before", 0, 1), ("after", 2.5, 3)], ["before", "after"]),
        ([("long", 0, 4), ("longer", 4, 8)], ["long", "longer"]),
        ([("x" * 50, 0, 1), ("y" * 50, 1, 2)], ["x" * 50, "y" * 50]),
    ],
)
def test_captions_end_with_sentences_pauses_and_lines(words: list[tuple[str, float, float]], expected: list) -> None:
    lines = CaptionLines()
    found = lines.add([TimedWord(start_s=start, end_s=end, text=text) for text, start, end in words])
    assert [one.text for one in [*found, *lines.close()]] == expected


def test_words_are_guessed_first_then_final_and_a_pause_ends_them() -> None:
    live = LiveTranscriber(Dictation(), RATE)
    events = fed(live, voice(5.1))
    assert isinstance(events[0], GuessedWords)
    before = final(events)
    assert before == [f"w{at}" for at in range(len(before))] and len(before) >= 5
    assert "…cut" not in before
    events = fed(live, quiet(2.0))
    assert final(events)[0] == f"w{len(before)}"
    assert not live.in_utterance
    assert any(isinstance(event, FinalSegment) for event in events)


def test_every_word_is_final_once_and_in_order_in_a_long_stretch() -> None:
    live = LiveTranscriber(Dictation(), RATE)
    words = [word for event in [*fed(live, voice(60.0)), *live.finish()] if isinstance(event, FinalWords)
             for word in event.words]  # fmt: skip
    assert len(words) >= 100
    assert all(one.end_s <= other.start_s + 1e-9 for one, other in pairwise(words))
    assert words[-1].end_s <= 60.0


def test_memory_does_not_grow_with_the_stream() -> None:
    hear = Dictation()
    live = LiveTranscriber(hear, RATE)
    sizes = []
    for _ in range(10):
        fed(live, voice(20.0), 1.0)
        fed(live, quiet(10.0), 1.0)
        sizes.append(len(live._samples))
    assert max(sizes) <= 4 * RATE
    assert live.seconds == 300.0
    assert max(seconds for seconds, _ in hear.asked) < 30
    assert all(len(options.prompt) <= 160 for _, options in hear.asked)
    assert hear.asked[-1][1].prompt


def test_a_stretch_without_ends_of_segments_is_cut() -> None:
    hear = Dictation()

    def one_segment(samples: Samples, options: TranscriptionOptions) -> tuple[list[Segment], str | None]:
        segments, language = hear(samples, options)
        text = " ".join(one.text for one in segments)
        return [Segment(start_s=0.0, end_s=len(samples) / RATE, text=text)], language

    live = LiveTranscriber(one_segment, RATE)
    fed(live, voice(70.0), 1.0)
    assert max(seconds for seconds, _ in hear.asked) <= 25.5


@pytest.mark.parametrize("still", [np.zeros(20 * RATE, np.float32), quiet(20.0), 1000 * quiet(20.0)])
def test_nothing_is_heard_in_silence_and_steady_noise(still: Samples) -> None:
    hear = Dictation()
    live = LiveTranscriber(hear, RATE)
    assert [*fed(live, still), *live.finish()] == []
    assert hear.asked == []


@pytest.mark.parametrize(
    "scores",
    [
        {"compression_ratio": 2.0},
        {"mean_log_probability": -1.2},
        {"no_speech": 0.9, "mean_log_probability": -0.8},
    ],
)
def test_what_repeats_itself_or_was_guessed_is_not_believed(scores: dict[str, float]) -> None:
    sure = {"mean_log_probability": -0.2, "compression_ratio": 1.0, "no_speech": 0.1}
    doubtful = WindowScores(window_start_s=0.0, temperature=0.0, **{**sure, **scores})
    live = LiveTranscriber(Dictation(doubtful), RATE)
    assert [*fed(live, voice(5.0)), *fed(live, quiet(3.0)), *live.finish()] == []
    live = LiveTranscriber(Dictation(WindowScores(window_start_s=0.0, temperature=0.0, **sure)), RATE)
    assert final([*fed(live, voice(5.0)), *live.finish()])


def test_a_stream_can_be_left_with_what_is_final() -> None:
    hear = Dictation()
    live = LiveTranscriber(hear, RATE)
    before = final(fed(live, voice(5.1)))
    asked = len(hear.asked)
    rest = live.finish(hear=False)
    assert len(hear.asked) == asked
    segments = [event.segment.text for event in rest if isinstance(event, FinalSegment)]
    assert " ".join(before).endswith(segments[-1])
    assert rest[-1] == GuessedWords("", rest[-1].start_s, rest[-1].end_s)  # type: ignore[union-attr]


def test_the_language_of_the_first_seconds_is_kept() -> None:
    hear = Dictation()
    fed(LiveTranscriber(hear, RATE), voice(8.0))
    assert hear.asked[0][1].language is None
    assert hear.asked[-1][1].language == "en"


def test_whisper_live_writes_what_it_writes_of_the_whole_file() -> None:
    decoder = InProcess(Limits())
    ears = Ears(decoder)
    whole = ears.transcribe(Audio(SPEECH))
    samples = decoder.sound(Audio(SPEECH)).resampled(RATE).samples
    live = ears.live()
    events = [*fed(live, samples, 0.5), *live.finish()]
    said = [event.segment for event in events if isinstance(event, FinalSegment)]
    assert _plain(" ".join(one.text for one in said)) == _plain(whole.text)
    assert any(isinstance(event, GuessedWords) and event.text for event in events)
    assert said[-1].end_s <= whole.duration_s + 0.01


def _plain(text: str) -> list[str]:
    return re.sub(r"[^\w\s]", "", text).lower().split()


def test_a_stretch_is_heard_in_a_shortened_window_that_grows_with_it() -> None:
    hear = Dictation()
    fed(LiveTranscriber(hear, RATE, pace=Cadence(context_beyond_s=4.0, least_context_s=6.0)), voice(5.1))
    assert [options.audio_context_s for _, options in hear.asked] == [max(6.0, one + 4.0) for one, _ in hear.asked]
    hear = Dictation()
    fed(LiveTranscriber(hear, RATE, pace=Cadence(context_beyond_s=None)), voice(2.1))
    assert {options.audio_context_s for _, options in hear.asked} == {None}


@pytest.mark.parametrize("text", ["[Music]", "(dog barking)", "♪ la la ♪", ". . .", "…", "yeah " * 40])
def test_names_of_noises_signs_and_one_word_over_and_over_are_no_words(text: str) -> None:
    def hear(samples: Samples, options: TranscriptionOptions) -> tuple[list[Segment], str | None]:
        return [Segment(start_s=0.0, end_s=len(samples) / RATE, text=text)], "en"

    live = LiveTranscriber(hear, RATE)
    assert [*fed(live, voice(6.0)), *fed(live, quiet(3.0)), *live.finish()] == []


def test_words_beside_signs_stay() -> None:
    text = "It cost 5 % – no, $ 3 …"

    def hear(samples: Samples, options: TranscriptionOptions) -> tuple[list[Segment], str | None]:
        return [Segment(start_s=0.0, end_s=len(samples) / RATE, text=text)], "en"

    live = LiveTranscriber(hear, RATE)
    said = final([*fed(live, voice(6.0)), *fed(live, quiet(3.0))])
    assert said == ["It", "cost", "5", "%", "no,", "$", "3"]


def music(seconds: float) -> Samples:
    """A melody of decaying tones, and beats."""
    times = np.arange(round(seconds * RATE)) / RATE
    notes = 220.0 * 2 ** (np.random.default_rng(3).integers(0, 12, 4 * round(seconds) + 4) / 12)
    place = np.minimum((times * 4).astype(int), len(notes) - 1)
    within = times * 4 - place
    return (0.3 * np.sin(2 * np.pi * notes[place] * times) * np.exp(-3 * within)).astype(np.float32)


def test_whisper_invents_no_words_in_noise_and_music_and_hears_speech_in_it() -> None:
    decoder = InProcess(Limits())
    ears = Ears(decoder)
    samples = decoder.sound(Audio(SPEECH)).resampled(RATE).samples
    bursts = voice(12.0)
    for without in (music(12.0), bursts):
        live = ears.live(TranscriptionOptions(language="en"))
        assert final([*fed(live, without), *live.finish()]) == []
        whole = ears.transcribe(Audio(without, sample_rate_hz=RATE), TranscriptionOptions(language="en"))
        assert (whole.text, whole.segments) == ("", ())
    quiet_music = samples + 0.1 * music(len(samples) / RATE)[: len(samples)]
    heard = ears.transcribe(Audio(quiet_music.astype(np.float32), sample_rate_hz=RATE)).text
    assert "country" in heard
