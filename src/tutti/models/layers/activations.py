"""Activations by the names that `config.json` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch.nn.functional as F
from torch import Tensor


def quick_gelu(x: Tensor) -> Tensor:
    """GELU as x sigmoid(1.702 x), elementwise (Hendrycks and Gimpel 2016, section 2)."""
    # By way of silu, on whose output one may write: a temporary less, which for a picture is half the time.
    return F.silu(1.702 * x).div_(1.702)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "silu": F.silu,
}
"""Value of `hidden_act` → function, elementwise."""
