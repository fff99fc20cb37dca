"""What holds something to hear is kept, in any noise; what holds nothing is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tutti.processing.sounding import Packed, Stretch, packed, sounding

RATE_HZ = 16_000
SPEECH, _ = soundfile.read(Path(__file__).parents[2] / "examples/media/speech.ogg", dtype="float32")
"""Eleven seconds, from the first word to the last."""
Samples = NDArray[np.float32]


def noise(kind: str, seconds: float, level: float = 0.1) -> Samples:
    random = np.random.default_rng(0)
    count = round(seconds * RATE_HZ)
    times = np.arange(count) / RATE_HZ
    white = random.normal(size=count)
    spectrum = np.fft.rfft(white)
    made = {
        "white": white,
        "pink": np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count),
        "hum": np.sin(2 * np.pi * 50 * times) + 0.3 * np.sin(2 * np.pi * 150 * times),
        "dither": random.integers(-1, 2, count).astype(float),
        "digital silence": np.zeros(count),
    }[kind]
    scale = 1 / 32768 / max(1e-9, np.abs(made).max()) if kind == "dither" else level / max(1e-9, made.std())
    return (made * scale).astype(np.float32)


KINDS = ("digital silence", "dither", "white", "pink", "hum")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.1, 0.001])
@pytest.mark.parametrize("seconds", [1.0, 12.0, 61.5])
def test_silence_and_steady_noise_hold_nothing(kind: str, level: float, seconds: float) -> None:
    assert sounding(noise(kind, seconds, level), RATE_HZ) == []


@pytest.mark.parametrize("samples", [0, 1, 160, 1599])
def test_what_is_shorter_than_a_word_holds_nothing(samples: int) -> None:
    assert sounding(SPEECH[8000 : 8000 + samples], RATE_HZ) == []


@pytest.mark.parametrize("gain", [1.0, 0.03, 0.003, 0.0005])
def test_quiet_speech_is_kept_whole(gain: float) -> None:
    quiet = np.round(SPEECH * gain * 32768) / 32768  # as 16 bits keep it
    (found,) = sounding(quiet.astype(np.float32), RATE_HZ)
    assert found.start <= 0.35 * RATE_HZ  # the first word
    assert found.stop >= 10.6 * RATE_HZ  # the end of the last


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
@pytest.mark.parametrize("snr_db", [10, 0, -5])
def test_speech_in_noise_as_loud_as_itself_is_kept_whole(kind: str, snr_db: int) -> None:
    beneath = noise(kind, len(SPEECH) / RATE_HZ, float(SPEECH.std()) * 10 ** (-snr_db / 20))
    (found,) = sounding(SPEECH + beneath[: len(SPEECH)], RATE_HZ)
    assert (found.start, found.stop) <= (0.35 * RATE_HZ, len(SPEECH))
    assert found.stop >= 10.6 * RATE_HZ


@pytest.mark.parametrize("kind", KINDS)
def test_the_places_of_speech_among_nothing(kind: str) -> None:
    sound = noise(kind, 160, 0.001)
    for begin_s in (60, 91):
        sound[begin_s * RATE_HZ :][: len(SPEECH)] += SPEECH
    first, second = sounding(sound, RATE_HZ)
    for found, begin_s in ((first, 60), (second, 91)):
        assert begin_s - 1.1 < found.start / RATE_HZ <= begin_s + 0.35
        assert begin_s + 10.6 <= found.stop / RATE_HZ < begin_s + 12.1


def test_music_is_doubtful_and_kept() -> None:
    times = np.arange(5 * RATE_HZ) / RATE_HZ
    notes = sum(np.sin(2 * np.pi * 220 * 2 ** (k / 4) * times) * (np.floor(2 * times) % 4 == k) for k in range(4))
    assert sounding((0.1 * notes).astype(np.float32), RATE_HZ)


def test_times_lead_back_to_the_recording() -> None:
    samples = np.arange(100, dtype=np.float32)
    made = packed(samples, [Stretch(10, 20), Stretch(50, 80)])
    assert made.samples.tolist() == [*range(10, 20), *range(50, 80)]
    assert [made.place(sample) for sample in (0, 9.5, 10, 25, 40)] == [10, 19.5, 50, 65, 80]
    assert [made.place(sample, is_end=True) for sample in (0, 9.5, 10, 25, 40, 99)] == [10, 19.5, 20, 65, 80, 80]
    assert Packed(samples, [(0, 0, 100)]).place(33.3) == 33.3
