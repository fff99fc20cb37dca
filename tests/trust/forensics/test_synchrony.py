"""Sound that goes with what moves is told from sound that was moved, is another film's, or cannot be judged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tutti.content import Video
from tutti.errors import InputError
from tutti.media import Limits
from tutti.media.grey_pictures import grey_pictures
from tutti.trust.forensics.synchrony import (
    HIGH,
    RATE_HZ,
    WIDE,
    curves_of_pictures,
    curves_of_sound,
    film_fits,
    sound_fit,
)

SECONDS, PER_S = 10, 25


def beats(seed: int) -> np.ndarray:
    """Moments in seconds, a few beyond the film on each side."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.35, 1.1, 30)) - 3


def frames(moments: np.ndarray, seed: int = 0) -> np.ndarray:
    """A lamp that goes on at each moment, beside something else that moves. Shapes: (F, 36, 64) uint8."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 160, (HIGH, WIDE))
    made = np.broadcast_to(ground, (SECONDS * PER_S, HIGH, WIDE)).astype(float)
    made += rng.normal(0, 2, made.shape)
    for number, frame in enumerate(made):
        since = number / PER_S - moments
        frame[6:12, 8:16] += 90 * np.exp(-since[since >= -0.01] / 0.15).max(initial=0)
        frame[24:30, 24 + number % 30 : 30 + number % 30] += 80
    return np.clip(made, 0, 255).astype(np.uint8)


def sound(moments: np.ndarray, seed: int = 0) -> np.ndarray:
    """A knock at each moment over noise. Shapes: (S,) float32."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 0.003, SECONDS * RATE_HZ)
    for moment in moments:
        begin = round(moment * RATE_HZ)
        knock = rng.normal(0, 0.3, 3200) * np.exp(-np.arange(3200) / 800)
        first, last = max(0, begin), min(len(made), begin + 3200)
        if last > first:
            made[first:last] += knock[first - begin : last - begin]
    return made.astype(np.float32)


def seen(moments: np.ndarray) -> np.ndarray:
    return curves_of_pictures((number / PER_S, frame) for number, frame in enumerate(frames(moments)))


def test_sound_that_belongs_scores_low_and_sound_that_was_moved_is_told_by_how_much() -> None:
    moments = beats(1)
    pictures = seen(moments)
    own = sound_fit(pictures, curves_of_sound(sound(moments)))
    assert own is not None and own.score < 0.2 and own.here > own.best
    for shift in (0.5, -0.5, 1.0, 2.0):
        moved = sound_fit(pictures, curves_of_sound(sound(moments + shift)))
        assert moved is not None and moved.score > 0.8
        assert moved.shift_s == pytest.approx(shift, abs=0.13)
        assert f"{abs(moved.shift_s):.1f} s too {'late' if shift > 0 else 'early'}" in moved.reason


def test_the_sound_of_another_film_fits_nowhere() -> None:
    pictures = seen(beats(1))
    scores = []
    for seed in range(2, 8):
        other = sound_fit(pictures, curves_of_sound(sound(beats(seed), seed)))
        assert other is not None
        scores.append(other.score)
    assert np.median(scores) > 0.7 and min(scores) > 0.3


def test_a_delay_that_recorders_have_is_no_fault() -> None:
    moments = beats(3)
    fit = sound_fit(seen(moments), curves_of_sound(sound(moments + 0.08)))
    assert fit is not None and fit.score < 0.3


def test_what_is_still_even_or_short_is_not_judged() -> None:
    moments = beats(1)
    heard = curves_of_sound(sound(moments))
    still = curves_of_pictures((number / PER_S, np.full((HIGH, WIDE), 90, np.uint8)) for number in range(250))
    assert sound_fit(still, heard) is None
    assert sound_fit(seen(moments), curves_of_sound(np.zeros(SECONDS * RATE_HZ, np.float32))) is None
    assert sound_fit(seen(moments)[:80], heard[:80]) is None
    assert sound_fit(curves_of_pictures(iter(())), curves_of_sound(np.zeros(10, np.float32))) is None


def written(path: Path, moments: np.ndarray, heard: np.ndarray | None) -> Path:
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=PER_S, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDE * 2, HIGH * 2, "yuv420p"
        track = out.add_stream("aac", rate=RATE_HZ, layout="mono") if heard is not None else None
        for frame in frames(moments):
            grey = np.repeat(frame.repeat(2, 0).repeat(2, 1)[..., None], 3, 2)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="rgb24")))
        out.mux(pictures.encode())
        if track is not None and heard is not None:
            for at in range(0, len(heard), 1024):
                block = av.AudioFrame.from_ndarray(heard[None, at : at + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts = RATE_HZ, at
                out.mux(track.encode(block))
            out.mux(track.encode())
    return path


def test_a_film_is_judged_stretch_by_stretch(tmp_path: Path) -> None:
    moments = beats(5)
    own = list(film_fits(Video(str(written(tmp_path / "own.mp4", moments, sound(moments)))), Limits()))
    moved = list(film_fits(Video(str(written(tmp_path / "moved.mp4", moments, sound(moments + 0.6)))), Limits()))
    assert own[0][:2] == (0.0, pytest.approx(SECONDS, abs=0.2))
    assert own[0][2].score < 0.3 and moved[0][2].score > 0.8
    assert moved[0][2].shift_s == pytest.approx(0.6, abs=0.13)
    assert list(film_fits(Video(str(written(tmp_path / "mute.mp4", moments, None))), Limits())) == []
    small = list(grey_pictures(Video(str(tmp_path / "own.mp4")), Limits(), width=8, height=4, per_second=5, zero_s=0.0))
    assert small[0][1].shape == (4, 8) and 40 <= len(small) <= 60
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "own.mp4").read_bytes()[:2000])
    with pytest.raises(InputError):
        list(film_fits(Video(str(tmp_path / "broken.mp4")), Limits()))
