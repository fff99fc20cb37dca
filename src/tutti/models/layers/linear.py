"""Linear layers whose weights are not float32, and several layers on one input as one product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.models.layers.adapted import AdaptedLinear
from tutti.models.layers.codes import Codes
from tutti.models.layers.device_kernels import kernel_for, kernel_of_all
from tutti.models.layers.dispatch import attends_in_bfloat16
from tutti.models.layers.kernels import Kernel, RowsKernel
from tutti.models.layers.lora import LoRALinear
from tutti.models.layers.packed import PackedKernel


class QuantizedLinear(nn.Module):
    """A linear layer of int8 or int4 weights; gradients pass through it, and the weights learn nothing.

    Args:
        codes: The weights.
        bias: (N,) float32 or None.
    """

    def __init__(self, codes: Codes, bias: Tensor | None = None) -> None:
        super().__init__()
        self.kernel: Kernel = kernel_for(codes)
        self.scheme = codes.scheme
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.joined: Joined | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, K) → (…, N)."""
        return _product(x, self.kernel, self.bias)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Let the weights follow where the module goes; projections that were joined are by themselves afterwards."""
        scale = self.kernel.scale
        device = fn(scale).device
        if device not in (scale.device, torch.device("meta")):
            self.kernel, self.joined = kernel_for(self.kernel.codes().to(device)), None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Weights go into a state dict in the form that folders keep."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, tensor in self.kernel.codes().tensors().items():
            destination[prefix + name] = tensor

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        return f"{self.kernel.width}, {self.kernel.rows}, {self.scheme}, bias={self.bias is not None}"


def attending_dtype(maker: nn.Module) -> torch.dtype | None:
    """Precision in which queries meet keys and values that were made by a layer, or by a whole model's layers.

    None is that in which they come: only what quantized weights made is rounded once more, where that is faster.
    """
    quantized = [layer for layer in maker.modules() if isinstance(layer, QuantizedLinear)]
    return torch.bfloat16 if quantized and attends_in_bfloat16(quantized[0].kernel.scale.device.type) else None


class HeldLinear(nn.Linear):
    """A linear layer whose weights stay in the 16 bits of their file and are widened when they are used."""

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, K) → (…, N)."""
        return F.linear(x, self.weight.to(x.dtype), self.bias)


class HeldEmbedding(nn.Embedding):
    """A table whose rows stay in the 16 bits of their file and are widened when they are looked up."""

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D) float32."""
        return super().forward(input_ids).float()


class QuantizedEmbedding(nn.Module):
    """A table of int8 codes whose rows are multiplied out when they are looked up.

    Args:
        codes: The rows. An output projection on the same table may hold the same tensors.
    """

    def __init__(self, codes: Codes) -> None:
        super().__init__()
        self.register_buffer("values", codes.values, persistent=False)
        self.register_buffer("scale", codes.scale, persistent=False)
        self.values: Tensor
        self.scale: Tensor

    def forward(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D) float32."""
        return self.values[input_ids] * self.scale[input_ids][..., None]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Rows go into a state dict in the form that folders keep."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"], destination[f"{prefix}weight_scale"] = self.values, self.scale

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        return f"{self.values.shape[0]}, {self.values.shape[1]}, int8"


class Joined:
    """Several linear layers on one input as one product; no module, so that state dicts know nothing of it.

    Args:
        product: (…, K) → (…, N of all).
        sizes: N of each.
    """

    def __init__(self, product: Callable[[Tensor], Tensor], sizes: list[int]) -> None:
        self._product, self._sizes = product, sizes

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Shapes: (…, K) → one (…, N) a layer."""
        return self._product(x).split_with_sizes(self._sizes, dim=-1)


def together(x: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    """Run layers on one input: as one product if `join` has joined them. Shapes: (…, K) → one (…, N) a layer."""
    joined: Joined | None = getattr(base_of(layers[0]), "joined", None)
    if joined is None:
        return tuple(layer(x) for layer in layers)
    outs = joined(x)
    if not any(isinstance(layer, LoRALinear | AdaptedLinear) for layer in layers):
        return outs
    pairs = zip(layers, outs, strict=True)
    return tuple(one.beside(x, out) if isinstance(one, LoRALinear | AdaptedLinear) else out for one, out in pairs)


def base_of(layer: nn.Module) -> nn.Module:
    """A layer without the adapters beside it."""
    return layer.base_layer if isinstance(layer, LoRALinear | AdaptedLinear) else layer


def sums_exactly(layer: nn.Module) -> bool:
    """Whether a row of a layer's outputs is the same, to the last bit, whatever other rows there are."""
    return isinstance(layer, QuantizedLinear) and (layer.scheme == "int8" or isinstance(layer.kernel, PackedKernel))


def join(*adapted: nn.Module) -> None:
    """Let `together` run layers of one input as one product, whatever adapters are beside them.

    Layers of different kinds are left alone.
    """
    layers = [base_of(layer) for layer in adapted]
    if all(isinstance(layer, QuantizedLinear) for layer in layers):
        _join_quantized([layer for layer in layers if isinstance(layer, QuantizedLinear)])
    elif all(type(layer) is nn.Linear for layer in layers):
        _join_plain([layer for layer in layers if isinstance(layer, nn.Linear)])


def separate(*layers: nn.Module) -> None:
    """Undo `join`."""
    for layer in map(base_of, layers):
        if getattr(layer, "joined", None) is None:
            continue
        layer.joined = None  # type: ignore[assignment]
        if isinstance(layer, QuantizedLinear):
            layer.kernel = kernel_for(layer.kernel.codes())
        else:
            _set_parameters(layer, {name: value.clone() for name, value in layer.named_parameters()})


def _join_plain(layers: list[nn.Linear]) -> None:
    """Their weights become views of one matrix, so that no weight is held twice."""
    weight, bias = torch.cat([layer.weight.detach() for layer in layers]), _biases(layers)
    sizes = [layer.out_features for layer in layers]
    joined = Joined(lambda x: F.linear(x, weight, bias), sizes)
    parts = zip(
        layers, torch.split(weight, sizes), torch.split(bias, sizes) if bias is not None else layers, strict=True
    )
    for layer, rows, some in parts:
        _set_parameters(layer, {"weight": rows} | ({"bias": some} if isinstance(some, Tensor) else {}))
        layer.joined = joined  # type: ignore[assignment]


def _join_quantized(layers: list[QuantizedLinear]) -> None:
    kernel, bias = kernel_of_all([layer.kernel for layer in layers]), _biases(layers)
    if kernel is None:
        return

    joined = Joined(lambda x: _product(x, kernel, bias), [layer.kernel.rows for layer in layers])
    start = 0
    for layer in layers:
        stop = start + layer.kernel.rows
        layer.kernel, layer.joined = RowsKernel(kernel, start, stop), joined
        start = stop


def _product(x: Tensor, kernel: Kernel, bias: Tensor | None) -> Tensor:
    """Shapes: (…, K) → (…, N)."""
    shape = (*x.shape[:-1], kernel.rows)
    if not x.numel():  # a step that only reads a part of a prompt asks for the logits of no token
        return x.new_empty(shape)
    rows = x.reshape(-1, x.shape[-1])
    if torch.is_grad_enabled() and x.requires_grad:
        learned: Tensor = _ThroughCodes.apply(rows, kernel)  # type: ignore[no-untyped-call]
        return (learned if bias is None else learned + bias).view(shape)
    out = kernel(rows)
    return (out if bias is None else out.add_(bias)).view(shape)


class _ThroughCodes(torch.autograd.Function):
    """A quantized product through which gradients pass to its input, for what is trained beside the codes (QLoRA).

    Forward it is the very product that answers are computed with. Backward the weights are those that the codes stand
    for, and the rounding of activations counts as if it were not there (straight through: Bengio et al. 2013).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Kernel) -> Tensor:
        """Shapes: (M, K) → (M, N)."""
        ctx.kernel = kernel
        return kernel(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Shapes: (M, N) → (M, K)."""
        return gradient @ ctx.kernel.codes().dequantized(), None


def _biases(layers: list[nn.Linear] | list[QuantizedLinear]) -> Tensor | None:
    """All biases in a row, if there are any; a layer without one counts as zeros."""
    biases = [layer.bias for layer in layers]
    if all(bias is None for bias in biases):
        return None
    rows = [layer.out_features if isinstance(layer, nn.Linear) else layer.kernel.rows for layer in layers]
    device = next(bias.device for bias in biases if bias is not None)
    return torch.cat(
        [
            torch.zeros(size, device=device) if bias is None else bias.detach()
            for bias, size in zip(biases, rows, strict=True)
        ]
    )


def _set_parameters(layer: nn.Module, values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        if getattr(layer, name) is not None:
            setattr(layer, name, nn.Parameter(value.detach(), requires_grad=getattr(layer, name).requires_grad))
