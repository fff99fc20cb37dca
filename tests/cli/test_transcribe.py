"""`tutti transcribe`: what is printed in which form, and what is asked of the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.fake_model import FakeModel
from tutti.cli.main import main
from tutti.content import Audio, Video

MEDIA = Path(__file__).parents[2] / "examples" / "media"
RECORDING = str(MEDIA / "recording.ogg")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ([], "[    0.00 –     1.25]  A dog\n[    1.50 –     2.00]  barks.\n"),
        (["--text"], "A dog barks.\n"),
        (["--times", "none"], "A dog barks.\n"),
        (["--srt"], "1\n00:00:00,000 --> 00:00:01,250\nA dog\n\n2\n00:00:01,500 --> 00:00:02,000\nbarks.\n\n"),
        (["--vtt"], "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nA dog\n\n00:00:01.500 --> 00:00:02.000\nbarks.\n\n"),
    ],
)
def test_forms(words: list[str], printed: str, model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", RECORDING, *words]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (printed, "")


def test_json(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", RECORDING, "--json", "--task", "translate"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result["text"], result["language"], result["task"]) == ("A dog barks.", "en", "translate")
    assert result["segments"][1].items() >= {"start_s": 1.5, "end_s": 2.0, "text": "barks."}.items()


def test_what_is_asked_for_reaches_the_model(model: FakeModel) -> None:
    assert main(["transcribe", RECORDING]) == 0
    assert main(["transcribe", str(MEDIA / "video.mp4"), "--language", "french", "--times", "word", "--context"]) == 0
    (_, (audio,), plain), (_, (video,), options) = model.calls
    assert isinstance(audio, Audio)
    assert isinstance(video, Video)
    assert plain == {"language": None, "task": None}
    assert options == {
        "language": "french",
        "task": None,
        "timestamps": "word",
        "condition_on_previous_text": True,
    }


def test_progress_is_shown_on_a_terminal_only(
    model: FakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", RECORDING, "--text"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["transcribe", RECORDING, "--text"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "A dog barks.\n"
    assert shown.err == "\rwritten down:  50%\r\x1b[K"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.wav"], "nowhere.wav does not exist"),
        ([RECORDING, "--srt", "--times", "none"], "Captions need times; leave out --times none."),
        ([RECORDING, "--srt", "--json"], "not allowed with argument"),
        ([RECORDING, "--task", "sing"], "invalid choice: 'sing'"),
    ],
)
def test_what_cannot_be_done(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
