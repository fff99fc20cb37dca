"""A linear layer with a low-rank change beside it.

Source: Hu et al. 2021 (LoRA), section 4.1; scaling by the root of the rank: Kalajdzievski 2023 (rsLoRA), section 3.
The change's layers are named as in PEFT.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """base_layer(x) + scale lora_B(lora_A(x)).

    At first the change is nothing: lora_B is zero, as in the paper.

    Args:
        base_layer: Any module that maps (…, K) to (…, N), quantized ones included.
        shape: (N, K).
        rank: Width between A and B.
        scale: Factor of the change.
    """

    def __init__(self, base_layer: nn.Module, shape: tuple[int, int], rank: int, scale: float) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.lora_A = nn.Linear(shape[1], rank, bias=False)
        self.lora_B = nn.Linear(rank, shape[0], bias=False)
        self.scale = scale
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, K) → (…, N)."""
        out: Tensor = self.base_layer(x) + self.scale * self.lora_B(self.lora_A(x))
        return out

    @torch.no_grad()
    def change(self) -> Tensor:
        """What it adds to the base layer's weight, (N, K) float32."""
        return self.scale * (self.lora_B.weight.float() @ self.lora_A.weight.float())
