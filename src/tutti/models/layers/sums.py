"""Products of whole numbers: the kernels that torch offers for them, and whether each computes the right sums here.

All of them do the same: (M, K) int8 activations within ±levels by (N, K) int8 weights, summed exactly, times a factor
for each row of weights. Those that hold for the same number of levels therefore give the same results, to the last bit
while sums are below 2^24, so that the clock may choose among them; nothing else may.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tutti.models.layers import native

_EXACT_FLOAT32 = 1 << 24
"""Whole numbers up to this are float32 values."""
_WIDENED_VALUES, _WIDENED_ON_DEVICES = 1 << 18, 1 << 26
"""Weights that are widened at once: their float32 copy stays in the cache of the processor; elsewhere, many."""


_STEP, _FEWEST_ROWS = 8, 32
"""What cuBLAS asks of products of int8: sizes in steps of the one, and as many rows as the other (17 would do)."""


class Sums(Hashable, Protocol):
    """A kernel for products of whole numbers."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def levels(self) -> int:
        """Largest magnitude of the activations that it is used with."""
        ...

    def prepare(self, values: Tensor) -> Tensor:
        """Weights in the order that the kernel reads. Shapes: (N, K) int8 → as the kernel has it."""
        ...

    def values(self, prepared: Tensor) -> Tensor:
        """The reverse of `prepare`, exactly. Shapes: → (N, K) int8."""
        ...

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply; `codes` may be overwritten. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        ...


@dataclass(frozen=True)
class PackedSums:
    """oneDNN's: unsigned activations by signed weights, packed once."""

    levels: int
    """Largest magnitude of the activations. Without VNNI, pairs of products are added in 16 bits, which saturate unless
    the unsigned activations stay below 128: 63 levels around 64."""
    zero_point: int
    """Added to the activations, so that they are unsigned."""

    @property
    def name(self) -> str:
        """What it is."""
        return f"oneDNN, packed, {self.levels} levels around {self.zero_point}"

    def prepare(self, values: Tensor) -> Tensor:
        """Shapes: (N, K) int8 → (K, N), in blocks; weights that lie column by column stay so, which takes less time."""
        if values.t().is_contiguous():
            return values.t().to_mkldnn()
        packed: Tensor = torch.ops.onednn.qlinear_prepack(values.contiguous(), None)  # strides are not looked at
        return packed

    def values(self, prepared: Tensor) -> Tensor:
        """Shapes: → (N, K) int8."""
        return prepared.to_dense().t().contiguous()

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        unsigned = codes.view(torch.uint8).add_(self.zero_point)  # bytes come round to where they belong
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            unsigned, 1.0, self.zero_point, prepared, factor, _zeros(len(factor)),
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return out


@dataclass(frozen=True)
class UnpackedSums(PackedSums):
    """oneDNN's for many rows, packed anew each time; for few the compiled product, or float32 of widened codes.

    With AVX2 alone, oneDNN brings weights into another order each time that it multiplies by them, packed or not.
    """

    few_rows: int = 32
    """Rows up to which weights are used as they are."""

    @property
    def name(self) -> str:
        """What it is."""
        few = few_rows_sums(self.levels).name
        return f"{few}, up to {self.few_rows} rows; {super().name} anew, above"

    def prepare(self, values: Tensor) -> Tensor:
        """Shapes: (N, K) int8 → the same, row by row."""
        return values.contiguous()

    def values(self, prepared: Tensor) -> Tensor:
        """Shapes: → (N, K) int8."""
        return prepared

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        if len(codes) <= self.few_rows:
            return few_rows_sums(self.levels)(codes, prepared, factor)
        return super().__call__(codes, super().prepare(prepared), factor)


@dataclass(frozen=True)
class PlainSums:
    """`torch._int_mm`: oneDNN's without packing where the processor has VNNI, a loop without vectors where not."""

    levels: int
    """Largest magnitude of the activations."""

    @property
    def name(self) -> str:
        """What it is."""
        return f"torch._int_mm, {self.levels} levels"

    def prepare(self, values: Tensor) -> Tensor:
        """Shapes: (N, K) int8 → the same."""
        return values

    def values(self, prepared: Tensor) -> Tensor:
        """Shapes: → (N, K) int8."""
        return prepared

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        out = torch._int_mm(codes, prepared.t()).float()  # noqa: SLF001 - torch's only door to signed products
        return out.mul_(factor)


@dataclass(frozen=True)
class FloatSums:
    """float32 products of widened codes, in pieces of K that float32 sums exactly: right on every processor."""

    levels: int
    """Largest magnitude of the activations."""

    @property
    def name(self) -> str:
        """What it is."""
        return f"float32 of widened codes, {self.levels} levels"

    def prepare(self, values: Tensor) -> Tensor:
        """Shapes: (N, K) int8 → the same."""
        return values

    def values(self, prepared: Tensor) -> Tensor:
        """Shapes: → (N, K) int8."""
        return prepared

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        most = _WIDENED_VALUES if codes.device.type == "cpu" else _WIDENED_ON_DEVICES
        x, rows = codes.float(), max(1, most // codes.shape[1])
        out = x.new_empty(len(x), len(prepared))
        for part, columns in zip(torch.split(prepared, rows), torch.split(out, rows, dim=1), strict=True):
            columns.copy_(self._sums(x, part.float()))
        return out.mul_(factor)

    def _sums(self, x: Tensor, weight: Tensor) -> Tensor:
        exact_width = _EXACT_FLOAT32 // (128 * self.levels) // 32 * 32
        if x.shape[1] <= exact_width:
            return F.linear(x, weight)
        pieces = zip(torch.split(x, exact_width, dim=1), torch.split(weight, exact_width, dim=1), strict=True)
        return torch.stack([F.linear(*piece).int() for piece in pieces]).sum(0, dtype=torch.int32)


@dataclass(frozen=True)
class CompiledSums(PlainSums):
    """The package's own, of weights row by row (`native/products.c`): for few rows, where it was compiled."""

    @property
    def name(self) -> str:
        """What it is."""
        return f"compiled, {self.levels} levels"

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        return native.product(codes, prepared, factor)


@dataclass(frozen=True)
class DeviceSums(PlainSums):
    """`torch._int_mm` of a GPU, which wants sizes in steps of eight and more than sixteen rows; float32 for others."""

    @property
    def name(self) -> str:
        """What it is."""
        return f"{super().name}, {_FEWEST_ROWS} rows at least"

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) int8, factor (N,) float32 → (M, N) float32."""
        if any(size % _STEP for size in prepared.shape):
            return FloatSums(self.levels)(codes, prepared, factor)
        rows = len(codes)
        padding = max(_FEWEST_ROWS, -(-rows // _STEP) * _STEP) - rows
        return super().__call__(F.pad(codes, (0, 0, 0, padding)), prepared.contiguous(), factor)[:rows]


@cache
def few_rows_sums(levels: int) -> Sums:
    """What multiplies few rows by weights that lie row by row: the compiled product if it is there and right."""
    compiled = CompiledSums(levels)
    return FloatSums(levels) if fault(compiled) else compiled


@cache
def _zeros(count: int) -> Tensor:
    """Zero points of weights, which have none."""
    return torch.zeros(count, dtype=torch.int64, device="cpu")


@cache
def fault(sums: Sums, device: str = "cpu") -> str | None:
    """What is wrong with a kernel on a device: held against exact sums at extreme and at random codes.

    Sizes are uneven and even, since libraries take different ways for the two, and so many columns that sums of 16
    bits would saturate and those of float32 do not round.
    """
    sizes = ((33, 64), (70, 515), (72, 512))
    try:
        for (rows, width), by_columns in product(sizes, (True, False)):
            activations, weights = _patterns(sums.levels, width).to(device), _weights(rows, width).to(device)
            prepared = sums.prepare(weights.t().contiguous().t() if by_columns else weights)
            if not torch.equal(sums.values(prepared), weights):
                return "does not give its weights back"
            for x in (*torch.split(activations, 1), activations, activations.repeat(6, 1)):
                wanted = x.double() @ weights.double().t()
                found = sums(x.clone(), prepared, torch.ones(rows, device=device)).double()
                if not torch.equal(found, wanted):
                    where = (found - wanted).abs().argmax()
                    return f"gives {found.flatten()[where]:.0f} for {wanted.flatten()[where]:.0f}"
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        return f"is not there: {str(error).splitlines()[0]}"
    return None


def _patterns(levels: int, width: int) -> Tensor:
    """Activations (7, K): all at one end, all at the other, taking turns alone and in pairs, and at random."""
    column = torch.arange(width, device="cpu")
    ends = torch.tensor([levels, -levels], dtype=torch.int8, device="cpu")
    patterns = (column * 0, column * 0 + 1, column % 2, column // 2 % 2, column // 4 % 2)
    random = torch.randint(-levels, levels + 1, (2, width), generator=_generator(), device="cpu").to(torch.int8)
    return torch.cat((torch.stack([ends[pattern] for pattern in patterns]), random))


def _weights(rows: int, width: int) -> Tensor:
    """Weights (N, K): the same patterns between -128, which int4 codes may become, and 127, and at random."""
    extremes = _patterns(127, width)
    extremes[extremes == -127] = -128
    random = torch.randint(-128, 128, (rows - len(extremes), width), generator=_generator(), device="cpu")
    return torch.cat((extremes, random.to(torch.int8)))


def _generator() -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(0)
