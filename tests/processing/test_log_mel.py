"""Log-mel features against the reference, and what must not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from tutti.errors import CapacityError, InputError, UnsupportedConfig
from tutti.processing.audio import LogMel, mel_filters

MINI = LogMel(feature_size=64, pad_multiple_frames=64)


def _clips() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    clips = {
        "noise": rng.normal(0, 0.1, 50_000),
        "tone": np.sin(np.arange(16_000) * 0.3),
        "silence": np.zeros(100),
        "faint and long": rng.normal(0, 1e-3, 480_000),
        "one sample": np.ones(1),
    }
    return {name: clip.astype(np.float32) for name, clip in clips.items()}


@pytest.mark.parametrize("name", list(_clips()))
def test_equal_to_whisper(name: str) -> None:
    reference = WhisperFeatureExtractor()
    values = {key: value for key, value in reference.to_dict().items() if key != "mel_filters"}
    expected = reference(_clips()[name], sampling_rate=16_000, return_tensors="np")["input_features"][0]
    found = LogMel.from_config(values)(_clips()[name])
    assert found.shape == (80, 3000)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_filters_equal_to_whisper_and_of_unit_area() -> None:
    np.testing.assert_allclose(mel_filters(80, 400, 16_000), WhisperFeatureExtractor().mel_filters, atol=1e-8)
    # In a fine spectrum each triangle's area is one, up to the bins' width.
    areas = mel_filters(64, 16_000, 16_000).sum(0)
    np.testing.assert_allclose(areas, 1, atol=2e-3)


@pytest.mark.parametrize(("samples", "frames"), [(1, 64), (10_240, 64), (10_241, 128), (16_000, 128)])
def test_padded_to_a_multiple_of_frames(samples: int, frames: int) -> None:
    assert MINI(np.full(samples, 0.1, np.float32)).shape == (64, frames)


def test_a_tone_is_loudest_in_its_own_bin() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(10_240) / 16_000).astype(np.float32)
    loudest = MINI(tone).mean(1).argmax()
    assert loudest == mel_filters(64, 400, 16_000)[25].argmax()  # bin 25 of 200 lies at 1000 Hz


def test_the_floor_lies_eight_powers_of_ten_below_the_recordings_own_maximum() -> None:
    clip = _clips()["tone"]
    features = MINI(clip)
    assert features.max() - features.min() == pytest.approx(2.0)
    assert features.max() - MINI(clip * 0.01).max() == pytest.approx(1.0, abs=1e-4)


def test_chunks_do_not_show() -> None:
    clip = np.random.default_rng(1).normal(0, 0.1, 16_000 * 25).astype(np.float32)
    whole, part = MINI(clip), MINI(clip[: 16_000 * 12])
    floor = max(whole.min(), part.min())
    np.testing.assert_allclose(np.maximum(whole, floor)[:, :1190], np.maximum(part, floor)[:, :1190], atol=1e-5)


def test_bad_recordings_are_refused() -> None:
    with pytest.raises(CapacityError, match=r"lasts 30\.1 s; this model takes 30 s at a time: cut it\."):
        MINI(np.zeros(481_600, np.float32))
    for bad, sentence in (
        (np.zeros(0, np.float32), r"got an array of shape \(0,\)"),
        (np.zeros((2, 100), np.float32), r"got an array of shape \(2, 100\)"),
        (np.array([0, np.nan], np.float32), "not finite numbers"),
    ):
        with pytest.raises(InputError, match=sentence):
            MINI(bad)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"melodies": 3}, "has the unknown key 'melodies' for sound"),
        ({"dither": 0.1}, "dither is 0.1; only 0.0 is computed"),
        ({"padding_value": 1.0}, "padding_value is 1.0; only 0.0 is computed"),
        ({"n_samples": 3}, "n_samples is 3; chunk_length and sampling_rate make it 480000"),
        ({"hop_length": 0}, "hop_length is 0; expected a whole number above zero"),
        ({"hop_length": "160"}, "hop_length is '160'; expected a whole number above zero"),
        ({"pad_multiple_frames": 1}, "A window of 400 samples does not fit recordings padded to 160 samples"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        LogMel.from_config(values)


def test_settings_survive_the_way_through_a_file() -> None:
    values = {name: getattr(MINI, name) for name in MINI.__dataclass_fields__}
    assert LogMel.from_config(values) == MINI == replace(MINI)
