"""Frames of an earlier coding that a recording still shows, and where they fall out of step.

Lossy coders work in frames of a fixed length and set many frequencies to nothing. Where a decoded recording is analysed
with the same transform in step with those frames, the frequencies are nothing again; out of step by one sample they are
not (Herre and Schug 2000, "Analysis of decompressed audio: the inverse decoder", AES 109th convention). A recording
that was cut and joined has passages whose frames do not continue one another (Yang, Qu and Huang 2008, "Detecting
digital audio forgeries by checking frame offsets", MM&Sec; there for MP3, here for AAC: the modified cosine transform
of 2,048 samples with its sine and its Kaiser-Bessel window, ISO/IEC 14496-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Samples = NDArray[np.float32]
LENGTH = 1024
"""Samples of a frame of AAC."""
_FRAMES = 8
"""Frames of a passage that are looked at together."""
_LOW, _HIGH, _EVERY = 60, 560, 4
"""Frequencies that are looked at, of 1,024: the middle ones, where coders leave most out."""
_CLEAR = 6.0
"""Deviations by which one of the 1,024 places stands out where there was a coding."""
_SLACK = 1
_BESIDE = 64
"""Places that are looked at where one is known."""
_PATIENCE, _SELDOM = 4, 8
"""Passages without any clear place after which one in eight is looked at."""
_SILENT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingStep:
    """Two passages of a recording whose earlier frames do not continue one another."""

    score: float
    """From 0 to 1."""
    at_s: float
    """Between the two."""
    samples: int
    """By how many the frames are out of step."""

    @property
    def reason(self) -> str:
        """In words."""
        return (
            f"frames of an earlier AAC coding are out of step by {self.samples} samples from {self.at_s:.1f} s on: "
            "something was cut out or put in there"
        )


def coding_step(samples: _Samples, rate_hz: int) -> CodingStep | None:
    """The clearest place where frames of an earlier coding fall out of step; None where there is none.

    Args:
        samples: (S,) float32 mono, at the rate at which it was coded: resampling removes what is looked for.
        rate_hz: Of it.
    """
    passages = [found for found in _passages(samples) if found[2] >= _CLEAR]
    best: CodingStep | None = None
    for (start, place, clear), (later, other, as_clear) in pairwise(passages):
        apart = (other - place) % LENGTH
        if min(apart, LENGTH - apart) <= _SLACK:
            continue
        score = float(1 - np.exp(-(min(clear, as_clear) - _CLEAR + 1) / 3))
        if best is None or score > best.score:
            middle = (start + later) / 2 + _FRAMES * LENGTH / 2
            best = CodingStep(score=score, at_s=middle / rate_hz, samples=int(min(apart, LENGTH - apart)))
    return best


def _passages(samples: _Samples) -> list[tuple[int, int, float]]:
    """For each passage where it starts, the place of the frames modulo 1,024, and how far it stands out.

    All places are tried only where the one of the passage before does not stand out, and seldom where none did.
    """
    span = (_FRAMES + 2) * LENGTH
    found: list[tuple[int, int, float]] = []
    known: tuple[int, _Samples] | None = None
    failed = 0
    for number, start in enumerate(range(0, len(samples) - span, _FRAMES * LENGTH)):
        piece = samples[start : start + span]
        if float(np.abs(piece).max()) < _SILENT:
            continue
        if known is not None:
            places = (known[0] - start + np.arange(0, LENGTH, LENGTH // _BESIDE)) % LENGTH
            clear = _clearness(_depths(piece, known[1], places), 0)
            if clear >= _CLEAR:
                found.append((start, known[0], clear))
                continue
        if failed > _PATIENCE and number % _SELDOM:
            continue
        whole = np.arange(LENGTH)
        tried = [(depths := _depths(piece, window, whole), int(depths.argmax()), window) for window in _windows()]
        depths, place, window = max(tried, key=lambda one: _clearness(one[0], one[1]))
        clear = _clearness(depths, place)
        found.append((start, (start + place) % LENGTH, clear))
        failed = 0 if clear >= _CLEAR else failed + 1
        if clear >= _CLEAR:
            known = ((start + place) % LENGTH, window)
    return found


def _clearness(depths: NDArray[np.float64], at: int) -> float:
    """How far one place stands out of all, in deviations."""
    middle = float(np.median(depths))
    spread = float(np.median(np.abs(depths - middle))) * 1.4826 + 1e-6
    return (float(depths[at]) - middle) / spread


def _depths(piece: _Samples, window: _Samples, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """How little the transform holds at places of its frames: minus the mean logarithm. Shapes: (S,), (N,) → (N,)."""
    frames = np.lib.stride_tricks.sliding_window_view(piece, 2 * LENGTH)
    made = np.zeros(len(places))
    for number in range(_FRAMES):
        values = (frames[number * LENGTH + places] * window) @ _waves()
        made -= np.log10(values * values + 1e-12).mean(1)
    return made / _FRAMES


@cache
def _waves() -> NDArray[np.float32]:
    """Cosines of the transform at the frequencies that are looked at. Shapes: (2048, K)."""
    place = np.arange(2 * LENGTH)[:, None] + 0.5 + LENGTH / 2
    frequency = np.arange(_LOW, _HIGH, _EVERY)[None] + 0.5
    waves: NDArray[np.float32] = (np.cos(np.pi / LENGTH * place * frequency) / np.sqrt(LENGTH)).astype(np.float32)
    return waves


@cache
def _windows() -> tuple[NDArray[np.float32], ...]:
    """Sine and Kaiser-Bessel (4) windows of 2,048 samples."""
    sine = np.sin(np.pi / (2 * LENGTH) * (np.arange(2 * LENGTH) + 0.5))
    half = np.cumsum(np.kaiser(LENGTH + 1, 4 * np.pi))
    rising = np.sqrt(half[:-1] / half[-1])
    return sine.astype(np.float32), np.concatenate([rising, rising[::-1]]).astype(np.float32)
