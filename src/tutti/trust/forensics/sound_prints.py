"""Fingerprints of sounds: pairs of spectral peaks, which stay through recompression, noise and cuts.

Source: Wang 2003, "An industrial-strength audio search algorithm" (ISMIR): landmarks are pairs of peaks, and a copy has
many that lie at one offset. Speed and pitch are not undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""Rate of the samples that are taken."""
_FRAME, _HOP = 1024, 256
_BINS = 256
"""Up to 4 kHz, which telephones and low bit rates keep."""
_NEAR_TIME, _NEAR_BINS = 5, 12
"""Frames and bins on each side within which a peak is the largest."""
_AHEAD, _PAIRS = (2, 40), 4
"""Frames to the second peak of a landmark, and how many landmarks a peak begins."""
_PEAKS_PER_S = 30
_LEAST_DB = -70.0
FOUND = 12
"""Landmarks at one offset that make a match."""
FOUND_SHARE = 0.05
"""And the share of those of the shorter of the two."""


class SoundMatch(NamedTuple):
    """A listed sound that is heard."""

    entry: int
    aligned: int
    """Landmarks at one offset."""
    share: float
    """Of those of the shorter of the two sounds."""
    start_s: float
    """Where the listed sound's beginning lies in what was heard; may be negative."""


def landmarks(samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """Landmarks of a sound, (N, 2): key and frame. Shapes: (S,) float32 at 16 kHz, mono."""
    if len(samples) < _FRAME:
        return np.zeros((0, 2), np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)[:, 1 : _BINS + 1])
    level = 20 * np.log10(power + 1e-6)
    times, bins = _peaks(level)
    found: list[tuple[int, int]] = []
    for at in range(len(times)):
        first, last = np.searchsorted(times, [times[at] + _AHEAD[0], times[at] + _AHEAD[1]])
        near = np.abs(bins[first:last] - bins[at]) < 64
        for other in (np.flatnonzero(near) + first)[:_PAIRS]:
            key = (int(bins[at]) << 14) | (int(bins[other]) << 6) | int(times[other] - times[at])
            found.append((key, int(times[at])))
    return np.array(found, np.int64).reshape(-1, 2)


def _peaks(level: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local maxima, the loudest of each second, in order of time."""
    largest = _dilated(_dilated(level, _NEAR_TIME, 0), _NEAR_BINS, 1)
    is_peak = (level >= largest) & (level > level.max() + _LEAST_DB) & (level > -60)
    times, bins = np.nonzero(is_peak)
    per_s = RATE_HZ / _HOP
    kept: list[NDArray[np.int64]] = []
    for second in range(int(len(level) // per_s) + 1):
        inside = np.flatnonzero((times >= second * per_s) & (times < (second + 1) * per_s))
        order = np.argsort(-level[times[inside], bins[inside]], kind="stable")[:_PEAKS_PER_S]
        kept.append(np.sort(inside[order]))
    chosen = np.concatenate(kept)
    return times[chosen], bins[chosen]


def _dilated(level: NDArray[np.floating], reach: int, axis: int) -> NDArray[np.floating]:
    """The largest value within a reach along an axis."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach, reach)
    padded = np.pad(level, pad, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
    result: NDArray[np.floating] = windows.max(-1)
    return result


@dataclass
class SoundPrint:
    """Listed sounds, found by their landmarks."""

    _places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Iterable[NDArray[np.int64]]) -> SoundPrint:
        """Of landmarks, one array an entry."""
        made = cls()
        for entry in entries:
            made.add(entry)
        return made

    def add(self, marks: NDArray[np.int64]) -> int:
        """Add a sound's landmarks; its number."""
        number = len(self._counts)
        self._counts.append(len(marks))
        for key, time in marks.tolist():
            self._places.setdefault(key, []).append((number, time))
        return number

    def find(self, marks: NDArray[np.int64]) -> SoundMatch | None:
        """The listed sound that is heard, if one is."""
        votes: Counter[tuple[int, int]] = Counter()
        for key, time in marks.tolist():
            for number, listed in self._places.get(key, ()):
                votes[number, time - listed] += 1
        best: SoundMatch | None = None
        for (number, offset), count in votes.most_common(8):
            # What is cut between two frames lies half in each of two offsets.
            aligned = count + max(votes.get((number, offset - 1), 0), votes.get((number, offset + 1), 0))
            share = aligned / max(1, min(len(marks), self._counts[number]))
            if best is None or (aligned, share) > (best.aligned, best.share):
                best = SoundMatch(number, aligned, min(1.0, share), offset * _HOP / RATE_HZ)
        return best if best is not None and best.aligned >= FOUND and best.share >= FOUND_SHARE else None


def to_pairs(marks: NDArray[np.int64]) -> list[list[int]]:
    """Landmarks as plain values."""
    pairs: list[list[int]] = marks.tolist()
    return pairs


def from_pairs(pairs: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Landmarks of plain values.

    Raises:
        ValueError: They are not pairs of whole numbers.
    """
    marks = np.array(pairs, np.int64) if len(pairs) else np.zeros((0, 2), np.int64)
    if marks.ndim != 2 or marks.shape[1] != 2:
        raise ValueError("landmarks are pairs of a key and a frame")
    return marks
