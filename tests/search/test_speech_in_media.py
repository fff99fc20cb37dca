"""What is said in recordings and films is found by its words, without being asked where they are short."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from tests.search.synthetic_media import RATE_HZ, Speaker, film, tone
from tutti.cli.transcribing import add_transcribing, transcribing
from tutti.content import Audio, Media, Segment, Transcript, TranscriptionOptions, Video
from tutti.providers.ears import Ears
from tutti.search import Index, index_of
from tutti.search.ingest.speech_pieces import PIECE_S, SHORT_S, SpeechPieces, lasts_s

SAID = "a green parrot"
SPEECH = Path(__file__).parents[2] / "examples" / "media" / "speech.ogg"


class Scribe:
    """What stands for a transcriber: it hears `SAID` where it is given sound, and remembers how long that was."""

    name = "scribe"

    def __init__(self, *texts: str) -> None:
        self.texts, self.given_s, self.options = texts or (SAID,), list[float](), list[Any]()

    def transcribe(
        self, medium: Media, options: TranscriptionOptions | None = None, progress: object = None
    ) -> Transcript:
        assert isinstance(medium, Audio)
        assert isinstance(medium.source, np.ndarray)
        self.given_s.append(len(medium.source) / RATE_HZ)
        self.options.append(options)
        segments = tuple(
            Segment(start_s=0.5 + place, end_s=1.0 + place, text=text) for place, text in enumerate(self.texts)
        )
        return Transcript(
            text=" ".join(self.texts), segments=segments, model=self.name, language="en", task="transcribe",
            duration_s=self.given_s[-1], seconds=0.0,
        )  # fmt: skip


def spoken(seconds: float) -> NDArray[np.float32]:
    """Speech, from the beginning again and again."""
    samples, rate_hz = soundfile.read(SPEECH, dtype="float32", always_2d=True)
    samples = soxr.resample(samples.mean(1), rate_hz, RATE_HZ)
    return np.resize(samples[: 10 * RATE_HZ], round(seconds * RATE_HZ)).astype(np.float32)


def windows_of(
    samples: np.ndarray[Any, np.dtype[np.float32]], window_s: float, hop_s: float
) -> list[tuple[float, Any]]:
    starts = np.arange(0, max(hop_s, len(samples) / RATE_HZ - (window_s - hop_s)), hop_s)
    return [(float(at), samples[round(at * RATE_HZ) : round((at + window_s) * RATE_HZ)]) for at in starts]


def test_pieces_hold_each_sample_once_and_say_when() -> None:
    scribe = Scribe()
    pieces = SpeechPieces(scribe)
    track = spoken(2.5 * PIECE_S)
    found = [one for start_s, samples in windows_of(track, 5.0, 2.5) for one in pieces.take(start_s, samples)]
    found += pieces.finish()
    assert sum(scribe.given_s) == pytest.approx(2.5 * PIECE_S, rel=0.05)
    assert max(scribe.given_s) <= PIECE_S + 5
    starts = [one.start_s for one in found]
    assert starts == pytest.approx([0.5, PIECE_S + 0.5, 2 * PIECE_S + 0.5], abs=2.5)
    assert all(options.temperatures == (0.0,) for options in scribe.options)


def test_what_holds_no_voice_is_not_written_down() -> None:
    scribe = Scribe()
    pieces = SpeechPieces(scribe)
    assert not [*pieces.take(0.0, np.zeros(10 * RATE_HZ, np.float32)), *pieces.finish()]
    hum = np.sin(2 * np.pi * 100 * np.arange(10 * RATE_HZ) / RATE_HZ).astype(np.float32)
    assert not [*pieces.take(0.0, hum), *pieces.finish()]
    notes = np.concatenate([tone(word, 0.8) for word in ("low", "middle", "high")] * 5)
    assert not [*pieces.take(0.0, notes), *pieces.finish()]
    assert scribe.given_s == []


def test_everything_that_sounds_may_be_written_down_as_the_transcriber_does() -> None:
    scribe = Scribe("[Music]")
    pieces = SpeechPieces(scribe, everything=True)
    notes = np.concatenate([tone(word, 0.8) for word in ("low", "middle", "high")] * 5)
    (segment,) = [*pieces.take(3.0, notes), *pieces.finish()]
    assert (segment.text, segment.start_s) == ("[Music]", pytest.approx(3.5))
    assert scribe.options == [None]


def test_times_lead_back_to_the_track() -> None:
    scribe = Scribe()
    pieces = SpeechPieces(scribe)
    track = np.concatenate([np.zeros(30 * RATE_HZ, np.float32), spoken(8.0), np.zeros(30 * RATE_HZ, np.float32)])
    found = [*pieces.take(0.0, track), *pieces.finish()]
    assert [one.start_s for one in found] == pytest.approx([30.5], abs=1.0)
    assert scribe.given_s == pytest.approx([8.0], abs=2.5)


def test_notes_about_noises_are_left_out() -> None:
    pieces = SpeechPieces(Scribe("[Music]", "La, " * 100, "hello"))
    assert [one.text for one in [*pieces.take(0.0, spoken(4.0)), *pieces.finish()]] == ["hello"]


def test_words_of_a_film_are_moments(tmp_path: Path, space: Speaker) -> None:
    sound = np.concatenate([np.zeros(4 * RATE_HZ, np.float32), spoken(6.0)])
    path = film(tmp_path / "film.mp4", (("red", 5.0), ("blue", 5.0)), sound)
    scribe = Scribe()
    index = index_of(path, space, transcriber=scribe, longest_speech_s=SHORT_S)
    (moment, *_) = [one for one in index.moments("parrot") if one.kind == "words"]
    assert (moment.shares_words, SAID in moment.words) == (True, True)
    silent = index_of(path, space)
    assert silent.place.name != index.place.name
    assert not [one for one in silent.moments("parrot") if one.kind == "words"]


def test_long_media_are_written_down_when_that_is_asked_for(tmp_path: Path, space: Speaker) -> None:
    path = tmp_path / "talk.wav"
    soundfile.write(path, spoken(12.0), RATE_HZ)
    assert lasts_s(Audio(path)) == pytest.approx(12.0)
    assert lasts_s(Audio(spoken(3.0), sample_rate_hz=RATE_HZ)) == pytest.approx(3.0)
    assert lasts_s(Video(b"")) == 0.0
    scribe = Scribe()
    index_of(path, space, transcriber=scribe, longest_speech_s=10.0)
    assert scribe.given_s == []
    asked = index_of(path, space, transcriber=scribe)
    assert scribe.given_s == pytest.approx([12.0], abs=2.5)
    again = index_of(path, space, transcriber=scribe, longest_speech_s=10.0)
    assert again.place == asked.place  # what was made with words is used again


def test_recordings_of_a_folder_are_found_by_what_is_said(tmp_path: Path, space: Speaker) -> None:
    place = tmp_path / "media"
    place.mkdir()
    for name in ("one.wav", "two.wav", "three.wav"):
        soundfile.write(place / name, spoken(4.0), RATE_HZ)
    soundfile.write(place / "hum.wav", tone("low", 4.0), RATE_HZ)
    scribe = Scribe()
    index = Index(tmp_path / "db", space, transcriber=scribe)
    index.add(place)
    assert len(scribe.given_s) == 3
    assert len({hit.item for hit in index.search("parrot") if hit.shares_words}) == 3


@pytest.mark.parametrize(
    ("words", "longest_s"), [([], SHORT_S), (["--transcribe"], None), (["--transcribe", "whisper-base"], None)]
)
def test_the_built_in_whisper_is_used_and_not_loaded_before_there_is_speech(
    words: list[str], longest_s: float | None
) -> None:
    parser = argparse.ArgumentParser()
    add_transcribing(parser)
    told = transcribing(parser.parse_args(words))
    assert isinstance(told["transcriber"], Ears)
    assert told["transcriber"].name == "whisper-base"
    assert told["transcriber"]._loaded is None
    assert told.get("longest_speech_s") == longest_s


def test_speech_can_be_left_out() -> None:
    parser = argparse.ArgumentParser()
    add_transcribing(parser)
    assert transcribing(parser.parse_args(["--no-transcribe"])) == {}
    with pytest.raises(SystemExit):
        parser.parse_args(["--no-transcribe", "--transcribe"])
