"""Whether the sound of a film goes with what moves in it, and if not, by how many seconds it would have to be moved.

As Hershey and Movellan 1999 ("Audio vision: using audio-visual synchrony to locate sounds", NeurIPS) the loudness of
the sound is correlated with each place of the picture, and as in FaceSync (Slaney and Covell 2000, NeurIPS) at every
shift between the two. A sound that was made by something that is seen agrees best where it is; one that was moved,
elsewhere; one of another film, nowhere. We differ in what a place shows (brightness, change, and change of the
movement by Lucas and Kanade 1981, so that a bounce counts and a steady fall does not) and in that no place is fitted:
the places that agree most at a shift count, whatever the shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tutti.content import Video
from tutti.media.grey_pictures import grey_pictures
from tutti.media.key_frames import start_of_pictures
from tutti.media.limits import Limits
from tutti.media.sound_windows import sound_windows

RATE_HZ = 16_000
"""Of the samples that are taken."""
CURVES_PER_S = 25
"""Values a second of what is seen and heard."""
LEAST_S = 4.0
"""Shorter stretches are not judged."""
FURTHEST_S = 3.0
"""Largest shift that is looked at."""
NEAR_S = 0.15
"""A sound that is off by less is where it belongs: recorders and encoders do as much."""
STRETCH_S, _HOP_S = 10.0, 5.0
"""A film is judged by stretches of so many seconds, which begin so many apart."""
WIDE, HIGH = 64, 36
"""Pixels to which pictures are shrunk."""
_ACROSS, _DOWN = 8, 6
_BLOCK_H, _BLOCK_W = HIGH // _DOWN, WIDE // _ACROSS
_SMOOTH_S = 0.06
_TREND_S = 1.0
_BEST_PLACES = 3
_FOUND = 4.0
"""Deviations above chance from which on another shift is named."""

ChangeCurves = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFit:
    """How well the sound of a stretch goes with its pictures."""

    score: float
    """From 0 to 1: how sure it is that it does not."""
    here: float
    """Agreement as it is, in deviations above what a chance shift has."""
    best: float
    """The same at the best other shift."""
    shift_s: float
    """By how much the sound comes too late there; negative: too early."""

    @property
    def reason(self) -> str:
        """In words."""
        if self.best >= _FOUND:
            late = "late" if self.shift_s > 0 else "early"
            return (
                f"the sound fits what moves {abs(self.shift_s):.1f} s too {late} "
                f"({self.best:.1f} deviations above chance, and {self.here:.1f} as it is)"
            )
        return f"nothing that moves goes with the sound ({self.here:.1f} deviations above chance)"


def film_fits(part: Video, limits: Limits) -> Iterator[tuple[float, float, SoundFit]]:
    """How well the sound goes with the pictures of a film, stretch by stretch, as (start, end, fit) in seconds.

    Stretches that cannot be told are left out; a film without sound has none. What is held takes 14 kB a second.

    Args:
        part: A video file in a container.
        limits: Budgets; `Limits.for_streaming` lets it be long.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: It lasts longer, or its frames are larger, than allowed.
    """
    zero_s = start_of_pictures(part, limits)
    frames = grey_pictures(part, limits, width=WIDE, height=HIGH, per_second=CURVES_PER_S, zero_s=zero_s)
    seen: ChangeCurves | None = None
    for start_s, samples in sound_windows(
        part, limits, rate_hz=RATE_HZ, window_s=STRETCH_S, hop_s=_HOP_S, zero_s=zero_s
    ):
        if seen is None:
            seen = curves_of_pictures(frames)
        begin = round(start_s * CURVES_PER_S)
        fit = sound_fit(seen[begin : begin + round(STRETCH_S * CURVES_PER_S)], curves_of_sound(samples))
        if fit is not None:
            yield start_s, start_s + len(samples) / RATE_HZ, fit


def curves_of_pictures(frames: Iterable[tuple[float, NDArray[np.uint8]]]) -> ChangeCurves:
    """What changes at each place of a film: brightness, change, change of movement.

    Shapes: frames as (seconds, (36, 64) uint8 grey) → (T, 3 * 48) float32, 25 a second from zero seconds on.
    """
    times: list[float] = []
    rows: list[NDArray[np.float32]] = []
    before: NDArray[np.float32] | None = None
    moved = np.zeros((_DOWN, _ACROSS, 2), np.float32)
    for time_s, frame in frames:
        grey = frame.astype(np.float32)
        was, last = (grey, moved) if before is None else (before, moved)
        moved = _movement(was, grey)
        turned = np.abs(moved - last).sum(-1)
        changed = np.log1p(_cells(np.abs(grey - was)))
        rows.append(np.concatenate([_cells(grey).ravel(), changed.ravel(), turned.ravel()]))
        times.append(time_s)
        before = grey
    if len(rows) < 3:
        return np.zeros((0, 3 * _DOWN * _ACROSS), np.float32)
    grid = np.arange(0.0, times[-1], 1 / CURVES_PER_S)
    at, table = np.asarray(times), np.stack(rows)
    place = np.clip(np.searchsorted(at, grid, "right") - 1, 0, len(at) - 2)
    share = np.clip((grid - at[place]) / np.maximum(at[place + 1] - at[place], 1e-6), 0, 1).astype(np.float32)[:, None]
    made: ChangeCurves = table[place] * (1 - share) + table[place + 1] * share
    return made


def curves_of_sound(samples: NDArray[np.float32]) -> ChangeCurves:
    """Loudness of a sound, and how much of it is new. Shapes: (S,) float32 mono at 16 kHz → (T, 2) at 25 a second."""
    hop, window = RATE_HZ // CURVES_PER_S // 2, 512
    if len(samples) < 4 * hop:
        return np.zeros((0, 2), np.float32)
    padded = np.pad(samples, (window // 2, window // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1)) ** 2
    edges = [2, 5, 9, 15, 25, 42, 70, 116, 193, 257]
    bands = np.stack([power[:, low:high].mean(1) for low, high in pairwise(edges)], 1)
    level = np.log10(bands + 1e-3 * bands.max() + 1e-8)
    fresh = np.maximum(np.diff(level, axis=0, prepend=level[:1]), 0).mean(1)
    loud = level.mean(1)
    count = len(loud) // 2
    made = np.stack([loud[: 2 * count].reshape(count, 2).mean(1), fresh[: 2 * count].reshape(count, 2).sum(1)], 1)
    return made.astype(np.float32)


def sound_fit(seen: ChangeCurves, heard: ChangeCurves) -> SoundFit | None:
    """How well sound and pictures of one stretch go together; None where it is too short, still or even to tell.

    Shapes: (T, 144) and (T, 2), from the same moment on.
    """
    count = min(len(seen), len(heard))
    if count < LEAST_S * CURVES_PER_S:
        return None
    pictures, sound = _even(seen[:count]), _even(heard[:count])
    alive = pictures.std(0) > _FLOORS
    if not alive.any() or sound[:, 0].std() < _FLAT_SOUND:
        return None
    furthest = min(round(FURTHEST_S * CURVES_PER_S), count // 3)
    shifts = np.arange(-furthest, furthest + 1)
    profile = _profile(pictures[:, alive], sound, np.repeat([True, False, False], _DOWN * _ACROSS)[alive], shifts)
    near = np.abs(shifts) <= round(NEAR_S * CURVES_PER_S)
    rest = profile[~near]
    middle = float(np.median(rest))
    spread = max(float(np.median(np.abs(rest - middle))) * 1.4826, 1e-3)
    here, best = float(profile[near].max() - middle) / spread, float(rest.max() - middle) / spread
    shift_s = float(shifts[~near][int(rest.argmax())]) / CURVES_PER_S
    return SoundFit(score=_score(here, best), here=here, best=best, shift_s=shift_s)


def _score(here: float, best: float) -> float:
    return float(1 / (1 + np.exp(here - best)))


_FLOORS = np.repeat(np.array([0.3, 0.05, 0.02], np.float32), _DOWN * _ACROSS)
"""Deviations of brightness, change and change of movement below which a place is still."""
_FLAT_SOUND = 0.03
"""Deviation of loudness, in tens of decibels, below which a sound is even."""


def _profile(
    pictures: ChangeCurves, sound: ChangeCurves, either: NDArray[np.bool_], shifts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Agreement at each shift: the mean of the places that agree most. A darker place counts as a brighter one."""
    found = []
    for shift in shifts:
        one = pictures[: len(pictures) - shift] if shift >= 0 else pictures[-shift:]
        two = sound[shift:] if shift >= 0 else sound[:shift]
        alike = _standard(one).T @ _standard(two) / len(one)
        alike[either] = np.abs(alike[either])
        strongest = np.sort(alike.max(1))[-_BEST_PLACES:]
        found.append(float(strongest.mean()))
    return np.asarray(found)


def _standard(curves: ChangeCurves) -> ChangeCurves:
    centred = curves - curves.mean(0)
    made: ChangeCurves = centred / np.maximum(np.sqrt((centred**2).mean(0)), 1e-6)
    return made


def _even(curves: ChangeCurves) -> ChangeCurves:
    """ChangeCurves without their trend, a little smoothed."""
    made: ChangeCurves = _smoothed(curves, _SMOOTH_S) - _smoothed(curves, _TREND_S)
    return made


def _smoothed(curves: ChangeCurves, sigma_s: float) -> ChangeCurves:
    reach = int(np.ceil(2.5 * sigma_s * CURVES_PER_S))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * CURVES_PER_S)) ** 2)
    padded = np.pad(curves, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    made: ChangeCurves = (windows @ (weights / weights.sum()).astype(np.float32)).astype(np.float32)
    return made


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = values.reshape(_DOWN, _BLOCK_H, _ACROSS, _BLOCK_W).mean((1, 3))
    return made


def _movement(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """Movement of each cell in pixels of the small picture, by least squares over it. Shapes: (6, 8, 2)."""
    slopes: list[NDArray[np.float32]] = list(np.gradient((before + after) / 2))
    down, across = slopes
    later = after - before
    xx, yy, xy = _cells(across * across) + 8.0, _cells(down * down) + 8.0, _cells(across * down)
    xt, yt = _cells(across * later), _cells(down * later)
    whole = xx * yy - xy * xy
    made = np.stack([xy * yt - yy * xt, xy * xt - xx * yt], -1) / whole[..., None]
    clipped: NDArray[np.float32] = np.clip(made, -4, 4).astype(np.float32)
    return clipped
