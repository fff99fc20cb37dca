"""The input audio buffer of a session: samples in, and what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import soxr
from numpy.typing import NDArray

from tutti.content import FinalWords, LiveEvent

if TYPE_CHECKING:
    from tutti.interfaces import StreamingTranscriber

SLICE_S = 0.25


@runtime_checkable
class CatchesUp(Protocol):
    """Can make fewer attempts for a while."""

    def catch_up(self, late_s: float) -> None:
        """What is fed is so late, in seconds."""
        ...


@dataclass(frozen=True, eq=False)
class Brought:
    """What a slice of sound brought."""

    samples: NDArray[np.float32]
    """It, at the rate of what hears."""
    events: Sequence[LiveEvent]
    began: bool = False
    """Something began to sound,"""
    ended: bool = False
    """or a pause came behind it."""

    @property
    def words(self) -> str:
        """The words that are final now."""
        return " ".join(event.text for event in self.events if isinstance(event, FinalWords))


class Hearing:
    """What is said in a stream of samples. Its methods compute, and are called one at a time.

    Args:
        live: Writes it down.
        rate_hz: Of the samples that are given.
    """

    def __init__(self, live: StreamingTranscriber, rate_hz: int) -> None:
        self._live, self.rate_hz = live, rate_hz
        to_hz = live.sample_rate_hz
        self._resampler = (
            None if to_hz == rate_hz else soxr.ResampleStream(rate_hz, to_hz, 1, dtype="float32", quality="HQ")
        )

    def take(self, samples: bytes, late_s: float = 0.0) -> Brought:
        """Hear up to `SLICE_S` of samples of 16 bits, which are so late."""
        if isinstance(self._live, CatchesUp):
            self._live.catch_up(late_s)
        block: NDArray[np.float32] = np.frombuffer(samples, "<i2").astype(np.float32) / np.float32(32_768)
        if self._resampler is not None:
            block = np.clip(self._resampler.resample_chunk(block), -1, 1).astype(np.float32, copy=False)
        before = self._live.in_utterance
        events = self._live.feed(block)
        after = self._live.in_utterance
        return Brought(block, events, began=after and not before, ended=before and not after)

    def finish(self, *, hear: bool = True) -> str:
        """The words that were not final yet."""
        return " ".join(event.text for event in self._live.finish(hear=hear) if isinstance(event, FinalWords))
