"""Phases as data: what is learned, from what, with which parameters, on what schedule."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from tutti.errors import InputError
from tutti.training.describe import plain

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    Objective = Callable[[nn.Module, Any], Mapping[str, Tensor]]


class BatchSource(Protocol):
    """Where batches come from.

    A batch is a pure function of the generator it is given, which makes a resumed run see what an uncut one sees, and
    lets workers prepare batches in any order.
    """

    def batch(self, rng: np.random.Generator) -> Any:
        """Draw one batch: tensors, arrays and values in any nest of dicts, lists and tuples."""
        ...


@runtime_checkable
class OrderedSource(Protocol):
    """Where batches come from that go through a collection, each example once an epoch."""

    def batch_at(self, step: int, micro: int) -> Any:
        """The batch of a step's micro-batch: a pure function of the two numbers."""
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long, and how fast. Warm-up is linear, decay a cosine (Loshchilov and Hutter 2017, equation 5)."""

    steps: int
    """Optimizer steps."""
    learning_rate: float
    """Peak learning rate."""
    warmup_steps: int = 0
    """Steps from zero to the peak."""
    final_fraction: float = 0.02
    """Learning rate at the end, as a fraction of the peak."""
    weight_decay: float = 0.05
    """Decoupled decay of matrices; vectors (biases, norms) have none."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Adam's decay rates."""
    clip_norm: float = 1.0
    """Longest gradient."""
    micro_batches: int = 1
    """Batches of each task whose gradients make one step, shared out over all processes."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What matrix products and convolutions are computed in; weights, norms' statistics and losses stay float32."""
    ema_decay: float | None = None
    """Decay of a running average of the weights, which is then what is validated and handed out; None keeps none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: A number is out of its range.
        """
        if min(self.steps, self.micro_batches) < 1 or not 0 <= self.warmup_steps <= self.steps:
            raise InputError(
                f"A schedule of {self.steps} steps, {self.warmup_steps} of them warm-up, in {self.micro_batches} "
                "micro-batches was given; expected one step and one micro-batch at least, and warm-up within the steps."
            )
        if not (self.learning_rate > 0 and self.clip_norm > 0 and 0 <= self.final_fraction <= 1):
            raise InputError(
                f"learning_rate {self.learning_rate:g}, clip_norm {self.clip_norm:g} and final_fraction "
                f"{self.final_fraction:g} were given; expected the first two above zero and the last from 0 to 1."
            )
        if self.precision not in ("float32", "bfloat16"):
            raise InputError(f"precision is {self.precision!r}; expected float32 or bfloat16.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay:g}; expected 0 to below 1, or None for no average.")

    def rate(self, step: int) -> float:
        """Learning rate of a step, the first being 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.learning_rate * (self.final_fraction + (1 - self.final_fraction) * cosine)


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """One thing to learn in a phase."""

    name: str
    objective: Objective
    """(model, batch) → named scalars; "loss" is minimised, the others are logged."""
    source: BatchSource | OrderedSource
    weight: float = 1.0
    """Factor of the loss."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training. All tasks contribute to every step."""

    name: str
    tasks: tuple[TrainingTask, ...]
    trainable: tuple[str, ...]
    """Patterns (`fnmatch`) over parameter names; what none matches is frozen."""
    schedule: Schedule
    seed: int = 0
    keeps: Literal["all", "trained"] = "all"
    """Which weights states hold: all, or those that are trained, where the others are the base model's."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            InputError: No task, no pattern, or two tasks of one name.
        """
        names = [task.name for task in self.tasks]
        if not names or not self.trainable or len(set(names)) < len(names):
            raise InputError(
                f"Phase {self.name!r} has the tasks {names} and the trainable patterns {list(self.trainable)}; "
                "expected at least one of each, and tasks of different names."
            )

    def describe(self) -> dict[str, Any]:
        """The phase as plain values: what a run folder records and compares."""
        return {
            "name": self.name,
            "tasks": {
                task.name: {"weight": task.weight, "objective": plain(task.objective), "source": plain(task.source)}
                for task in self.tasks
            },
            "trainable": list(self.trainable),
            "schedule": plain(vars(self.schedule)),
            "seed": self.seed,
            **({} if self.keeps == "all" else {"keeps": self.keeps}),
        }


def select(names: Iterable[str], patterns: tuple[str, ...]) -> set[str]:
    """The parameter names that a phase trains.

    Raises:
        InputError: A pattern matches nothing, which would otherwise freeze a part unnoticed.
    """
    names = list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        matched = fnmatch.filter(names, pattern)
        if not matched:
            raise InputError(f"The trainable pattern {pattern!r} matches no parameter; names look like {names[0]!r}.")
        chosen.update(matched)
    return chosen
