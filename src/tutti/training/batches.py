"""Batches by step: prepared here or ahead of time by worker processes, with the same numbers either way."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tutti.errors import CapacityError, InputError, TrainingError, TuttiError
from tutti.training.distributed import Group
from tutti.training.phases import BatchSource, OrderedSource, Phase


@dataclass(frozen=True)
class _Failure:
    """A typed error on its way out of a worker, which would otherwise arrive wrapped in a traceback."""

    kind: type[TuttiError]
    message: str


class Steps(Dataset[Any]):
    """All batches of one step: for every micro-batch of this process, one batch a task.

    Args:
        phase: Its tasks and seed.
        group: Which micro-batches are this process's.
    """

    def __init__(self, phase: Phase, group: Group) -> None:
        self.phase, self.rank, self.size = phase, group.rank, group.size

    def __getitem__(self, step: int) -> list[list[Any]] | _Failure:
        """Draw them. The generator of each depends on (seed, step, task, micro-batch) and nothing else."""
        try:
            return [
                [self._batch(task.source, step, index, micro) for index, task in enumerate(self.phase.tasks)]
                for micro in range(self.rank, self.phase.schedule.micro_batches, self.size)
            ]
        except TuttiError as error:
            return _Failure(CapacityError if isinstance(error, CapacityError) else InputError, str(error))

    def _batch(self, source: BatchSource | OrderedSource, step: int, index: int, micro: int) -> Any:
        if isinstance(source, OrderedSource):
            return source.batch_at(step, micro)
        return source.batch(np.random.default_rng((self.phase.seed, step, index, micro)))


def batches(phase: Phase, steps: range, group: Group, workers: int) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield each step's number and batches.

    Args:
        phase: Its tasks and seed.
        steps: Which steps.
        group: Which micro-batches are this process's.
        workers: Processes that prepare batches ahead; 0 prepares them in this one.

    Raises:
        TrainingError: The micro-batches cannot be shared out evenly.
        InputError: A source found something that the caller can fix.
    """
    if phase.schedule.micro_batches % group.size:
        raise TrainingError(
            f"{phase.schedule.micro_batches} micro-batches cannot be shared out over {group.size} processes; "
            "make micro_batches a multiple of the number of processes."
        )
    loader = DataLoader(
        Steps(phase, group),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_unchanged,
        worker_init_fn=_ignore_interrupts,
    )
    for step, drawn in zip(steps, loader, strict=True):
        if isinstance(drawn, _Failure):
            raise drawn.kind(f"Step {step} of phase {phase.name!r}: {drawn.message}")
        yield step, drawn


def move(value: Any, device: str) -> Any:
    """Arrays and tensors of a nest as tensors on a device; other values as they are."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        # torch cannot share memory that may not be written
        return torch.from_numpy(value if value.flags.writeable else value.copy()).to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: move(item, device) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(move(item, device) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(move(item, device) for item in value)
    return value


def _unchanged(value: Any) -> Any:
    """Arrays stay arrays on their way out of a worker: tensors would go through shared memory, which may be small."""
    return value


def _ignore_interrupts(worker: int) -> None:  # noqa: ARG001 - the loader calls it with the worker's number
    """Ctrl-C reaches every process of the terminal; the main one decides when workers end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
