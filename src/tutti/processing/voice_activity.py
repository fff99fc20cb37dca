"""Where a recording may hold a voice, so that music and noises are not written down at the price of speech.

A logistic regression over what tells speech from other sounds in two seconds: how much of the loudness changes at the
rate of syllables (Houtgast and Steeneken 1985), how many frames are quieter than the mean (Scheirer and Slaney 1997),
how many have a pitch of a voice, how that pitch moves, and where in the spectrum the energy lies. Singing is a voice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutti.processing.audio import Samples
from tutti.processing.sounding import Stretch, sounding

BLOCK_S, STEP_S = 2.0, 1.0
"""A block is looked at as a whole; the next one begins a step later."""
_FRAME, _HOP = 512, 160
"""Samples at 16 kHz."""
RATE_HZ = 16_000
"""Of what is looked at."""
_BANDS_HZ = ((80, 300), (300, 1000), (1000, 2500), (2500, 7000))
_SYLLABLES_HZ, _CHANGES_HZ = (2.0, 9.0), (0.5, 25.0)
_PITCH_HZ = (75.0, 400.0)
_VOICED = 0.45
"""Least autocorrelation of a frame that has a pitch."""
_RANGE_DB = 45.0
"""What lies further below the loudest frame of a block counts as so far below."""
_AROUND_S = 1.0
"""What is kept around a block with a voice: the beginning of a word in the block before."""
_SHORTEST_S = 0.3
_LEAST = 0.3
"""Probability from which on a block may hold a voice. At .2, on packs that the weights are not from, 99 % of blocks of
speech do, 95 % of those 5 dB above noise, but also a fifth of those of noises and up to two fifths of instruments."""
FEATURES = (
    "syllabic share", "spread of loudness", "quiet share", "voicing", "voiced share", "spread of pitch",
    "steps of pitch", "centroid", "spread of centroid", "share below 300", "share above 2500", "flux",
)  # fmt: skip
_MEANS = np.array([0.384, 0.924, 0.489, 0.755, 0.589, 0.456, 2.095, -0.766, 0.648, 0.349, 0.095, 0.507])
_SPREADS = np.array([0.254, 0.522, 0.253, 0.196, 0.278, 0.213, 4.308, 0.913, 0.368, 0.224, 0.131, 0.223])
_WEIGHTS = np.array([-0.042, 0.444, 1.264, 0.79, 0.383, -0.149, -1.567, -0.205, -0.193, 0.096, 1.058, 1.499])
_SQUARES = np.array([0.226, 0.08, -0.019, -0.45, 0.362, -0.108, 0.208, -0.316, -0.038, -0.729, -0.705, -0.665])
_BIAS = 1.896
"""Of `python -m recipes.voice_activity`: of features over their spread, of the squares of those, and beside both."""


def features(samples: Samples) -> NDArray[np.float32]:
    """What a block is like, in the order of `FEATURES`. Shapes: (S,) float32 at 16 kHz → (features,)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    spectrum = np.square(np.abs(np.fft.rfft(windows * np.hanning(_FRAME).astype(np.float32), axis=1)))
    hertz = np.fft.rfftfreq(_FRAME, 1 / RATE_HZ)
    bands = np.stack([spectrum[:, (hertz >= low) & (hertz < high)].sum(1) for low, high in _BANDS_HZ], 1)
    whole = bands.sum(1)
    levels = _decibels(bands)
    loud = _decibels(whole[:, None])[:, 0]
    heard = loud > loud.max() - 25
    shares = spectrum / np.maximum(spectrum.sum(1, keepdims=True), 1e-12)
    centroids = np.log2(np.maximum((shares * hertz).sum(1), 50.0))
    voicing, pitch = _pitch(spectrum)
    voiced = (voicing > _VOICED) & heard
    steps = np.abs(np.diff(pitch))[voiced[1:] & voiced[:-1]]
    part = bands / np.maximum(whole[:, None], 1e-12)
    return np.array(
        [
            _syllabic(levels), loud.std() / 10, (whole < 0.5 * whole.mean()).mean(),
            voicing[heard].mean(), voiced.mean(), pitch[voiced].std() if voiced.sum() > 2 else 0.0,
            np.median(steps) * 20 if len(steps) else 0.0, centroids[heard].mean() - 10, centroids[heard].std(),
            part[heard, 0].mean(), part[heard, 3].mean(), np.abs(np.diff(levels, axis=0)).mean() / 3,
        ],
        np.float32,
    )  # fmt: skip


def _decibels(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    levels = 10 * np.log10(np.maximum(energy, 1e-10))
    return np.asarray(np.maximum(levels, levels.max() - _RANGE_DB), np.float32)


def _syllabic(levels: NDArray[np.float32]) -> float:
    """Of what changes in the loudness of the bands, the share at the rate of syllables. Shapes: (frames, bands)."""
    moving = levels - levels.mean(0)
    power = np.square(np.abs(np.fft.rfft(moving * np.hanning(len(moving))[:, None], axis=0))).sum(1)
    hertz = np.fft.rfftfreq(len(moving), _HOP / RATE_HZ)
    (low, high), (least, most) = _SYLLABLES_HZ, _CHANGES_HZ
    everything = power[(hertz >= least) & (hertz < most)].sum()
    return float(power[(hertz >= low) & (hertz < high)].sum() / max(1e-9, everything))


def _pitch(spectrum: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each frame, how much it repeats itself, from 0 to 1, and at which pitch, in octaves."""
    hertz = np.fft.rfftfreq(_FRAME, 1 / RATE_HZ)
    power = np.where((hertz > 60) & (hertz < 2000), spectrum, 0)
    correlation = np.fft.irfft(power, axis=1)
    # The window's own correlation falls with the lag: it is divided out, as in Boersma 1993.
    window = np.fft.irfft(np.square(np.abs(np.fft.rfft(np.hanning(_FRAME), 2 * _FRAME))))[: _FRAME // 2]
    shortest, longest = (round(RATE_HZ / hertz) for hertz in reversed(_PITCH_HZ))
    lags = correlation[:, shortest : longest + 1] / np.maximum(window[shortest : longest + 1] / window[0], 0.1)
    best = lags.argmax(1)
    height = np.take_along_axis(lags, best[:, None], 1)[:, 0] / np.maximum(correlation[:, 0], 1e-12)
    return np.clip(height, 0, 1).astype(np.float32), np.log2(RATE_HZ / (best + shortest)).astype(np.float32)


def voices(samples: Samples) -> list[Stretch]:
    """The stretches that may hold a voice, in order, with a little around each. Shapes: (S,) float32 mono at 16 kHz."""
    block, step, around = (round(seconds * RATE_HZ) for seconds in (BLOCK_S, STEP_S, _AROUND_S))
    found: list[Stretch] = []
    for start, stop in sounding(samples, RATE_HZ):
        # Of a stretch that is no longer than a block, one block; of others, also one that ends where the stretch does.
        places = sorted({*range(start, max(start, stop - block) + 1, step), max(start, stop - block)})
        for place in places:
            part = samples[place : min(place + block, stop)]
            if len(part) < _SHORTEST_S * RATE_HZ or probability(part) < _LEAST:
                continue
            low, high = max(start, place - around), min(stop, place + len(part) + around)
            if found and low <= found[-1].stop:
                found[-1] = Stretch(found[-1].start, high)
            else:
                found.append(Stretch(low, high))
    return found


def probability(samples: Samples) -> float:
    """Of a voice in a block. Shapes: (S,) float32 at 16 kHz."""
    values = (features(samples) - _MEANS) / _SPREADS
    score = float(values @ _WEIGHTS + np.square(values) @ _SQUARES + _BIAS)
    return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))
