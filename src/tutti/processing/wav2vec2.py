"""Recordings as Wav2Vec2 takes them: samples, normed if the model was trained so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutti.errors import InputError, UnsupportedConfig
from tutti.processing.audio import Samples
from tutti.processing.ctc import CTCVocabulary
from tutti.processing.prompt import Decoding, Processor

_IGNORED = frozenset(
    {"feature_extractor_type", "padding_side", "padding_value", "processor_class", "return_attention_mask"}
)
"""Keys about recordings in batches, which are padded; one at a time is not."""
_EPSILON = 1e-7
"""Added to the variance."""


@dataclass(frozen=True, kw_only=True)
class Waveform:
    """The settings of `preprocessor_config.json`."""

    sampling_rate: int = 16_000
    """Rate of the samples in hertz."""
    do_normalize: bool = True
    """Whether a recording gets the mean 0 and the variance 1."""

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Waveform:
        """Read the keys of `preprocessor_config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
        """
        values = {key: value for key, value in values.items() if key not in _IGNORED}
        if (found := values.pop("feature_size", 1)) != 1:
            raise UnsupportedConfig(f"feature_size is {found!r}; only 1, for mono, is computed.")
        if unknown := sorted(set(values) - set(cls.__dataclass_fields__)):
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {unknown[0]!r} for sound.")
        waveform = cls(**values)
        if type(waveform.sampling_rate) is not int or waveform.sampling_rate < 1:
            raise UnsupportedConfig(f"sampling_rate is {waveform.sampling_rate!r}; expected a whole number above zero.")
        return waveform

    def __call__(self, samples: Samples) -> Samples:
        """Make one recording ready. Shapes: (S,) float32 mono at `sampling_rate` → (S,) float32.

        Raises:
            InputError: The recording is empty, not mono or not finite.
        """
        if samples.ndim != 1 or not len(samples):
            raise InputError(f"Expected mono samples, got an array of shape {samples.shape}.")
        if not np.isfinite(samples).all():
            raise InputError("The recording holds samples that are not finite numbers.")
        if not self.do_normalize:
            return samples.astype(np.float32)
        normed = (samples - samples.mean()) / np.sqrt(samples.var() + _EPSILON)
        return np.asarray(normed, np.float32)


@dataclass(frozen=True)
class Wav2Vec2Processor(Processor):
    """Model inputs for `wav2vec2`, and its letters as text."""

    sounds: Waveform
    vocabulary: CTCVocabulary

    accepts = "recordings and the sound of videos"

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Recordings, and of videos the sound."""
        return dict.fromkeys(("audio", "video"), Decoding(sample_rate_hz=self.sounds.sampling_rate))
