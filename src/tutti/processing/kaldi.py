"""Sound to log-mel filter banks, as Kaldi computes them.

Source: Kaldi, `compute-fbank-feats` (Povey et al. 2011), as `torchaudio.compliance.kaldi.fbank` passes it on to models
such as AST (Gong et al. 2021) and ImageBind. Unlike Whisper's spectrogram (`processing.audio`): frames lie within the
recording, each loses its mean and is pre-emphasized, triangles stand on the mel scale and have height one, and the
logarithm is the natural one.
We differ in: everything is computed in double precision, and filters that hold no frequency are allowed, as torchaudio
does and Kaldi does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, UnsupportedConfig

_PREEMPHASIS = 0.97
_LOW_HZ = 20.0
"""Where the lowest filter starts; the highest ends at half the sampling rate."""
_FLOOR = float(np.finfo(np.float32).eps)
"""Least energy in a filter."""
_FRAME_S, _HOP_S = 0.025, 0.010


@dataclass(frozen=True, kw_only=True)
class FilterBank:
    """Log energies of mel filters, frame by frame, with Hann windows of 25 ms every 10 ms and no dither."""

    num_mel_bins: int = 128
    """M."""
    sampling_rate: int = 16_000
    """Rate of the samples in hertz."""

    def __post_init__(self) -> None:
        if self.sampling_rate < 1000 or self.num_mel_bins < 1:
            raise UnsupportedConfig(
                f"sampling_rate is {self.sampling_rate} and num_mel_bins is {self.num_mel_bins}; "
                "expected from 1000 hertz and from one filter on."
            )

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return int(self.sampling_rate * _FRAME_S)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return int(self.sampling_rate * _HOP_S)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Transform one recording.

        Shapes: (S,) float32 → (F, M) float32, F = 1 + (S - frame) // hop.

        Raises:
            InputError: The recording is shorter than one frame.
        """
        if len(samples) < self.frame:
            raise InputError(
                f"The recording has {len(samples)} samples; expected {self.frame} or more, which is "
                f"{_FRAME_S * 1000:g} ms."
            )
        frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), self.frame)[:: self.hop]
        frames = frames - frames.mean(axis=1, keepdims=True)
        before = np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / (self.frame - 1))
        n_fft = 1 << (self.frame - 1).bit_length()
        spectrum = np.fft.rfft((frames - _PREEMPHASIS * before) * window, n_fft, axis=1)
        energies = (spectrum.real**2 + spectrum.imag**2) @ _filters(self.num_mel_bins, n_fft, self.sampling_rate)
        return np.log(np.maximum(energies, _FLOOR)).astype(np.float32)


@lru_cache(maxsize=4)
def _filters(mel_bins: int, n_fft: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """Triangles on the mel scale, each of height one. Shape (n_fft // 2 + 1, M); the last frequency is left out."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(sample_rate_hz / 2), mel_bins + 2)
    mels = _mel(np.arange(n_fft // 2 + 1) * sample_rate_hz / n_fft)[:, None]
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    bank: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    bank[-1] = 0
    return bank


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log(1 + np.asarray(hertz) / 700))
