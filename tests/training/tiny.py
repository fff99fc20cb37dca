"""A tiny model, source and phase for the tests of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from tutti.training.phases import Phase, Schedule, TrainingTask


@dataclass(frozen=True)
class Sums:
    """Rows of random numbers and their sums."""

    rows: int = 8

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        x = rng.standard_normal((self.rows, 4)).astype(np.float32)
        return {"x": x, "y": x.sum(1, keepdims=True), "note": "values pass through"}


def squares(model: nn.Module, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    error = (model(batch["x"]) - batch["y"]).square().mean()
    return {"loss": error, "root": error.detach().sqrt()}


def make_model(seed: int = 0) -> nn.Sequential:
    """With everything that could break exact resumption: dropout, running statistics, vectors and matrices."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))


def make_linear() -> nn.Sequential:
    """Without running statistics, which each process would gather from its own micro-batches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.1), nn.Linear(8, 1))


def make_phase(
    *,
    steps: int = 20,
    trainable: tuple[str, ...] = ("*",),
    objective: Any = squares,
    source: Any = None,
    **schedule: Any,
) -> Phase:
    settings = {"learning_rate": 1e-2, "warmup_steps": min(3, steps), **schedule}
    return Phase(
        name="tiny",
        tasks=(TrainingTask(name="sums", objective=objective, source=source or Sums()),),
        trainable=trainable,
        schedule=Schedule(steps=steps, **settings),
        seed=7,
    )


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    """Equal to the bit, running statistics included."""
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
