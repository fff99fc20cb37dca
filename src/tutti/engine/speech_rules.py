"""Which token may come next in a transcript, by the rules that Whisper was trained to keep.

Source: Radford et al. 2022 (Whisper), section 4.5; reference implementation: `transformers`,
`WhisperTimeStampLogitsProcessor` and the two that suppress tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tutti.processing.speech_tokens import SpeechTokens


class SpeechRules:
    """The rules for one recording.

    Args:
        tokens: Ids with a meaning.
        timestamps: Whether the transcript holds times.
    """

    def __init__(self, tokens: SpeechTokens, timestamps: bool) -> None:
        self.tokens = tokens
        self.timestamps = timestamps

    def __call__(self, logits: Tensor, said: Sequence[int]) -> Tensor:
        """Rule out what may not come next.

        Args:
            logits: (V,), as the model gives them.
            said: Tokens of the transcript so far, its prompt not included.

        Returns:
            (V,) float32, minus infinity at what is ruled out.
        """
        logits = logits.float().clone()
        logits[list(self.tokens.suppress)] = -math.inf
        if not said:
            logits[list(self.tokens.begin_suppress)] = -math.inf
        if self.timestamps:
            self._pair_timestamps(logits, said)
            self._prefer_timestamps(logits)
        return logits

    def _pair_timestamps(self, logits: Tensor, said: Sequence[int]) -> None:
        """Times come in pairs, but for the first and the last, and never go back."""
        begin = self.tokens.timestamp_begin
        logits[self.tokens.no_timestamps] = -math.inf
        if not said:
            logits[:begin] = -math.inf
            if self.tokens.max_initial_timestamp is not None:
                logits[begin + self.tokens.max_initial_timestamp + 1 :] = -math.inf
            return
        opened = said[-1] >= begin
        closed = opened and (len(said) < 2 or said[-2] >= begin)
        if closed:
            logits[begin:] = -math.inf
        elif opened:
            logits[: self.tokens.end] = -math.inf
        if times := [token for token in said if token >= begin]:
            # The second of a pair may be the same; any other time lies later.
            logits[begin : times[-1] + (0 if opened and not closed else 1)] = -math.inf

    def _prefer_timestamps(self, logits: Tensor) -> None:
        """All times together against the likeliest word: where they win, only times are left."""
        begin = self.tokens.timestamp_begin
        log_probabilities = logits.log_softmax(dim=-1)
        if log_probabilities[begin:].logsumexp(dim=-1) > log_probabilities[:begin].max():
            logits[:begin] = -math.inf


def no_speech_probability(logits: Tensor, tokens: SpeechTokens) -> float:
    """How sure the model is that a window holds no speech.

    Args:
        logits: (V,), of the token after the one that begins every transcript.
        tokens: Ids with a meaning.
    """
    return float(torch.softmax(logits.float(), dim=-1)[tokens.no_speech])
