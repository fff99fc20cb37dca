"""Feed-forward leaves."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.layers.linear import together


class GatedMLP(nn.Module):
    """down(silu(gate(x)) * up(x)): SwiGLU (Shazeer 2020, equation 6), named as in LLaMA checkpoints.

    Args:
        width: D.
        inner: Width between the projections.
        bias: Whether the three projections have biases.
    """

    joins = (("gate_proj", "up_proj"),)

    def __init__(self, width: int, inner: int, bias: bool = False) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=bias)
        self.up_proj = nn.Linear(width, inner, bias=bias)
        self.down_proj = nn.Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, D)."""
        gate, up = together(x, self.gate_proj, self.up_proj)
        out: Tensor = self.down_proj(F.silu(gate).mul_(up))
        return out
