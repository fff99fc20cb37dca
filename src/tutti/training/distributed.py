"""Several processes started by torchrun, as one: gradients are summed, so that N equal one that accumulates."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes of a run; alone, `Group()`."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    """Where this process computes."""

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up every parameter's gradient over the processes, in one message.

        A parameter without a gradient in one process counts as zero there; without one in any, it keeps none, so that
        the optimizer leaves it alone as it would in a single process.
        """
        if self.size == 1:
            return
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        dist.all_reduce(present)
        used = [p for p, count in zip(parameters, present.tolist(), strict=True) if count]
        if not used:
            return
        flat = torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in used])
        dist.all_reduce(flat)
        start = 0
        for parameter in used:
            parameter.grad = flat[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()

    def sum_figures(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Add up named numbers over the processes; the names are the same in all."""
        if self.size == 1:
            return dict(figures)
        # float32, because not every accelerator has float64
        values = torch.tensor(list(figures.values()), dtype=torch.float32, device=self.device)
        dist.all_reduce(values)
        return dict(zip(figures, values.tolist(), strict=True))

    def average(self, buffers: Sequence[Tensor]) -> None:
        """Average running statistics over the processes."""
        if self.size == 1:
            return
        for buffer in buffers:
            dist.all_reduce(buffer)
            buffer.div_(self.size)

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the values of the first, so that all start from the same weights."""
        if self.size == 1:
            return
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)

    def any(self, value: bool) -> bool:
        """Whether it holds in any process, so that all of them stop after the same step."""
        return bool(self.sum_figures({"value": float(value)})["value"])

    def wait(self) -> None:
        """Go on when every process has come here."""
        self.any(False)


def join(device: str) -> Group:
    """Join the processes that torchrun started, or stay alone.

    torchrun's variables are read by torch itself. Processes talk through gloo on CPUs and nccl on CUDA, where each
    takes the device of its local rank. They stay joined until they end: leaving and joining anew for the next phase
    would find what the last rendezvous left in torchrun's store, and wait for ever. A group that the caller has
    joined is used as it is.
    """
    joined = dist.is_available() and dist.is_initialized()
    if not joined and not (dist.is_available() and dist.is_torchelastic_launched()):
        return Group(device=device)
    if device == "cuda":
        device = f"cuda:{dist.get_node_local_rank(fallback_rank=0)}"
        torch.cuda.set_device(device)
    if not joined:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(_leave)
    return Group(dist.get_rank(), dist.get_world_size(), device)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
