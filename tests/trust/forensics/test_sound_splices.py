"""Another background, a break in the waveform and frames out of step are found where they are, and nowhere else."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from tutti.trust.forensics.coding_grid import coding_step
from tutti.trust.forensics.sound_splices import RATE_HZ, floor_step, waveform_break


def place(seed: int, seconds: float, slope: float, level: float = 0.003) -> np.ndarray:
    """Syllables over the background of a place. Shapes: (S,) float32."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    bed = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 50) ** slope, count)
    bed *= level / bed.std()
    at = np.arange(count) / RATE_HZ
    opens = np.clip(np.sin(2 * np.pi * 1.3 * at + seed), 0, 1) ** 2
    said = sum(np.sin(2 * np.pi * 130 * n * at + rng.uniform(0, 6)) / n for n in range(1, 20)) * 0.05 * opens
    return (bed + said).astype(np.float32)


def test_a_passage_with_another_background_is_found_where_it_is() -> None:
    whole, other = place(1, 10, -0.8), place(2, 3, 0.0)
    spliced, same = whole.copy(), whole.copy()
    begin, end = 4 * RATE_HZ, 7 * RATE_HZ
    spliced[begin:end] = other
    same[begin:end] = place(1, 14, -0.8)[-(end - begin) :]  # another passage of the same place
    found, plain = floor_step(spliced, start_s=100.0), floor_step(same)
    assert found is not None and plain is not None
    assert found.score > 0.7 and plain.score < 0.4
    assert found.at_s == pytest.approx(4.0, abs=0.6) and found.lasts_s == pytest.approx(3.0, abs=1.2)
    assert "from 10" in found.reason and "dB" in found.reason


def test_what_follows_in_another_place_is_found_too() -> None:
    found = floor_step(np.concatenate([place(1, 5, -0.8), place(3, 5, 0.0)]))
    assert found is not None and found.score > 0.7 and found.at_s == pytest.approx(5.0, abs=0.5)
    assert floor_step(place(1, 1.5, -0.8)) is None


def test_a_cut_breaks_the_waveform_at_its_moment() -> None:
    at = np.arange(6 * RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 210 * at) * 0.2 + np.sin(2 * np.pi * 473 * at) * 0.1
    whole = (tone + np.random.default_rng(0).normal(0, 0.001, len(tone))).astype(np.float32)
    cut = np.concatenate([whole[: 2 * RATE_HZ + 17], whole[3 * RATE_HZ + 71 :]])
    found, plain = waveform_break(cut, start_s=60.0), waveform_break(whole)
    assert found is not None and plain is not None
    assert found.score > 0.8 and plain.score < 0.4
    assert found.at_s == pytest.approx(2 + 17 / RATE_HZ, abs=0.002) and "breaks at 62.00" in found.reason
    assert waveform_break(whole[:100]) is None
    silence = waveform_break(np.zeros(RATE_HZ, np.float32))
    assert silence is not None and silence.score < 0.05


def decoded_aac(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    out = io.BytesIO()
    with av.open(out, "w", format="adts") as file:
        stream = file.add_stream("aac", rate=rate_hz, layout="mono", bit_rate=96_000)
        for at in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate_hz, at, Fraction(1, rate_hz)
            file.mux(stream.encode(block))
        file.mux(stream.encode())
    out.seek(0)
    with av.open(out) as file:
        return np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)]).astype(np.float32)


def test_frames_of_an_earlier_coding_out_of_step_are_found_and_those_in_step_are_not() -> None:
    rng = np.random.default_rng(0)
    rate_hz, count = 44_100, 90_000
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    whole = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 200) ** -0.7, count)
    heard = decoded_aac((0.1 * whole / whole.std()).astype(np.float32), rate_hz)
    assert coding_step(heard[333:], rate_hz) is None  # a file may begin anywhere
    assert coding_step(np.concatenate([heard[:45_000], heard[45_000 + 5 * 1024 :]])[333:], rate_hz) is None  # in step
    found = coding_step(np.concatenate([heard[:45_000], heard[45_000 + 5 * 1024 + 200 :]])[333:], rate_hz)
    assert found is not None and found.score > 0.6 and found.samples == 200
    assert found.at_s == pytest.approx((45_000 - 333) / rate_hz, abs=0.25) and "out of step by 200" in found.reason
    assert coding_step((0.1 * whole / whole.std()).astype(np.float32), rate_hz) is None  # never coded
    assert coding_step(np.zeros(30_000, np.float32), rate_hz) is None
