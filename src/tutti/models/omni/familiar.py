"""How familiar a picture is to what a head was taught on.

Paper: Ren et al. 2021, "A simple fix to Mahalanobis distance for improving near-OOD detection", section 3: the distance
to all training pictures less the distance to the nearest class, each in its own covariance.
Reference implementation: this file.
We differ in: distances are taken along the principal axes only, divided by their number, and centres of clusters stand
for drawings, whose classes have one picture a style.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.omni.parts import FamiliarConfig


class Familiarity(nn.Module):
    """A published network's pooled features to a share from 0 (unlike all that was taught) to 1.

    Before anything is measured, everything is familiar.
    """

    within: Tensor
    overall: Tensor
    within_offset: Tensor
    overall_offset: Tensor
    centres: Tensor
    gate: Tensor

    def __init__(self, config: FamiliarConfig, width: int) -> None:
        super().__init__()
        for name in ("within", "overall"):
            self.register_buffer(name, torch.zeros(config.axes, width))
            self.register_buffer(f"{name}_offset", torch.zeros(config.axes))
        self.register_buffer("centres", torch.zeros(config.centres, config.axes))
        self.register_buffer("gate", torch.tensor([-1e4, 1.0]))

    def measure(self, seen: Tensor) -> Tensor:
        """How much nearer to a centre than to all: the higher, the more familiar. Shapes: (B, D) → (B,)."""
        x = F.layer_norm(seen.float(), seen.shape[-1:])
        overall = F.linear(x, self.overall.float(), self.overall_offset.float()).pow(2).sum(-1)
        within, centres = F.linear(x, self.within.float(), self.within_offset.float()), self.centres.float()
        # |a - c|² = |a|² - 2 a·c + |c|²; |a|² is the same for all centres.
        nearest = (centres.pow(2).sum(-1) - 2 * within @ centres.T).amin(-1) + within.pow(2).sum(-1)
        return (overall - nearest) / len(self.within_offset)

    def forward(self, seen: Tensor) -> Tensor:
        """Shapes: (B, D) → (B, 1)."""
        at, width = self.gate.float()
        return torch.sigmoid((self.measure(seen) - at) / width)[:, None].to(seen.dtype)
