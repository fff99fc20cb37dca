"""A block of a transformer trunk in one call of the compiled part: norms, products, attention and activation.

It takes the place of some thirty operators of torch and of as many tensors that pass through the cache
(`native/trunk.h`), for blocks whose layers are quantized and packed. All pictures of a batch go through together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from tutti.models.layers import native
from tutti.models.layers.codes import quantize
from tutti.models.layers.decode_step import joined_biases
from tutti.models.layers.dispatch import attends_in_bfloat16, int8_sums
from tutti.models.layers.kernels import RowsKernel
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.native.forms import MatrixForm, TrunkForm
from tutti.models.layers.packed import PackedKernel, instructions, packed_fault

MOST_ROWS = 2048
"""Tokens of all pictures of a call, beyond which what lies between takes much memory."""
_ACTIVATIONS = {"gelu": 0, "quick_gelu": 1, "gelu_pytorch_tanh": 2, "silu": 3, "relu": 4}
_CLOSE = 0.02
"""Relative error that differs from torch's by nothing but rounding of activations to codes."""


@dataclass(frozen=True)
class TrunkParts:
    """A block's parts: layer norms, and linear layers."""

    norms: tuple[nn.LayerNorm, nn.LayerNorm]
    inputs: tuple[nn.Module, ...]
    output: nn.Module
    first: nn.Module
    second: nn.Module
    heads: int
    activation: str


class Compiled(nn.Module):
    """A block that may have been compiled, which is for its weights as they lie."""

    compiled: CompiledBlock | None = None

    @property
    def parts(self) -> TrunkParts:
        """What it is made of."""
        raise NotImplementedError

    def compile_block(self) -> None:
        """Let it go through the compiled part, if that takes its layers and is right here."""
        self.compiled = trunk_block(self.parts)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """What was compiled does not follow to another device or precision."""
        self.compiled = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class CompiledBlock:
    """A block whose layers are packed.

    Args:
        parts: Of the block.

    Raises:
        TypeError: A layer is of another kind.
    """

    _scratch: list[Tensor] = []  # noqa: RUF012 - one for all blocks, while none runs

    def __init__(self, parts: TrunkParts) -> None:
        self.parts = parts
        self._kept: list[Any] = []  # what is pointed to
        forms = [self._matrices(some, count) for some, count in (
            (parts.inputs, 3), ((parts.output,), 1), ((parts.first,), 1), ((parts.second,), 1))]  # fmt: skip
        pointers = [[self._pointer(getattr(norm, name)) for norm in parts.norms] for name in ("weight", "bias")]
        self._width, inner = forms[1][0].n, forms[2][0].n
        self._levels = int8_sums().levels
        self._form = TrunkForm(
            forms[0], *(form[0] for form in forms[1:]), *((ctypes.c_void_p * 2)(*two) for two in pointers),
            self._width, inner, parts.heads, _ACTIVATIONS[parts.activation], parts.norms[0].eps, self._levels,
        )  # fmt: skip

    def takes(self, x: Tensor, parts: TrunkParts) -> bool:
        """Whether so many states of such a kind are for it, and the block is still made of the same layers."""
        rows = x.shape[0] * x.shape[1]
        plain = (
            x.dtype == torch.float32 and x.device.type == "cpu" and not (torch.is_grad_enabled() and x.requires_grad)
        )
        return plain and 0 < rows <= MOST_ROWS and x.shape[2] == self._width and parts == self.parts

    def __call__(self, x: Tensor) -> Tensor:
        """Run the block. Shapes: x (B, T, D) float32 → the same.

        Raises:
            RuntimeError: The compiled part is not there.
        """
        found, threads, out = native.library(), torch.get_num_threads(), x.clone(memory_format=torch.contiguous_format)
        if found is None:
            raise RuntimeError("the compiled part is not there")
        needed = found.tutti_trunk_bytes(threads, ctypes.addressof(self._form), *x.shape[:2])
        try:
            scratch = self._scratch.pop()
        except IndexError:  # the first, or another thread has it
            scratch = torch.empty(0, dtype=torch.uint8, device="cpu")
        if scratch.numel() < needed:
            scratch = torch.empty(needed, dtype=torch.uint8, device="cpu")
        found.tutti_trunk(
            instructions(self._levels), threads, ctypes.addressof(self._form), out.data_ptr(), *x.shape[:2],
            scratch.data_ptr(),
        )  # fmt: skip
        self._scratch[:] = [scratch]
        return out

    def _matrices(self, layers: Sequence[nn.Module], count: int) -> Any:
        """Layers of one input: a matrix if they were joined, else one each."""
        quantized = [layer for layer in layers if isinstance(layer, QuantizedLinear)]
        if len(quantized) < len(layers):
            raise TypeError("a compiled block takes quantized layers only")
        kernels = [layer.kernel for layer in quantized]
        biases: list[Tensor | None] = [layer.bias for layer in quantized]
        wholes = {id(one.whole): one.whole for one in kernels if isinstance(one, RowsKernel)}
        if len(wholes) == 1:
            biases, kernels = [joined_biases(biases, [one.rows for one in kernels])], [*wholes.values()]
        pairs = zip(kernels, biases, strict=True)
        return (MatrixForm * count)(*(self._matrix(kernel, bias) for kernel, bias in pairs))

    def _matrix(self, kernel: object, bias: Tensor | None) -> MatrixForm:
        if not isinstance(kernel, PackedKernel):
            raise TypeError(f"a compiled block takes no {type(kernel).__name__}")
        self._kept.append(kernel)
        given, shift = kernel.form, None if bias is None else self._pointer(bias.detach())
        return MatrixForm(given.n, given.k, given.weight, given.factor, shift, given.kind, given.group)

    def _pointer(self, tensor: Tensor) -> int:
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
            raise TypeError(f"a compiled block takes no {tensor.dtype} on {tensor.device}")
        self._kept.append(tensor)
        return tensor.data_ptr()


def trunk_block(parts: TrunkParts) -> CompiledBlock | None:
    """The compiled form of a block; None where it cannot be, or what was compiled is not right here."""
    if parts.activation not in _ACTIVATIONS or not pays():
        return None
    layers = (*parts.inputs, parts.output, parts.first, parts.second)
    if not all(isinstance(layer, QuantizedLinear) for layer in layers) or block_fault(parts.activation):
        return None
    try:
        return CompiledBlock(parts)
    except TypeError:
        return None


def pays() -> bool:
    """Whether compiled blocks are faster than torch's: not where there are tiles, and not with AVX2 alone."""
    return not attends_in_bfloat16() and instructions(int8_sums().levels) >= 2


@cache
def block_fault(activation: str) -> str | None:
    """What is wrong with compiled blocks on this processor; None if nothing is."""
    if native.library() is None or (packed_fault("int8") is not None):
        return "is not there"
    generator = torch.Generator(device="cpu").manual_seed(0)

    def layer(rows: int, width: int, bias: bool = True) -> QuantizedLinear:
        weight = torch.randn(rows, width, generator=generator, device="cpu") * width**-0.5
        shift = torch.randn(rows, generator=generator, device="cpu") * 0.2 if bias else None
        out = QuantizedLinear(quantize(weight, "int8"), shift)
        out.kernel = PackedKernel.of(out.kernel)
        return out

    with torch.device("cpu"), torch.inference_mode():
        norms = (nn.LayerNorm(128), nn.LayerNorm(128))
        for norm in norms:
            norm.weight.copy_(torch.randn(128, generator=generator, device="cpu"))
            norm.bias.copy_(torch.randn(128, generator=generator, device="cpu") * 0.2)
        inputs = (layer(128, 128), layer(128, 128, bias=False), layer(128, 128))
        parts = TrunkParts(norms, inputs, layer(128, 128), layer(320, 128), layer(128, 320), 4, activation)
        x = torch.randn(2, 35, 128, generator=generator, device="cpu")
        found, wanted = CompiledBlock(parts)(x), _by_torch(parts, x)
        error = float((found - wanted).norm() / (wanted - x).norm())
    return None if error <= _CLOSE else f"differs by {error:.2g}"


def _by_torch(parts: TrunkParts, x: Tensor) -> Tensor:
    from tutti.models.layers.activations import ACTIVATIONS

    batch, tokens, width = x.shape
    normed = parts.norms[0](x)
    query, key, value = (one(normed).view(batch, tokens, parts.heads, -1).transpose(1, 2) for one in parts.inputs)
    heads = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    x = x + parts.output(heads.transpose(1, 2).reshape(batch, tokens, width))
    out: Tensor = x + parts.second(ACTIVATIONS[parts.activation](parts.first(parts.norms[1](x))))
    return out
