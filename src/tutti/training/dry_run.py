"""What a phase will take, measured on a few real steps that leave the model as it was."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutti.checkpoints.quantizing import weight_bytes
from tutti.training.batches import Steps, batches
from tutti.training.distributed import Group
from tutti.training.phases import Phase, select
from tutti.training.step import Stepper


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a phase will take."""

    steps: int
    """Optimizer steps of the schedule."""
    trainable_parameters: int
    frozen_parameters: int
    examples_per_step: int
    """Over all tasks and micro-batches."""
    seconds_per_step: float
    """With batches prepared in this process."""
    seconds_preparing: float
    """The share of it that preparing the batches took; worker processes can take it over."""
    total_seconds: float
    """The whole schedule, without validation."""
    peak_bytes: int
    """Memory at the fullest moment, estimated: weights, gradients, optimizer, averages, and what autograd keeps for the
    backward pass. On CUDA, measured."""
    process_bytes: int
    """Memory of this process at its fullest until now, as the system counts it: with the interpreter, its libraries,
    what loading took, and blocks that the allocator keeps between steps. On a CPU this is what a run will take."""

    def __str__(self) -> str:
        return (
            f"{self.steps} steps of {self.examples_per_step} examples, {self.seconds_per_step:.3g} s each "
            f"({self.seconds_preparing:.3g} s preparing): about {self.total_seconds / 60:.3g} min; "
            f"{self.trainable_parameters:,} parameters trained, {self.frozen_parameters:,} frozen; "
            f"about {self.peak_bytes / 1e6:,.0f} MB of tensors, {self.process_bytes / 1e6:,.0f} MB of this process"
        )


def dry_run(model: nn.Module, phase: Phase, *, device: str = "cpu", measured_steps: int = 2) -> DryRun:
    """Take a few steps of a phase and put everything back.

    Args:
        model: Left as it was: weights, statistics, modes, what is frozen, and where it lies.
        phase: What is considered.
        device: Where to compute.
        measured_steps: Steps that are timed, after a first one that is not.

    Raises:
        InputError: The phase cannot be run on this model.
    """
    with _put_back(model, phase):
        model.to(device)
        stepper = Stepper(model, phase, Group(device=device))
        drawn = iter(batches(phase, range(measured_steps + 1), Group(device=device), 0))
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
        kept = _Kept(model)
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
            outcome = stepper.step(*next(drawn))
        began = time.perf_counter()
        for step, batch in drawn:
            stepper.step(step, batch)
        per_step = (time.perf_counter() - began) / measured_steps
        began = time.perf_counter()
        for step in range(1, measured_steps + 1):
            Steps(phase, Group())[step]
        preparing = (time.perf_counter() - began) / measured_steps
        trained = sum(parameter.numel() for parameter in stepper.parameters.values())
        return DryRun(
            steps=phase.schedule.steps,
            trainable_parameters=trained,
            frozen_parameters=sum(parameter.numel() for parameter in model.parameters()) - trained,
            examples_per_step=outcome.examples,
            seconds_per_step=per_step,
            seconds_preparing=min(preparing, per_step),
            total_seconds=per_step * phase.schedule.steps,
            peak_bytes=torch.cuda.max_memory_allocated() if device.startswith("cuda") else _bytes(stepper) + kept.peak,
            process_bytes=_fullest(),
        )


@contextmanager
def _put_back(model: nn.Module, phase: Phase) -> Iterator[None]:
    """Keep a copy of what a step may change: trained parameters, and buffers."""
    trained = select(dict(model.named_parameters()), phase.trainable)
    tensors = [*(one for name, one in model.named_parameters() if name in trained), *model.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    asked = [parameter.requires_grad for parameter in model.parameters()]
    modes = {module: module.training for module in model.modules()}
    device = tensors[0].device if tensors else torch.device("cpu")
    numpy_state = np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        np.random.set_state(numpy_state)
        model.to(device)
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, wanted in zip(model.parameters(), asked, strict=True):
            parameter.grad = None
            parameter.requires_grad_(wanted)
        for module, mode in modes.items():
            module.training = mode


class _Kept:
    """Counts the storages that autograd holds for the backward pass, and remembers the most bytes at one time.

    Args:
        model: Its weights and buffers are not counted: they are there anyway.
    """

    def __init__(self, model: nn.Module) -> None:
        self.own = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
        self.holders: dict[int, int] = {}
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> _Holder:
        return _Holder(self, tensor)

    def unpack(self, holder: Any) -> Tensor:
        tensor: Tensor = holder.tensor
        return tensor


class _Holder:
    """A tensor that autograd keeps; dies when the backward pass is over."""

    def __init__(self, kept: _Kept, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.kept, self.tensor = kept, tensor
        self.key = storage.data_ptr()
        self.size = 0 if self.key in kept.own else storage.nbytes()
        if not kept.holders.get(self.key):
            kept.now += self.size
            kept.peak = max(kept.peak, kept.now)
        kept.holders[self.key] = kept.holders.get(self.key, 0) + 1

    def __del__(self) -> None:
        self.kept.holders[self.key] -= 1
        if not self.kept.holders[self.key]:
            self.kept.now -= self.size


def _fullest() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _bytes(stepper: Stepper) -> int:
    copies = 3 if stepper.average is None else 4  # gradient, Adam's two moments, and the running average
    return weight_bytes(stepper.model) + copies * sum(p.numel() * p.element_size() for p in stepper.parameters.values())
