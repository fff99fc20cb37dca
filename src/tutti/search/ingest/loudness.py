"""Loudness of a window of sound per band, by which a window is compared with the one before."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Loudness: TypeAlias = NDArray[np.float64]
"""(2 halves, 2, bands): the mean power of each band and its highest, in each half of a window, in dB of full scale."""
_FRAME = 1024
_BANDS = 16
_SILENCE = 1e-9
"""Power that adds nothing to be heard: 90 dB below full scale."""
_CHANGE_DB = np.array([3.0, 6.0])[:, None]
"""Change of the mean and of the highest power that is heard. With steady noise the latter differs by up to five from
one half window to the next."""
_EDGES = np.unique(np.round(np.geomspace(3, _FRAME // 2, _BANDS + 1)).astype(int))[:-1]
_TAPER = np.hanning(_FRAME)


def loudness(samples: NDArray[np.float32]) -> Loudness:
    """How loud both halves of a window are, in bands that are equally wide in octaves. Shapes: (S,) → `Loudness`."""
    half = len(samples) // 2
    return np.stack([_of(samples[:half]), _of(samples[half:])])


def alike(one: Loudness, other: Loudness) -> bool:
    """Whether two windows sound the same, at the same time in them: of a sound that begins or ends, none do."""
    return bool((np.abs(one - other) < _CHANGE_DB).all())


def _of(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    frames = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    frames = frames[: len(frames) // _FRAME * _FRAME].reshape(-1, _FRAME)
    spectrum = np.abs(np.fft.rfft(frames * _TAPER)) ** 2 / (3 / 8 * _FRAME**2)
    power = np.add.reduceat(spectrum, _EDGES, axis=1) + _SILENCE
    return np.asarray(10 * np.log10(np.stack([power.mean(axis=0), power.max(axis=0)])), np.float64)
