"""Several channels to one: their mean, or the strongest of them where the mean would cancel it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_OPPOSED = 0.2
"""A mix with less than this share of the energy that the channels would have if they had nothing in common is one in
which they cancel: of two channels with equal energy, those whose correlation is below -0.8."""
_MEMORY_S = 5.0
"""Energies are forgotten by half in some three seconds of sound."""
_KEPT = 0.5
"""The channel that is taken stays so while it has this share of the strongest one's energy: no jumps between two."""


class Mixer:
    """Mixes a recording block by block; short blocks are decided by what came before them, too.

    Args:
        sample_rate_hz: Of the recording.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._of_channels: NDArray[np.float64] = np.zeros(0)
        self._of_mix = 0.0
        self._channel: int | None = None

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next block. Shapes: (S, C) → (S,) float32."""
        mix: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
        channels = block.shape[1]
        if channels == 1 or not len(block):
            return mix
        if len(self._of_channels) != channels:
            self._of_channels, self._of_mix, self._channel = np.zeros(channels), 0.0, None
        kept = float(np.exp(-len(block) / (self._rate_hz * _MEMORY_S)))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused by who reads it
            self._of_channels = kept * self._of_channels + np.square(block, dtype=np.float64).sum(axis=0)
            self._of_mix = kept * self._of_mix + float(np.square(mix, dtype=np.float64).sum())
            if not self._of_mix < _OPPOSED * self._of_channels.sum() / channels**2:
                self._channel = None
                return mix
        strongest = int(self._of_channels.argmax())
        if self._channel is None or self._of_channels[self._channel] < _KEPT * self._of_channels[strongest]:
            self._channel = strongest
        taken: NDArray[np.float32] = np.ascontiguousarray(block[:, self._channel])
        return taken
