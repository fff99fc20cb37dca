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

from tutti.errors import CapacityError, InputError, UnsupportedConfig

Samples = NDArray[np.float32]

_IGNORED = frozenset({"feature_extractor_type", "processor_class", "padding_side", "mel_filters"})
_ONLY = {"padding_value": 0.0, "return_attention_mask": False, "dither": 0.0}
"""Keys of the reference that change what is computed, and the one value that is computed here."""
_CHUNK_FRAMES = 1000
"""Frames transformed at a time: bounds the working memory to some 10 MB however long the recording."""
_FLOOR = 1e-10
"""Least energy in a mel bin."""
_DYNAMIC_RANGE = 8.0
"""What lies further below the maximum is raised to it, in powers of ten."""


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

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < (name != "pad_multiple_frames"):
                raise UnsupportedConfig(f"{name} is {value!r}; expected a whole number above zero.")
        if self.n_fft < 16 or self.padded_samples(1) <= self.n_fft // 2:
            raise UnsupportedConfig(
                f"A window of {self.n_fft} samples does not fit recordings padded to {self.padded_samples(1)} samples; "
                "raise pad_multiple_frames."
            )

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> LogMel:
        """Read the keys of `preprocessor_config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
        """
        values = {key: value for key, value in values.items() if key not in _IGNORED}
        for key, value in _ONLY.items():
            if (found := values.pop(key, value)) != value:
                raise UnsupportedConfig(f"{key} is {found!r}; only {value!r} is computed.")
        implied = {key: values.pop(key, None) for key in ("n_samples", "nb_max_frames")}
        if unknown := sorted(set(values) - set(cls.__dataclass_fields__)):
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {unknown[0]!r} for sound.")
        extractor = cls(**values)
        expected = (extractor.max_samples, extractor.max_samples // extractor.hop_length)
        for (key, found), value in zip(implied.items(), expected, strict=True):
            if found not in (None, value):
                raise UnsupportedConfig(f"{key} is {found!r}; chunk_length and sampling_rate make it {value}.")
        return extractor

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
            InputError: The recording is empty, not mono or not finite.
            CapacityError: It is longer than `chunk_length`.
        """
        _check(samples)
        if len(samples) > self.max_samples:
            seconds = len(samples) / self.sampling_rate
            raise CapacityError(
                f"The recording lasts {seconds:.1f} s; this model takes {self.chunk_length} s at a time: cut it."
            )
        silence = self.padded_samples(len(samples)) - len(samples)
        return self._transform(np.pad(samples.astype(np.float32), (0, silence)))

    def whole(self, samples: Samples) -> NDArray[np.float32]:
        """Transform a recording of any length as one, without silence behind it. The floor lies below its own maximum.

        Args:
            samples: (S,) float32 mono in [-1, 1] at `sampling_rate`.

        Returns:
            (M, S // hop_length) float32.

        Raises:
            InputError: The recording is shorter than a window, not mono or not finite.
        """
        _check(samples)
        if len(samples) < self.n_fft:
            raise InputError(f"The recording has {len(samples)} samples; expected {self.n_fft} or more.")
        return self._transform(samples.astype(np.float32))

    def _transform(self, samples: Samples) -> NDArray[np.float32]:
        out = self._log_energy(np.pad(samples, self.n_fft // 2, mode="reflect"))
        np.maximum(out, out.max() - _DYNAMIC_RANGE, out=out)
        return np.ascontiguousarray(((out + 4.0) / 4.0).T)

    def _log_energy(self, padded: Samples) -> NDArray[np.float32]:
        """Log10 of the energy in each mel bin. Shapes: (S,) → (frames, M)."""
        # The last window is dropped, as the reference does: a second is then `sampling_rate / hop_length` frames.
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length][:-1]
        bank = mel_filters(self.feature_size, self.n_fft, self.sampling_rate)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.n_fft) / self.n_fft)
        out = np.empty((len(windows), self.feature_size), np.float32)
        for start in range(0, len(windows), _CHUNK_FRAMES):
            # In double precision: below the loudest bin by 80 dB, single precision would be all rounding.
            spectrum = np.fft.rfft(windows[start : start + _CHUNK_FRAMES] * hann, axis=1)
            energy = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ bank
            out[start : start + _CHUNK_FRAMES] = np.log10(np.maximum(energy, _FLOOR))
        return out


def _check(samples: Samples) -> None:
    if samples.ndim != 1 or not len(samples):
        raise InputError(f"Expected mono samples, got an array of shape {samples.shape}.")
    if not np.isfinite(samples).all():
        raise InputError("The recording holds samples that are not finite numbers.")


@lru_cache(maxsize=8)
def mel_filters(mel_bins: int, n_fft: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Triangular filters on Slaney's mel scale, each of unit area (Slaney 1998, Auditory Toolbox).

    Returns:
        (n_fft // 2 + 1, M) float32.
    """
    top = _hertz_to_mel(sample_rate_hz / 2)
    edges = _mel_to_hertz(np.linspace(0.0, top, mel_bins + 2))
    bins = np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1)[:, None]
    widths = np.diff(edges)
    rising, falling = (bins - edges[:-2]) / widths[:-1], (edges[2:] - bins) / widths[1:]
    bank = np.maximum(0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    return bank.astype(np.float32)


def _hertz_to_mel(hertz: float) -> float:
    """Linear below 1 kHz (15 mel), logarithmic above with 27 mel to a factor of 6.4."""
    return 15 + float(np.log(hertz / 1000)) * 27 / float(np.log(6.4)) if hertz >= 1000 else hertz * 3 / 200


def _mel_to_hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels >= 15, 1000 * np.exp((mels - 15) * np.log(6.4) / 27), mels * 200 / 3)
