"""A linear layer with a low-rank change beside it.

Source: Hu et al. 2021 (LoRA), section 4.1; scaling by the root of the rank: Kalajdzievski 2023 (rsLoRA), section 3.
The change's layers are named as in PEFT.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """base_layer(x) + scale lora_B(lora_A(x)).

    At first the change is nothing: lora_B is zero, as in the paper.

    Args:
        base_layer: Any module that maps (…, K) to (…, N), quantized ones included.
        shape: (N, K).
        rank: Width between A and B.
        scale: Factor of the change.
        dropout: Share of the inputs of the change that are left out in training.
    """

    def __init__(
        self, base_layer: nn.Module, shape: tuple[int, int], rank: int, scale: float, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.lora_A = nn.Linear(shape[1], rank, bias=False)
        self.lora_B = nn.Linear(rank, shape[0], bias=False)
        self.scale = scale
        self.dropout = dropout
        self.enabled = True
        """Whether the change is added; without it the layer is the base layer."""
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, K) → (…, N)."""
        return self.beside(x, self.base_layer(x))

    def beside(self, x: Tensor, base: Tensor) -> Tensor:
        """Add to what the layer itself makes of an input. Shapes: x (…, K), base (…, N) → the same."""
        if not self.enabled:
            return base
        # The change stays in float32 beside a base layer of 16 bits.
        inputs = F.dropout(x.to(self.lora_A.weight.dtype), self.dropout, self.training)
        change: Tensor = self.lora_B(self.scale * self.lora_A(inputs))  # scaled where it is narrow
        return base + change.to(base.dtype)

    @torch.no_grad()
    def change(self) -> Tensor:
        """What it adds to the base layer's weight, (N, K) float32."""
        return self.scale * (self.lora_B.weight.float() @ self.lora_A.weight.float())


@contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """The model as it was before its adapters, while the block runs."""
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    before = [layer.enabled for layer in layers]
    for layer in layers:
        layer.enabled = False
    try:
        yield
    finally:
        for layer, enabled in zip(layers, before, strict=True):
            layer.enabled = enabled
