"""Norms that torch lacks in the form checkpoints expect."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / rms(x) * weight, computed in float32 (Zhang and Sennrich 2019, equation 4).

    Args:
        width: D.
        eps: Added to the mean square.
    """

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last axis. Shapes: (…, D) → (…, D)."""
        wide = x.float()
        # Torch's own squares into a tensor of its own, which doubles its time for a prompt; for a token, calls count.
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = torch.addcmul(_scalar(self.eps, x.device), length, length, value=1 / x.shape[-1]).rsqrt_()
        out: Tensor = (wide * scale).to(x.dtype).mul_(self.weight)
        return out


@cache
def _scalar(value: float, device: torch.device) -> Tensor:
    """A float32 number as a tensor, made once; not in inference mode, so that training can use it, too. Shape ()."""
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=torch.float32, device=device)
