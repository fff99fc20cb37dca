"""Digits that a synthesizer speaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recipes.tutti_mini import voices
from recipes.tutti_mini.objects import DIGITS
from recipes.tutti_mini.packs import HOLD_OUT, MADE_DIGITS
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.sound_scenes import spoken_digits
from recipes.tutti_mini.voices import MADE_SPEAKER
from tutti.errors import InputError


def test_every_speaker_says_every_digit_and_none_is_held_out() -> None:
    rows = voices.make_rows()
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(row["speaker"], []).append(row["label"])
    assert rows == voices.make_rows()
    assert {tuple(sorted(set(labels))) for labels in said.values()} == {tuple(sorted(DIGITS))}
    assert len(said) > 200
    assert not any(HOLD_OUT[MADE_DIGITS](row) for row in rows)


def test_a_recording_is_cut_to_the_word_at_16_khz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beep = np.zeros(22_050, np.float32)
    beep[5_000:16_025] = 0.5 * np.sin(np.arange(11_025) / 10)
    soundfile.write(tmp_path / "said.wav", beep, 22_050)
    program = tmp_path / "espeak-ng"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/options\ncat {tmp_path}/said.wav\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    wave = voices.speak({"label": "seven", "text": ["seven"], "speaker": f"{MADE_SPEAKER}en-us+f3 -p 60 -s 150"})
    assert (tmp_path / "options").read_text() == "--stdout -v en-us+f3 -p 60 -s 150 seven\n"
    assert len(wave) == pytest.approx(8_000, abs=20)


def test_without_the_program_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"no program espeak-ng.*apt install espeak-ng"):
        voices.speak(voices.make_rows()[0])


def test_real_voices_are_heard_as_often_as_made_ones(pools: Pools) -> None:
    made = {name: [np.full(800, 0.25, np.float32)] for name in DIGITS}
    mixed = replace(pools, digits=pools.digits | {f"{MADE_SPEAKER}{number}": made for number in range(50)})
    rng = np.random.default_rng(0)
    heard = [len(spoken_digits(rng, mixed, 1, ("one",))[0]) for _ in range(200)]
    real = sum(samples > 0.4 * 16_000 for samples in heard)
    assert 70 < real < 130
