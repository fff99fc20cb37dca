"""Recordings as Whisper takes them, and its tokens as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, UnsupportedConfig
from tutti.processing.audio import LogMel, Samples
from tutti.processing.prompt import (
    Decoded,
    Decoding,
    MediaInput,
    Processor,
    Prompt,
    TaughtDialogue,
    Turns,
    View,
    media_digest,
)
from tutti.processing.speech_tokens import TIMESTAMP_S, SpeechTokens
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

    def speaking(self, language: str | None) -> WhisperProcessor:
        """The same, set to a language; None leaves it as it is set, or to English where it is set to none.

        Raises:
            InputError: The language is not known.
            UnsupportedTask: The model hears English only.
        """
        code = self.tokens.code(language) or "en"
        return replace(self, tokens=replace(self.tokens, language=code))

    def dialogue(self, turns: Turns) -> TaughtDialogue:
        """A recording and what is said in it, as token ids: what to do, its times, the words, and the end.

        The words, the time at which the sound ends, and the end are learned; that words begin at once stands there and
        is not. Words of the user's beside the recording do not count.

        Raises:
            InputError: It is not one recording and its transcript, or the recording is longer than a window.
        """
        media = [piece for _, pieces in turns for piece in pieces if isinstance(piece, MediaInput)]
        said = "".join(piece for role, some in turns if role == "assistant" for piece in some if isinstance(piece, str))
        if [role for role, _ in turns] != ["user", "assistant"] or len(media) != 1:
            raise InputError("Speech is learned from one recording and what is said in it; expected a turn of each.")
        features = media[0].arrays["input_features"]
        if features.shape[1] > self.window_frames:
            raise InputError(
                f"The recording lasts {features.shape[1] * self.frame_s:.0f} s, and a window of the model "
                f"{self.window_frames * self.frame_s:.0f} s; cut it into pieces, each with its words."
            )
        first, words = self.tokens.timestamp_begin, self.words(said)
        sounding = np.flatnonzero(features.max(axis=0) > features.min())
        stop = first + round((int(sounding[-1]) + 1 if len(sounding) else 0) * self.frame_s / TIMESTAMP_S)
        begin = [*self.tokens.prompt(self.tokens.code(None), None, timestamps=True), first]
        ids = np.array([*begin, *words, stop, self.tokens.end], np.int64)
        learned = np.zeros(len(ids), bool)
        learned[len(begin) :] = True
        view = View(0, 0, len(ids), media[0].tokens)
        return TaughtDialogue(Prompt(ids, (replace(media[0], tokens=1),), (0,), (view,)), learned)

    def words(self, text: str) -> list[int]:
        """Token ids of words that stand before a recording, as if they had been said; none of an empty text.

        Raises:
            InputError: The text is not Unicode.
        """
        return self.tokenizer.encode(f" {text.strip()}") if text.strip() else []
