"""Sound to log-mel spectrograms, as Whisper computes them.

Source: Radford et al. 2022 (Whisper), section 2.2; reference implementation: `transformers`,
`WhisperFeatureExtractor`. The maximum that sets the floor is taken within one recording, never over a batch, so that
what else is processed cannot change a recording's features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, UnsupportedConfig

Samples = NDArray[np.float32]

_IGNORED = frozenset({"feature_extractor_type", "processor_class", "padding_side", "padding_value"})
_IGNORED_DEFAULTS = {"return_attention_mask": False, "dither": 0.0}
_CHUNK_FRAMES = 6000
"""Frames transformed at a time: bounds memory to about 20 MB however long the recording."""


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Log-mel features of one recording."""

    feature_size: int = 80
    """M."""
    sampling_rate: int = 16_000
    """Rate of the samples in hertz."""
    hop_length: int = 160
    """Samples between frames."""
    n_fft: int = 400
    """Samples in a window."""
    chunk_length: int = 30
    """Longest recording in seconds; Whisper also pads to it."""
    pad_multiple_frames: int = 0
    """Pad with silence to a multiple of so many frames; 0 pads to `chunk_length`, as Whisper does."""

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> LogMel:
        """Read the keys of `preprocessor_config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
        """
        values = {key: value for key, value in values.items() if key not in _IGNORED}
        for key, value in _IGNORED_DEFAULTS.items():
            if (found := values.pop(key, value)) != value:
                raise UnsupportedConfig(f"{key} is {found!r}; only {value!r} is computed.")
        if "n_samples" in values or "nb_max_frames" in values:
            values.pop("n_samples", None)
            values.pop("nb_max_frames", None)
        if unknown := sorted(set(values) - set(cls.__dataclass_fields__)):
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {unknown[0]!r} for sound.")
        return cls(**values)

    @property
    def max_samples(self) -> int:
        """Longest recording in samples."""
        return self.chunk_length * self.sampling_rate

    def padded_samples(self, samples: int) -> int:
        """Samples after padding with silence."""
        if not self.pad_multiple_frames:
            return self.max_samples
        step = self.pad_multiple_frames * self.hop_length
        return max(1, -(-samples // step)) * step

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """Transform one recording.

        Args:
            samples: (S,) float32 mono in [-1, 1] at `sampling_rate`.

        Returns:
            (M, frames) float32, about -1 to 1.5.

        Raises:
            InputError: The recording is empty or longer than `chunk_length`.
        """
        if samples.ndim != 1 or not len(samples):
            raise InputError(f"Expected mono samples, got an array of shape {samples.shape}.")
        if len(samples) > self.max_samples:
            seconds = len(samples) / self.sampling_rate
            raise InputError(f"The recording lasts {seconds:.1f} s; this model takes {self.chunk_length} s at a time.")
        padded = np.zeros(self.padded_samples(len(samples)) + self.n_fft, np.float32)
        half = self.n_fft // 2
        padded[half : half + len(samples)] = samples
        _reflect(padded, half)
        frames = (len(padded) - self.n_fft) // self.hop_length
        strided = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length][:frames]
        bank, window = mel_filters(self.feature_size, self.n_fft, self.sampling_rate), _hann(self.n_fft)
        out = np.empty((frames, self.feature_size), np.float32)
        for start in range(0, frames, _CHUNK_FRAMES):
            spectrum = np.fft.rfft(strided[start : start + _CHUNK_FRAMES] * window, axis=1)
            power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
            out[start : start + _CHUNK_FRAMES] = np.log10(np.maximum(power @ bank, 1e-10))
        np.maximum(out, out.max() - 8.0, out=out)
        return np.ascontiguousarray(((out + 4.0) / 4.0).T)


def _reflect(padded: Samples, half: int) -> None:
    """Mirror the ends, as a centred short-time Fourier transform does."""
    padded[:half] = padded[half + 1 : 2 * half + 1][::-1]
    padded[-half:] = padded[-2 * half - 1 : -half - 1][::-1]


@lru_cache(maxsize=4)
def _hann(size: int) -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


@lru_cache(maxsize=8)
def mel_filters(mel_bins: int, n_fft: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Triangular filters on Slaney's mel scale, each of unit area (Slaney 1998, Auditory Toolbox).

    Returns:
        (n_fft / 2 + 1, M) float32.
    """
    top = _hertz_to_mel(np.array(sample_rate_hz / 2))
    edges = _mel_to_hertz(np.linspace(0.0, top, mel_bins + 2))
    bins = np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1)
    slopes = edges[None] - bins[:, None]
    widths = np.diff(edges)
    falling, rising = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    bank = np.maximum(0, np.minimum(falling, rising)) * (2.0 / (edges[2:] - edges[:-2]))
    return bank.astype(np.float32)


def _hertz_to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = 15 + np.log(np.maximum(hertz, 1e-9) / 1000) * (27 / np.log(6.4))
    return np.where(hertz >= 1000, logarithmic, hertz * 3 / 200)


def _mel_to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels >= 15, 1000 * np.exp((mels - 15) * (np.log(6.4) / 27)), mels * 200 / 3)
