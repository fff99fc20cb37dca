"""Where a voice may be: speech is kept, in noise as well, and what is none is left out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from tutti.processing.voice_activity import BLOCK_S, FEATURES, RATE_HZ, features, probability, voices

MEDIA = Path(__file__).parents[2] / "examples" / "media"


def sound(name: str) -> NDArray[np.float32]:
    samples, rate_hz = soundfile.read(MEDIA / name, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(1), rate_hz, RATE_HZ), np.float32)


def held(samples: NDArray[np.float32]) -> float:
    return sum(stop - start for start, stop in voices(samples)) / len(samples)


def test_speech_is_kept_as_a_whole_and_in_noise() -> None:
    speech = sound("speech.ogg")
    assert held(speech) > 0.9
    noise = np.random.default_rng(0).normal(0, speech.std() / 3, len(speech)).astype(np.float32)
    assert held(speech + noise) > 0.8
    assert held(speech / 30) > 0.9


def test_tones_and_noises_are_left_out() -> None:
    times = np.arange(8 * RATE_HZ) / RATE_HZ
    notes = np.sin(2 * np.pi * np.repeat([262, 330, 392, 523, 660, 784, 880, 1047], RATE_HZ) * times)
    assert held((0.3 * notes).astype(np.float32)) == 0.0
    bursts = np.random.default_rng(0).normal(0, 0.2, len(times)) * (np.sin(2 * np.pi * 0.5 * times) > 0)
    assert held(bursts.astype(np.float32)) < 0.5
    assert voices(np.zeros(RATE_HZ, np.float32)) == []
    assert voices(np.zeros(0, np.float32)) == []


def test_only_what_holds_a_voice_is_kept_with_a_little_around() -> None:
    speech = sound("speech.ogg")[: 6 * RATE_HZ]
    silence = np.zeros(10 * RATE_HZ, np.float32)
    found = voices(np.concatenate([silence, speech, silence]))
    assert found[0].start >= 8 * RATE_HZ
    assert found[-1].stop <= 18 * RATE_HZ
    assert all(one.stop < other.start for one, other in pairwise(found))


def test_features_of_a_block_are_finite_whatever_it_holds() -> None:
    for samples in (np.zeros(round(BLOCK_S * RATE_HZ)), np.ones(5000), np.random.default_rng(0).normal(size=6000)):
        values = features(samples.astype(np.float32))
        assert values.shape == (len(FEATURES),)
        assert np.isfinite(values).all()
        assert 0 <= probability(samples.astype(np.float32)) <= 1


@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_loudness_alone_does_not_count(gain: float) -> None:
    block = sound("speech.ogg")[RATE_HZ : 3 * RATE_HZ]
    assert features(gain * block) == pytest.approx(features(block), abs=0.05)
