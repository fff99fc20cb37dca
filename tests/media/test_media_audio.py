from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tutti.content import Audio
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, Sound, decode_audio
from tutti.media.sound_windows import sound_between

LIMITS = Limits()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "OPUS"])
def test_every_format_gives_its_tone(form: str, sound_bytes: Callable[..., bytes]) -> None:
    content = sound_bytes("OGG", 1.0, "OPUS") if form == "OPUS" else sound_bytes(form)
    sound = decode_audio(Audio(content), LIMITS)
    assert sound.samples.dtype == np.float32 and sound.samples.ndim == 1
    assert sound.duration_s == pytest.approx(1.0, abs=0.08)
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert spectrum.argmax() * sound.sample_rate_hz / len(sound.samples) == pytest.approx(440, abs=2)
    assert np.abs(sound.samples[800:-800]).max() == pytest.approx(0.5, abs=0.05)  # Opus rings at its end


def test_m4a_and_film_give_the_sound_track(film: Callable[..., bytes]) -> None:
    for content in (film("mp4", pictures=False), film("webm")):
        sound = decode_audio(Audio(content), LIMITS)
        assert np.argmax(np.abs(sound.samples) > 0.3) / sound.sample_rate_hz == pytest.approx(1.0, abs=0.002)


def test_stereo_is_mixed_and_arrays_are_scaled() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.array([[0.5, -0.5], [0.5, 0.25]] * 50, np.float32), 8000, format="WAV", subtype="FLOAT")
    assert decode_audio(Audio(file.getvalue()), LIMITS).samples[:2].tolist() == [0.0, 0.375]
    array = np.array([[16384, 0], [-32768, -32768]], np.int16)
    assert decode_audio(Audio(array, sample_rate_hz=8000), LIMITS).samples.tolist() == [0.25, -1.0]


def test_resampling_keeps_the_tone() -> None:
    tone = Sound(np.sin(2 * np.pi * 440 * np.arange(48000) / 48000).astype(np.float32) * 0.5, 48000)
    low = tone.resampled(16000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 0.5
    assert low.samples.dtype == np.float32 and low.samples.shape == (16000,)
    assert np.abs(low.samples - expected)[500:-500].max() < 1e-3
    assert tone.resampled(48000) is tone


def test_bad_recordings(tmp_path: Path, sound_bytes: Callable[..., bytes]) -> None:
    path = tmp_path / "x.wav"

    def message(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            decode_audio(Audio(path), LIMITS)
        return str(caught.value)

    assert message(sound_bytes("WAV", 0.0)) == f"{path} holds no sound; expected a recording with samples."
    assert message(b"") == f"{path} is empty; expected a recording."
    assert message(b"hello") == (
        f"{path} is not a recording that Tutti reads: its content is plain text; "
        "expected WAV, FLAC, OGG, AIFF, AU, CAF, MP3, M4A or AAC."
    )
    for form in ("OGG", "WAV"):
        whole = sound_bytes(form)
        half = whole[: len(whole) // 2]
        assert message(half) == (
            f"{path} is cut off: its {form} content should go on after {len(half):,} bytes; get a whole copy."
        )
    for form in ("FLAC", "MP3"):
        whole = sound_bytes(form)
        assert "cut off" in message(whole[: len(whole) // 2])
    file = io.BytesIO()
    soundfile.write(file, np.array([0.0, np.nan]), 8000, format="WAV", subtype="FLOAT")
    assert message(file.getvalue()) == f"The sound of {path} holds values that are not numbers; export it again."


def test_an_hour_is_too_long() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(3600 * 1000, np.int16), 1000, format="FLAC")
    with pytest.raises(CapacityError) as caught:
        decode_audio(Audio(file.getvalue()), LIMITS)
    assert str(caught.value).endswith("lasts 3,600 s or more; the limit is 1,800 s: cut it or raise TUTTI_MAX_SECONDS.")


def streamed(flac: bytes) -> bytes:
    """As written to a pipe, where nobody goes back to fill in the count of samples."""
    return flac[:21] + bytes([flac[21] & 0xF0, 0, 0, 0, 0]) + flac[26:]


def test_a_flac_that_does_not_know_its_length_is_decoded_within_the_budgets(sound_bytes: Callable[..., bytes]) -> None:
    whole = sound_bytes("FLAC", 2.0)
    part = Audio(streamed(whole))
    expected, found = decode_audio(Audio(whole), LIMITS), decode_audio(part, LIMITS)
    assert np.array_equal(found.samples, expected.samples) and found.sample_rate_hz == expected.sample_rate_hz
    rate = found.sample_rate_hz
    assert np.array_equal(sound_between(part, LIMITS, 1.0, 1.5, rate), found.samples[rate : rate * 3 // 2])
    with pytest.raises(CapacityError, match=r"lasts 1\.\d+ s or more; the limit is 1 s"):
        decode_audio(part, Limits(max_seconds=1))
    with pytest.raises(CapacityError, match="takes more than 100,000 bytes once decoded"):
        decode_audio(part, Limits(max_bytes=100_000))
    for damaged in (part.source[:30], part.source[:4]):  # type: ignore[index]
        with pytest.raises(InputError, match="streamed FLAC"):
            decode_audio(Audio(damaged), LIMITS)


def test_film_sound_is_counted_while_decoding(film: Callable[..., bytes]) -> None:
    with pytest.raises(CapacityError, match=r"lasts 1\.\d+ s or more; the limit is 1 s"):
        decode_audio(Audio(film("webm")), Limits(max_seconds=1))  # Matroska tracks announce no length


def test_bad_arrays() -> None:
    with pytest.raises(InputError, match=r"^An audio array was given without its sample rate; set sample_rate_hz\.$"):
        decode_audio(Audio(np.zeros(3, np.float32)), LIMITS)
    with pytest.raises(InputError, match=r"^An audio array of float64 with shape \(3,\) was given; expected float32"):
        decode_audio(Audio(np.zeros(3), sample_rate_hz=8000), LIMITS)
