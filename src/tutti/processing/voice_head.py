"""Where in a window of sound somebody speaks: a linear head on the states that a speech model's encoder made of it.

An encoder that was trained to write down speech tells it apart from all else nearly linearly (Gong et al. 2023,
Whisper-AT, section 3), and its states are there anyway. The weights are those of `python -m recipes.voice_head`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MARGIN_S = 0.5
"""How far the times of a segment may lie from where it was said."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VoiceHead:
    """A logistic regression over means of states."""

    weights: NDArray[np.float32]
    """(D,)."""
    bias: float
    step_s: float
    """States of so long are averaged."""

    def chances(self, states: NDArray[np.float32], state_s: float) -> VoiceChances:
        """How surely somebody speaks in each step of a window.

        Args:
            states: (P, D), of the sound alone: without those of padding.
            state_s: From one to the next.
        """
        size = max(1, round(self.step_s / state_s))
        starts = np.arange(0, len(states), size)
        if not len(starts):
            return VoiceChances(np.zeros(0, np.float32), self.step_s)
        counts = np.diff(np.append(starts, len(states)))
        means = np.add.reduceat(np.asarray(states, np.float32), starts, axis=0) / counts[:, None]
        scores = np.clip(means @ self.weights + self.bias, -30, 30)
        return VoiceChances((1 / (1 + np.exp(-scores))).astype(np.float32), self.step_s)


@dataclass(frozen=True, eq=False)
class VoiceChances:
    """Probabilities of a voice, a step each."""

    steps: NDArray[np.float32]
    step_s: float

    def within(self, start_s: float, end_s: float) -> float:
        """The highest between two times of the window, with half a second around; 0 where there is no sound."""
        first = max(0, int((start_s - _MARGIN_S) / self.step_s))
        last = int((max(start_s, end_s) + _MARGIN_S) / self.step_s) + 1
        found = self.steps[first:last]
        return float(found.max()) if len(found) else 0.0

    @property
    def most(self) -> float:
        """The highest of all; 0 where there is no sound."""
        return float(self.steps.max()) if len(self.steps) else 0.0
