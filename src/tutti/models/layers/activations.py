"""Activations by the names that `config.json` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch.nn.functional as F
from torch import Tensor


def quick_gelu(x: Tensor) -> Tensor:
    """GELU as x sigmoid(1.702 x), elementwise (Hendrycks and Gimpel 2016, section 2)."""
    # By way of silu, on whose input one may write where no gradient needs it, and on whose output in any case: each
    # temporary less is a tensor of a picture's size that need not pass through the cache.
    scaled = 1.702 * x
    return F.silu(scaled, inplace=not scaled.requires_grad).div_(1.702)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "silu": F.silu,
}
"""Value of `hidden_act` → function, elementwise."""
