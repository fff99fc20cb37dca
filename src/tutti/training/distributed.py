"""Several processes started by torchrun, as one: gradients are summed, so that N processes equal one that accumulates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes of a run; alone, `Group(0, 1)`."""

    rank: int
    size: int

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up every parameter's gradient over the processes; a missing one counts as zero."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        dist.all_reduce(flat)
        for parameter, piece in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = piece.view_as(parameter)

    def average(self, buffers: Sequence[Tensor]) -> None:
        """Average running statistics over the processes."""
        if self.size == 1:
            return
        for buffer in buffers:
            dist.all_reduce(buffer)
            buffer /= self.size

    def any(self, value: bool) -> bool:
        """Whether it holds in any process, so that all of them stop after the same step."""
        if self.size == 1:
            return value
        flag = torch.tensor(float(value))
        dist.all_reduce(flag)
        return bool(flag > 0)


@contextmanager
def group(device: str) -> Iterator[Group]:
    """Join the processes that torchrun started, or stay alone."""
    if not dist.is_available() or not dist.is_torchelastic_launched():
        yield Group(0, 1)
        return
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
