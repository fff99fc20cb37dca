"""`tutti live`: what is printed when, from a file, at its pace, and from a microphone that is a fake."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import tutti
from tests.search.synthetic_media import Speaker, film, tone
from tutti.cli.live_watching import LiveObserver
from tutti.cli.main import main
from tutti.content import Audio, FinalSegment, FinalWords, GuessedWords, LiveEvent, Segment, TimedWord
from tutti.media import Limits
from tutti.media.live_sound import Microphone, played
from tutti.search.live_questions import LiveQuestions
from tutti.search.live_watch import LiveWatch

MEDIA = Path(__file__).parents[2] / "examples" / "media"
RECORDING = str(MEDIA / "recording.ogg")
CAPTION = FinalSegment(Segment(start_s=0.0, end_s=1.25, text="A dog --> barks."))
LAST = FinalSegment(Segment(start_s=1.5, end_s=2.0, text="Then"))


@dataclass
class FakeStream:
    """Says a sentence at the second block, and is interrupted at the third if so told."""

    interrupted: bool = False
    sample_rate_hz: int = 16_000
    in_utterance: bool = False
    blocks: list[int] = field(default_factory=list)
    heard_to_the_end: bool | None = None

    def feed(self, samples: np.ndarray) -> Sequence[LiveEvent]:
        self.blocks.append(len(samples))
        if len(self.blocks) == 1:
            return [GuessedWords("a dock", 0.0, 1.0)]
        if len(self.blocks) == 2:
            words = (TimedWord(start_s=0.0, end_s=1.25, text="A dog --> barks."),)
            return [FinalWords(words), CAPTION, GuessedWords("", 0.0, 0.0)]
        if self.interrupted:
            raise KeyboardInterrupt
        return []

    def finish(self, *, hear: bool = True) -> Sequence[LiveEvent]:
        self.heard_to_the_end = hear
        return [LAST]


@dataclass
class AskingStream(FakeStream):
    """Asks what is seen at the fourteenth block of a quarter second."""

    def feed(self, samples: np.ndarray) -> Sequence[LiveEvent]:
        self.blocks.append(len(samples))
        question = Segment(start_s=2.5, end_s=3.25, text="What is this?")
        return [FinalSegment(question)] if len(self.blocks) == 14 else []


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> FakeStream:
    one = FakeStream()
    asked: dict[str, Any] = {}

    def live(**options: Any) -> FakeStream:
        asked.update(options)
        return one

    monkeypatch.setattr(tutti, "load", lambda *_, **__: SimpleNamespace(live=live, name="ears"))
    return one


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ([], "[    0.00 –     1.25]  A dog --> barks.\n[    1.50 –     2.00]  Then\n"),
        (["--text"], "A dog --> barks.\nThen\n"),
        (["--srt"], "1\n00:00:00,000 --> 00:00:01,250\nA dog -> barks.\n\n2\n00:00:01,500 --> 00:00:02,000\nThen\n\n"),
        (["--vtt"], ("WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nA dog --&gt; barks.\n\n"
                    "00:00:01.500 --> 00:00:02.000\nThen\n\n")),
    ],
)  # fmt: skip
def test_captions_are_printed(
    words: list[str], printed: str, stream: FakeStream, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "--from", RECORDING, *words]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (printed, "")
    assert sum(stream.blocks) > 16_000


def test_events_are_objects(stream: FakeStream, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--from", RECORDING, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in events] == ["guess", "words", "segment", "guess", "segment"]
    assert events[1]["words"] == [{"start_s": 0.0, "end_s": 1.25, "text": "A dog --> barks."}]


def test_a_guess_is_written_over_on_a_terminal(
    stream: FakeStream, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["live", "--from", RECORDING]) == 0
    shown = capsys.readouterr()
    assert "\r\x1b[Ka dock" in shown.err and shown.err.endswith("\r\x1b[K")
    assert "dock" not in shown.out


def test_an_interruption_ends_with_what_is_final(stream: FakeStream, capsys: pytest.CaptureFixture[str]) -> None:
    stream.interrupted = True
    assert main(["live", "--from", RECORDING, "--text"]) == 0
    assert capsys.readouterr().out == "A dog --> barks.\nThen\n"
    assert stream.heard_to_the_end is False


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A film, red for three seconds and blue for two, with a low tone of one second; and a stream in which is asked."""
    speaker = Speaker(says="something blue")
    stream = AskingStream()
    model = SimpleNamespace(
        live=lambda **_: stream, embedder=lambda: speaker, responder=lambda: speaker, name=speaker.name
    )
    monkeypatch.setattr(tutti, "load", lambda *_, **__: model)
    return str(film(tmp_path / "film.mp4", (("red", 3.0), ("blue", 2.0)), tone("low", 1.0)))


def test_what_is_watched_for_and_asked_stands_among_the_captions(
    watched: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "--from", watched, "--answer", "--alert", "blue", "--alert", "yellow"]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "[    3.00 –     3.00]  ! blue (seen)\n"
        "[    2.50 –     3.25]  What is this?\n"
        "[    3.25]  What is this? → something blue (seen at 3.0 s)\n"
        "[    1.50 –     2.00]  Then\n"
    )
    assert shown.err == ""


def test_alerts_and_answers_are_objects(watched: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--from", watched, "--answer", "--alert", "blue", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in events] == ["alert", "segment", "answer", "segment"]
    assert (events[0]["thing"], events[0]["sense"]) == ("blue", "seen")
    assert (events[2]["question"], events[2]["shown_s"], events[2]["text"]) == ("What is this?", 3.0, "something blue")


def test_alerts_and_answers_stand_beside_captions(watched: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--from", watched, "--answer", "--srt"]) == 0
    shown = capsys.readouterr()
    assert "→" not in shown.out and "→ something blue" in shown.err


def test_a_machine_that_is_late_passes_pictures_over() -> None:
    watch = LiveWatch(Speaker())
    pictures = [(n / 2, np.full((32, 32, 3), 60 * (n % 3), np.uint8)) for n in range(20)]
    observer = LiveObserver(watch, pictures=iter(pictures))
    list(observer.take(np.zeros(5 * 16_000, np.float32), [], in_utterance=False))
    assert (observer.dropped, len(watch.glimpses)) == (10, 1)
    assert watch.glimpses[0].at_s == 5.0


def test_answers_are_spoken_and_speech_stops_them() -> None:
    spoken: list[Any] = []
    speaker = Speaker(says="an apple")
    watch = LiveWatch(speaker)
    voice = SimpleNamespace(speak=lambda text: text)
    player = SimpleNamespace(play=spoken.append, stop=lambda: spoken.append("stop"))
    observer = LiveObserver(watch, LiveQuestions(speaker, watch, "m"), voice=(voice, player))  # type: ignore[arg-type]
    watch.see(np.zeros((32, 32, 3), np.uint8), 0.0)
    question = [FinalSegment(Segment(start_s=0.0, end_s=1.0, text="What is this?"))]
    list(observer.take(np.zeros(4_000, np.float32), question, in_utterance=False))
    list(observer.take(np.zeros(4_000, np.float32), [], in_utterance=True))
    assert spoken == ["an apple", "stop"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--camera", "0", "--from", RECORDING], "one of them"),
        (["--camera", "0"], "--answer or --alert"),
        (["--from", RECORDING, "--speak"], "add --answer"),
        (["--real-time"], "--from FILE"),
        (["--from", RECORDING, "--microphone", "1"], "one of them"),
        (["--from", str(MEDIA / "picture.png")], "no recording"),
        (["--from", "none.wav"], "none.wav"),
    ],
)
def test_what_cannot_be_heard_is_refused(
    words: list[str], told: str, stream: FakeStream, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_file_is_played_at_its_pace_and_who_is_late_gets_all_that_is_due() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    file = io.BytesIO()
    soundfile.write(file, np.ones(16_000 * 4, np.float32) / 4, 16_000, format="WAV")
    part = Audio(file.getvalue())
    given = []
    for block in played(part, Limits(), 16_000, real_time=True, clock=lambda: now[0], sleep=sleep):
        given.append((now[0], len(block) / 16_000))
        if len(given) == 2:
            now[0] += 1.1  # at work
    assert given[:3] == [(0.25, 0.25), (0.5, 0.25), (pytest.approx(1.6), 1.0)]
    assert sum(length for _, length in given) == pytest.approx(4.0)
    assert given[-1][0] == pytest.approx(4.0)


class FakeSoundDevice(SimpleNamespace):
    """Records three blocks; then somebody presses Ctrl-C."""

    PortAudioError = RuntimeError

    class InputStream:
        def __init__(self, *, callback: Any, blocksize: int, device: Any, **_: Any) -> None:
            if device == "none":
                raise RuntimeError("no such device")
            self.active, self._callback, self._size = True, callback, blocksize

        def start(self) -> None:
            for value in (0.1, 0.2, 0.3):
                self._callback(np.full((self._size, 1), value, np.float32), self._size, None, None)

        def stop(self) -> None:
            self.active = False

        def close(self) -> None: ...


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())  # type: ignore[arg-type]


@pytest.mark.usefixtures("sounddevice")
def test_a_microphone_gives_all_that_waits_at_once() -> None:
    microphone = Microphone(16_000)
    blocks = iter(microphone)
    assert len(next(blocks)) == 3 * 4_000
    for _ in range(300):
        microphone._take(np.zeros((4_000, 1), np.float32))
    assert microphone.dropped_s == pytest.approx(15.0)
    assert len(next(blocks)) == 60 * 16_000
    microphone.close()


@pytest.mark.usefixtures("sounddevice")
def test_a_microphone_that_is_not_there_is_named(stream: FakeStream, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--microphone", "none"]) == 2
    assert "no such device" in capsys.readouterr().err
