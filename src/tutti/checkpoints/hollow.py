"""Building a model on `meta`, where there is nothing to draw first values into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Hollow(TorchFunctionMode):
    """Leaves out the drawing of first values while a model is built on `meta`, where there is nothing to draw into.

    Only for speed: there, torch imports its whole compiler (four seconds) to draw or to scale numbers.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        if func in (Tensor.mul, Tensor.__mul__) and args[0].is_meta and isinstance(args[1], (int, float)):
            return torch.empty(args[0].shape, dtype=args[0].dtype)
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)
