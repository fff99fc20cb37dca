"""Recordings as Whisper takes them, and its tokens as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.errors import UnsupportedConfig
from tutti.processing.audio import LogMel, Samples
from tutti.processing.prompt import Decoded, Decoding, MediaInput, Processor, media_digest
from tutti.processing.speech_tokens import SpeechTokens
from tutti.processing.tokenizer import Tokenizer


@dataclass(frozen=True)
class WhisperProcessor(Processor):
    """Model inputs for `whisper`.

    Raises:
        UnsupportedConfig: The preprocessor settings do not suit the model.
    """

    tokenizer: Tokenizer
    sounds: LogMel
    tokens: SpeechTokens
    mel_bins: int
    """M that the model hears."""
    window_frames: int
    """F of the model's window."""

    accepts = "recordings and the sound of videos"

    def __post_init__(self) -> None:
        found = (self.sounds.feature_size, self.sounds.max_samples // self.sounds.hop_length)
        if found != (self.mel_bins, self.window_frames):
            raise UnsupportedConfig(
                f"The preprocessor settings make {found[0]} mel bins and {found[1]} frames of a window; "
                f"the model hears {self.mel_bins} and {self.window_frames}: they are of another model."
            )

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Recordings, and of videos the sound."""
        return dict.fromkeys(("audio", "video"), Decoding(sample_rate_hz=self.sounds.sampling_rate))

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A recording: {"input_features": (M, F)}, two frames of which become a position of the encoder."""
        if modality not in self.decodings or not isinstance(decoded, np.ndarray):
            return super().prepare(modality, decoded)
        arrays = {"input_features": self.features(decoded)}
        return MediaInput("audio", arrays, -(-arrays["input_features"].shape[1] // 2), media_digest(arrays))

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.sounds.hop_length / self.sounds.sampling_rate

    def features(self, samples: Samples) -> NDArray[np.float32]:
        """Log-mel of a whole recording: what fits into one window is padded to it with silence, as in the reference.

        Shapes: (S,) float32 mono at `sounds.sampling_rate` → (M, F).

        Raises:
            InputError: The recording is empty, not mono or not finite.
        """
        short = len(samples) <= self.sounds.max_samples
        return self.sounds(samples) if short else self.sounds.whole(samples)

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids; times and special tokens are left out."""
        return self.tokenizer.decode([token for token in ids if token < self.tokens.timestamp_begin])

    def words(self, text: str) -> list[int]:
        """Token ids of words that stand before a recording, as if they had been said; none of an empty text.

        Raises:
            InputError: The text is not Unicode.
        """
        return self.tokenizer.encode(f" {text.strip()}") if text.strip() else []
