"""Answers spoken aloud: by a program, which is a fake here, and played by a library, which is one, too."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tutti.content import Audio
from tutti.errors import InputError, MissingExtra
from tutti.media.voice import EspeakVoice, Loudspeaker


def _program(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_words_are_given_to_the_program_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "said.wav", np.full(2_205, 0.25, np.float32), 22_050)
    _program(tmp_path, f'echo "$@" > {tmp_path}/options\ncat > {tmp_path}/words\ncat {tmp_path}/said.wav', monkeypatch)
    spoken = EspeakVoice("de").speak("--help $(id) <ssml>")
    assert (tmp_path / "options").read_text() == "-v de --stdin --stdout\n"
    assert (tmp_path / "words").read_text() == "--help $(id) <ssml>"
    assert spoken.sample_rate_hz == 22_050
    assert len(spoken.source) == 2_205  # type: ignore[arg-type]


def test_a_program_that_fails_or_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "echo no such voice >&2; exit 1", monkeypatch)
    with pytest.raises(InputError, match="does not speak the answer"):
        EspeakVoice().speak("an apple")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="apt-get install espeak-ng"):
        EspeakVoice()


def test_what_is_played_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    fake = SimpleNamespace(
        play=lambda samples, rate_hz: calls.append((len(samples), rate_hz)),
        stop=lambda: calls.append("stop"),
        PortAudioError=RuntimeError,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    speaker = Loudspeaker()
    speaker.play(Audio(np.zeros(160, np.float32), sample_rate_hz=16_000))
    speaker.stop()
    assert calls == [(160, 16_000), "stop"]


def test_without_a_loudspeaker_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> None:
        raise RuntimeError("no default output device")

    fake = SimpleNamespace(play=nothing, stop=lambda: None, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="leave out --speak"):
        Loudspeaker().play(Audio(np.zeros(160, np.float32), sample_rate_hz=16_000))
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtra, match="Speaking aloud"):
        Loudspeaker()
