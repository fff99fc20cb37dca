"""The best weights of a run by a figure of its validation, and when it is time to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from tutti.errors import InputError
from tutti.training.files import save_tensors


@dataclass(frozen=True, kw_only=True)
class Best:
    """What makes weights the best."""

    figure: str
    """Name among what validation measures."""
    higher: bool = True
    """Whether more is better."""
    tie: str | None = None
    """Among equal figures, the one with less of this is the best."""
    patience: int | None = None
    """Validations in a row without a better figure after which the run ends; None goes on to the end."""


class BestKept:
    """The best trained weights so far, in the run's folder.

    Args:
        folder: The run's.
        best: What counts.
        writes: Whether this process writes.
    """

    def __init__(self, folder: Path, best: Best, writes: bool) -> None:
        self._folder, self._best, self._writes = folder, best, writes
        self.step, self.value, self.misses = -1, 0.0, 0
        self.figures: dict[str, float] = {}
        """All that was measured of the best weights."""

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return self._best.patience is not None and self.misses >= self._best.patience

    def state(self) -> list[Any]:
        """What a resumed run needs."""
        return [self.step, self.value, self.misses, self.figures]

    def restore(self, state: Any) -> None:
        """Go on from what `state` gave."""
        self.step, self.value, self.misses = int(state[0]), float(state[1]), int(state[2])
        self.figures = dict(state[3])

    def validated(self, step: int, figures: Mapping[str, float], parameters: Mapping[str, nn.Parameter]) -> None:
        """Look at a validation, and keep the weights if they are the best.

        Raises:
            InputError: The figure is not among those that were measured.
        """
        if self._best.figure not in figures:
            raise InputError(
                f"Validation measures {', '.join(figures) or 'nothing'}; expected {self._best.figure!r} to be among it."
            )
        value = figures[self._best.figure]
        better = value > self.value if self._best.higher else value < self.value
        if value == self.value and self._best.tie is not None:
            better = figures[self._best.tie] < self.figures.get(self._best.tie, float("inf"))
        if self.step >= 0 and not better:
            self.misses += 1
            return
        self.step, self.value, self.misses, self.figures = step, value, 0, dict(figures)
        if self._writes:
            save_tensors(dict(parameters), self._file(step))

    def tidy(self) -> None:
        """Remove what is no longer the best; the state that says so is on the disk."""
        if self._writes:
            for old in self._folder.glob("best-*"):
                if old != self._file(self.step):
                    old.unlink()

    @torch.no_grad()
    def put(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Put the best weights into the model, if any were kept."""
        if self.step < 0 or not self._file(self.step).is_file():
            return
        kept = load_file(self._file(self.step))
        for name, parameter in parameters.items():
            parameter.copy_(kept[name])

    def _file(self, step: int) -> Path:
        return self._folder / f"best-{step}.safetensors"
