"""One window of sound to tokens: heard once, then written down token by token, as often as it takes to be believable.

Source: Radford et al. 2022 (Whisper), section 4.5; the measure of repetition over tokens instead of text, and what
counts in the mean log-probability, are those of `transformers`, `WhisperGenerationMixin`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tutti.content import SamplingOptions, TranscriptionOptions, WindowScores
from tutti.engine.sampling import Sampler
from tutti.engine.speech_rules import SpeechRules, no_speech_probability
from tutti.models.layers.attention import Attend, CacheRows, MediaMemory, attention, window_mask

_STUCK, _STUCK_TOKENS, _STUCK_STEP = 4.0, 64, 16
"""A text of so many tokens that compresses so well is given up, looked at every so many. Sentences have some 1.0."""


@runtime_checkable
class SpeechDecoder(Protocol):
    """What is needed of a model that writes down speech. Implementation: `models.whisper`."""

    @property
    def layers(self) -> int:
        """Blocks of the decoder."""
        ...

    @property
    def kv_heads(self) -> int:
        """K."""
        ...

    @property
    def head_width(self) -> int:
        """E."""
        ...

    @property
    def context_length(self) -> int:
        """Longest text of one window in tokens, its prompt included."""
        ...

    @property
    def window_frames(self) -> int:
        """F of one window."""
        ...

    def encode(self, input_features: Tensor) -> Tensor:
        """Shapes: (B, M, F) → (B, P, D)."""
        ...

    def remember(self, states: Tensor) -> MediaMemory:
        """What the decoder looks at of a window. Shapes: (B, P, D) → (B, P, K, E) a block."""
        ...

    def decode(self, input_ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: input_ids and positions (B, T) int64 → (B, T, D)."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        ...


class KeepingAttend:
    """Attention over all tokens of one text so far, whose keys and values it keeps, and to a window; an `Attend`.

    Args:
        model: Whose keys and values.
        like: A tensor on the model's device and of its type.
    """

    def __init__(self, model: SpeechDecoder, like: Tensor) -> None:
        shape = (model.layers, 1, model.context_length, model.kv_heads, model.head_width)
        self._keys, self._values = like.new_empty(shape), like.new_empty(shape)
        self.kept = 0
        """Tokens before those of the next call. Set it back to forget what came later."""
        self.memory: MediaMemory | None = None
        """The window."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        """Keep the new keys and values, then attend. Shapes as in `Attend`, with B = 1."""
        tokens, stop = query.shape[1], self.kept + query.shape[1]
        self._keys[layer][:, self.kept : stop] = key
        self._values[layer][:, self.kept : stop] = value
        mask = None if tokens == 1 and window is None else window_mask(tokens, stop, window or stop, query.device)
        return attention(query, self._keys[layer][:, :stop], self._values[layer][:, :stop], mask)

    @property
    def rows(self) -> CacheRows | None:
        """No step is compiled for it."""
        return None

    @property
    def asked(self) -> Tensor | None:
        """All are."""
        return None

    @property
    def sees(self) -> Tensor | None:
        """All tokens look at the same window."""
        return None

    def look(self, layer: int, query: Tensor) -> Tensor:
        """Attend to the window. Shapes as in `Attend`."""
        if self.memory is None:
            return torch.zeros_like(query)
        return attention(query, self.memory.keys[layer], self.memory.values[layer])


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A transcript of one window."""

    tokens: tuple[int, ...]
    """Without the prompt and the end."""
    temperature: float
    mean_log_probability: float
    """Over its tokens, the end included."""
    compression_ratio: float
    """Of its tokens as bytes; high where it repeats itself."""
    no_speech: float
    """Probability that there is no speech."""

    def scores(self, window_start_s: float) -> WindowScores:
        """How sure the model was, for whoever reads the segments."""
        return WindowScores(
            window_start_s=window_start_s,
            temperature=self.temperature,
            mean_log_probability=self.mean_log_probability,
            compression_ratio=self.compression_ratio,
            no_speech=self.no_speech,
        )

    def is_silence(self, options: TranscriptionOptions) -> bool:
        """Whether the window is to be left out."""
        return (
            self._is_unsure(options)
            and options.no_speech_threshold is not None
            and self.no_speech > options.no_speech_threshold
        )

    def is_believable(self, options: TranscriptionOptions) -> bool:
        """Whether it neither repeats itself nor was guessed."""
        threshold = options.compression_ratio_threshold
        return not self._is_unsure(options) and not (threshold is not None and self.compression_ratio > threshold)

    def _is_unsure(self, options: TranscriptionOptions) -> bool:
        threshold = options.logprob_threshold
        return threshold is not None and self.mean_log_probability < threshold


class SpeechWindow:
    """Writes down windows, one after the other, in memory that is taken once.

    Args:
        model: In evaluation mode.
        rules: Which token may come next.
        like: A tensor on the model's device and of its type.
    """

    def __init__(self, model: SpeechDecoder, rules: SpeechRules, like: Tensor) -> None:
        self.model = model
        self.rules = rules
        self._attend = KeepingAttend(model, like)
        self._device = like.device

    def write(self, memory: MediaMemory, prompt: Sequence[int], options: TranscriptionOptions) -> Attempt:
        """Write down one window, at rising temperatures until it is believable.

        Args:
            memory: What the decoder looks at of the window.
            prompt: Tokens before the transcript; its last ones begin with the start of a transcript.
            options: Temperatures, thresholds and seed.
        """
        logits = self._begin(memory, prompt)
        start = len(prompt) - 1 - list(reversed(prompt)).index(self.rules.tokens.start)
        no_speech = no_speech_probability(logits[start], self.rules.tokens)
        room = min(self.rules.tokens.max_tokens, self.model.context_length - len(prompt))
        for temperature in options.temperatures:
            self._attend.kept = len(prompt)
            sampler = Sampler(SamplingOptions(temperature=temperature, seed=options.seed))
            attempt = self._attempt(logits[-1], sampler, room, no_speech, options.compression_ratio_threshold)
            if attempt.is_believable(options) or attempt.is_silence(options):
                break
        return attempt

    def likeliest(self, memory: MediaMemory, among: Sequence[int]) -> int:
        """The likeliest of some tokens right after the start of a transcript."""
        logits = self._begin(memory, [self.rules.tokens.start])[-1]
        return among[int(logits[list(among)].argmax())]

    def _attempt(
        self, logits: Tensor, sampler: Sampler, room: int, no_speech: float, most_compression: float | None
    ) -> Attempt:
        end = self.rules.tokens.end
        said: list[int] = []
        total = 0.0
        while True:
            allowed = self.rules(logits, said)
            token = sampler.draw(allowed)
            total += float(allowed.log_softmax(dim=-1)[token])
            said.append(token)
            if token == end or len(said) >= room:
                break
            if most_compression is not None and _is_stuck(said, logits.shape[-1]):
                break
            logits = self._step([token])[-1]
        return Attempt(
            tokens=tuple(said[:-1] if said[-1] == end else said),
            temperature=sampler.options.temperature,
            mean_log_probability=total / len(said),
            compression_ratio=compression_ratio(said, logits.shape[-1]),
            no_speech=no_speech,
        )

    def _begin(self, memory: MediaMemory, prompt: Sequence[int]) -> Tensor:
        """Logits behind each token of a prompt. Shapes: T ids → (T, V)."""
        self._attend.memory, self._attend.kept = memory, 0
        return self._step(prompt)

    def _step(self, ids: Sequence[int]) -> Tensor:
        """Logits behind each of the next tokens. Shapes: T ids → (T, V)."""
        first = self._attend.kept
        positions = torch.arange(first, first + len(ids), device=self._device)
        hidden = self.model.decode(torch.tensor([ids], device=self._device), positions[None], self._attend)
        self._attend.kept += len(ids)
        return self.model.logits(hidden)[0]


def _is_stuck(said: Sequence[int], vocabulary: int) -> bool:
    """Whether a text has said the same over and over for so long that no later word makes it believable."""
    return len(said) >= _STUCK_TOKENS and not len(said) % _STUCK_STEP and compression_ratio(said, vocabulary) > _STUCK


def compression_ratio(tokens: Sequence[int], vocabulary: int) -> float:
    """Bytes of the tokens over their bytes after compression."""
    width = int(math.log2(vocabulary) / 8) + 1
    content = b"".join(token.to_bytes(width, "little") for token in tokens)
    return len(content) / len(zlib.compress(content))
