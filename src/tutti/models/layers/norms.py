"""Norms that torch lacks in the form checkpoints expect."""

from __future__ import annotations

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
        # torch's own takes twice as many kernels here, and a step of decoding is short.
        mean = torch.linalg.vecdot(wide, wide)[..., None] / x.shape[-1]
        return (wide * torch.rsqrt(mean + self.eps)).to(x.dtype) * self.weight
