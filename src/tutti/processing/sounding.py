"""Where a recording holds something to hear, so that what holds nothing is not written down as words.

A stretch holds nothing if it is quieter than any recorded speech (digital silence, dither), or as steady as a fan or a
hum: in no band of frequencies does it rise above its own floor. Speech rises and falls some four times a second
(Houtgast and Steeneken 1985), in noise as loud as itself still by more than the threshold in the bands of its formants.
Music, other noises and other voices rise, too: what is doubtful is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.processing.audio import Samples

_FRAME_S, _HOP_S = 0.032, 0.02
_EDGES_HZ = (80, 300, 700, 1500, 3000, 7000)
"""Borders of the bands: pitch, then formants, then hiss."""
_SMOOTH_FRAMES = 5
"""Frames of a mean: a tenth of a second, in which noise of 300 Hz width varies by less than 1 dB."""
_LEAST_DB = -90.0
"""Full scale is 0; dither of the last of 16 bits has some -100 in a band. Speech a hundred times too quiet has -70."""
_RISE_DB = 5.0
"""How far above its floor a band of a stretch rises."""
_FLOOR_S, _FLOOR_SHARE = 6.0, 20
"""The floor: what a fifth of the frames of so many seconds around stay below."""
_BEFORE_S, _AFTER_S = 0.4, 0.6
"""What is kept around what rises: a faint consonant at the beginning, a fading end."""
_LEAST_GAP_S = 1.5
"""A pause shorter than this belongs to the speech around it."""
LEAST_RECORDING_S = 0.1
"""No word is shorter."""
_CHUNK_FRAMES = 4096


class Stretch(NamedTuple):
    """Samples from `start` up to `stop`."""

    start: int
    stop: int


def sounding(samples: Samples, rate_hz: int) -> list[Stretch]:
    """The stretches of a recording that hold something, in order, with a little around each.

    Shapes: samples (S,) float32 mono in [-1, 1].
    """
    if len(samples) < LEAST_RECORDING_S * rate_hz or not np.any(samples):
        return []
    levels = _levels(samples, rate_hz)
    rises = ((levels >= _floors(levels) + _RISE_DB) & (levels >= _LEAST_DB)).any(axis=1)
    places = np.flatnonzero(rises)
    if not len(places):
        return []
    hop = _HOP_S * rate_hz
    before, after, gap = (round(seconds * rate_hz) for seconds in (_BEFORE_S, _AFTER_S, _LEAST_GAP_S))
    found: list[Stretch] = []
    for place in places:
        start, stop = max(0, int(place * hop) - before), min(len(samples), int((place + 1) * hop) + after)
        if found and start - found[-1].stop < gap - before - after:
            found[-1] = Stretch(found[-1].start, stop)
        else:
            found.append(Stretch(start, stop))
    return found


def _levels(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """Level of each band in decibels, a frame a row. Shapes: (S,) → (frames, bands)."""
    size, hop = round(_FRAME_S * rate_hz), round(_HOP_S * rate_hz)
    # Only whole windows: at the ends, whatever is put beside a hum would look like a sound that begins.
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    hann = np.hanning(size).astype(np.float32)
    borders = [min(size // 2, round(edge * size / rate_hz)) for edge in _EDGES_HZ]
    energy = np.empty((len(windows), len(borders) - 1), np.float32)
    for start in range(0, len(windows), _CHUNK_FRAMES):
        part = windows[start : start + _CHUNK_FRAMES]
        spectrum = np.fft.rfft(part * hann, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) / np.square(hann).sum() / size * 2
        sums = np.add.reduceat(power, borders, axis=1)[:, : len(borders) - 1]
        energy[start : start + len(part)] = sums
    sums = np.cumsum(
        np.pad(energy.astype(np.float64), ((_SMOOTH_FRAMES // 2 + 1, _SMOOTH_FRAMES // 2), (0, 0)), "edge"), 0
    )
    means = (sums[_SMOOTH_FRAMES:] - sums[:-_SMOOTH_FRAMES]) / _SMOOTH_FRAMES
    levels: NDArray[np.float32] = (10 * np.log10(np.maximum(means, 1e-15))).astype(np.float32)
    return levels


def _floors(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each frame and band what a fifth of the frames around stay below, second by second. (frames, bands)."""
    step, reach = round(1 / _HOP_S), round(_FLOOR_S / 2 / _HOP_S)
    floors = np.empty_like(levels)
    for start in range(0, len(levels), step):
        around = levels[max(0, start + step // 2 - reach) : start + step // 2 + reach]
        floors[start : start + step] = np.percentile(around, _FLOOR_SHARE, axis=0)
    return floors


class Packed(NamedTuple):
    """A recording without its empty stretches."""

    samples: Samples
    """(S,)."""
    pieces: Sequence[tuple[int, int, int]]
    """Where each stretch begins in `samples`, where in the recording, and how many samples it has."""

    def place(self, sample: float, *, is_end: bool = False) -> float:
        """Where a sample lies in the recording; an end between two stretches belongs to the one before."""
        for begins, was, length in reversed(self.pieces):
            if sample > begins or (sample == begins and not is_end):
                return was + min(sample - begins, length)
        return float(self.pieces[0][1])


def packed(samples: Samples, stretches: Sequence[Stretch]) -> Packed:
    """A recording of its stretches alone, one behind the other."""
    pieces, begins = [], 0
    for start, stop in stretches:
        pieces.append((begins, start, stop - start))
        begins += stop - start
    return Packed(np.concatenate([samples[start:stop] for start, stop in stretches]), pieces)
