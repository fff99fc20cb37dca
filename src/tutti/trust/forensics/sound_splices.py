"""Traces of editing in a recording: another background, a break in the waveform, an earlier coding out of step.

Three measures, each of which sees one thing.

`floor_step`: noise under what is said or played belongs to a place and a microphone. Its spectrum is followed by the
quietest moments of each band (minimum statistics, Martin 2001, IEEE Trans. Speech and Audio Processing 9(5)); where it
steps and stays, another recording, or one that was played and recorded again, was put in (Pan, Zhang and Lyu 2012,
"Detecting splicing in digital audios using local noise level estimation", ICASSP).

`waveform_break`: where two pieces meet without a fade, the signal is not continued: the error of linear prediction
leaps for one moment and is as before after it (Cooper 2010, "Detecting butt-spliced edits in forensic digital audio
recordings", AES 39th conference).

`coding_steps` in `coding_grid.py`: an earlier coding left its frames behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Samples = NDArray[np.float32]
RATE_HZ = 16_000
"""Of the samples that are taken."""
_Table = NDArray[np.float64]
_FRAME, _HOP = 512, 256
_EDGES_HZ = (100, 200, 320, 460, 630, 840, 1080, 1380, 1740, 2180, 2720, 3400, 4200, 5200, 6400, 7600)
_QUIET, _WINDOW_S, _STEP_S = 0.15, 1.0, 0.1
_GAP = round(_WINDOW_S / _STEP_S / 2)
"""Steps on each side of an edge whose windows hold both sides of it."""
_SHORTEST, _LONGEST = round(0.8 / _STEP_S), round(5.0 / _STEP_S)
"""Steps of background that are compared at the least, and of a passage that is looked for at most."""
_STEADY_DB = 1.0
"""Added to how far the background varies by itself, so that digital silence is not infinitely steady."""
_BANDS = 5
"""Bands, of fifteen, in which a background has to change: another place need not differ in all of them."""
_NEARLY = 0.6
_FLOOR_AT = 5.4
"""Ratio of step to variation that scores a half."""
_ORDER, _BLOCK = 16, 512
_NEAR, _AROUND = 8, 96
"""Samples on each side of a break that it may fill, and of what is around it: half a millisecond and six."""
_BREAK_AT = 9.0
"""Ratio of the error at a break to that around it that scores a half."""
_LEAST_LEVEL = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTrace:
    """A place in a recording that editing may have made."""

    score: float
    """From 0 to 1; a half is what few recordings reach that nobody edited."""
    at_s: float
    """From the beginning of what was looked at."""
    lasts_s: float
    """0 for a moment."""
    reason: str


def floor_step(samples: _Samples, start_s: float = 0.0) -> SoundTrace | None:
    """Where the background changes most: for a passage, or for good; None if it is too short to tell.

    Args:
        samples: (S,) float32 mono at 16 kHz.
        start_s: Where they begin in the recording, for the reason.
    """
    floor = _floor(samples)
    if len(floor) < 2 * (_SHORTEST + _GAP):
        return None
    sums, squares = _sums(floor), _sums(floor**2)
    passage = lasting = (0.0, 0.0, 0, 0)
    for begin in range(_GAP + _SHORTEST, len(floor) - _GAP - _SHORTEST + 1):
        lasting = max(lasting, (*_step(sums, squares, begin, None), begin, 0), key=_ratio)
        for end in range(begin + 2 * _GAP + _SHORTEST, min(begin + _LONGEST, len(floor) - _GAP - _SHORTEST)):
            passage = max(passage, (*_step(sums, squares, begin, end), begin, end), key=_ratio)
    # What lies behind a passage differs from it as well; a passage says more.
    ratio, step_db, begin, end = passage if passage[0] >= _NEARLY * lasting[0] else lasting
    at_s = begin * _STEP_S
    until = f" to {start_s + end * _STEP_S:.1f} s" if end else " s on"
    return SoundTrace(
        score=_score(ratio, _FLOOR_AT),
        at_s=at_s,
        lasts_s=(end or len(floor)) * _STEP_S - at_s,
        reason=(
            f"the background is another one from {start_s + at_s:.1f}{until}: by {step_db:.0f} dB, {ratio:.1f} times "
            "what it varies by itself"
        ),
    )


def _ratio(found: tuple[float, float, int, int]) -> float:
    return found[0]


def _step(sums: _Table, squares: _Table, begin: int, end: int | None) -> tuple[float, float]:
    """Ratio of step to variation, and the step in decibels, for what lies from `begin` to `end`, or for good."""
    count = len(sums) - 1
    inside = (begin + _GAP, count if end is None else end - _GAP)
    around = [(0, begin - _GAP)]
    if end is not None:
        around.append((end + _GAP, count))
    one, varies = _moments(sums, squares, [inside])
    other, also = _moments(sums, squares, around)
    step = one - other
    ratio = np.abs(step) / (np.sqrt((varies + also) / 2) + _STEADY_DB)
    strongest = np.argsort(ratio)[-_BANDS:]
    return float(ratio[strongest].mean()), float(np.abs(step[strongest]).mean())


def _moments(sums: _Table, squares: _Table, spans: list[tuple[int, int]]) -> tuple[_Table, _Table]:
    """Mean and variance of each band over spans."""
    count = sum(end - begin for begin, end in spans)
    mean = sum((sums[end] - sums[begin] for begin, end in spans), np.zeros(sums.shape[1])) / count
    square = sum((squares[end] - squares[begin] for begin, end in spans), np.zeros(sums.shape[1])) / count
    return mean, np.maximum(square - mean**2, 0)


def _sums(values: NDArray[np.float32]) -> _Table:
    """Sums of all before each place, so that any span costs two look-ups. Shapes: (T, B) → (T + 1, B)."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values.astype(np.float64), axis=0)])


def _floor(samples: _Samples) -> NDArray[np.float32]:
    """Background of each band in decibels, every 0.2 s. Shapes: (S,) → (T, 15)."""
    if len(samples) < RATE_HZ * _WINDOW_S:
        return np.zeros((0, len(_EDGES_HZ) - 1), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)) ** 2
    bins = [round(edge * _FRAME / RATE_HZ) for edge in _EDGES_HZ]
    bands = np.stack([power[:, low:high].mean(1) for low, high in pairwise(bins)], 1)
    level = 10 * np.log10(bands + 1e-7)
    per_s = RATE_HZ / _HOP
    wide, hop = round(_WINDOW_S * per_s), _STEP_S * per_s
    starts = [round(at * hop) for at in range(int((len(level) - wide) / hop) + 1)]
    made = np.stack([np.quantile(level[start : start + wide], _QUIET, axis=0) for start in starts])
    padded = np.pad(made, ((round(_WINDOW_S / _STEP_S / 2), 0), (0, 0)), mode="edge")
    return padded.astype(np.float32)


def waveform_break(samples: _Samples, start_s: float = 0.0) -> SoundTrace | None:
    """The moment at which the waveform is continued least; None if it is too short.

    Args:
        samples: (S,) float32 mono at 16 kHz.
        start_s: Where they begin in the recording, for the reason.
    """
    error = _prediction_error(samples)
    if len(error) < 4 * _AROUND:
        return None
    power = np.concatenate([[0.0], np.cumsum(error.astype(np.float64) ** 2)])
    at = np.arange(_AROUND, len(error) - _AROUND)
    before = (power[at - _NEAR] - power[at - _AROUND]) / (_AROUND - _NEAR)
    after = (power[at + _AROUND] - power[at + _NEAR]) / (_AROUND - _NEAR)
    around = np.sqrt(np.maximum(np.maximum(before, after), 0)) + _LEAST_LEVEL
    ratio = np.abs(error[at]) / around
    place = int(ratio.argmax())
    at_s = (int(at[place]) + _ORDER) / RATE_HZ
    return SoundTrace(
        score=_score(float(ratio[place]), _BREAK_AT),
        at_s=at_s,
        lasts_s=0.0,
        reason=f"the waveform breaks at {start_s + at_s:.3f} s: {ratio[place]:.0f} times the change around it",
    )


def _prediction_error(samples: _Samples) -> NDArray[np.float32]:
    """What linear prediction from sixteen samples leaves, block by block. Shapes: (S,) → (S',)."""
    count = (len(samples) - _ORDER) // _BLOCK
    if count < 1:
        return np.zeros(0, np.float32)
    used = samples[: count * _BLOCK + _ORDER]
    history = np.lib.stride_tricks.sliding_window_view(used, _ORDER + 1)[: count * _BLOCK]
    blocks = history.reshape(count, _BLOCK, _ORDER + 1).astype(np.float64)
    past, now = blocks[..., :-1], blocks[..., -1:]
    square = past.transpose(0, 2, 1) @ past
    ridge = 1e-5 * np.trace(square, axis1=1, axis2=2)[:, None, None] / _ORDER + 1e-9
    weights = np.linalg.solve(square + ridge * np.eye(_ORDER), past.transpose(0, 2, 1) @ now)
    error: NDArray[np.float32] = (now - past @ weights)[..., 0].ravel().astype(np.float32)
    return error


def _score(ratio: float, half: float) -> float:
    """A ratio as a score: a half at `half`, 0.8 at twice that."""
    return ratio**2 / (ratio**2 + half**2)
