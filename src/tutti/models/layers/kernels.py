"""Quantized matrices that multiply; `dispatch` decides which kernels they use.

Each row of activations has a scale of its own, so that what a row becomes depends on no other row: sums of whole
numbers are exact in any order. int8 weights take one kernel whatever M is. int4 weights take the int4 kernel for few
rows and are spread out to int8 for more; where memory allows it they are kept as packed int8, too
(`Int4Kernel.keep_int8`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from tutti.models.layers import native
from tutti.models.layers.codes import Codes
from tutti.models.layers.dispatch import int4_choice, int4_product, int8_sums, single_use_sums
from tutti.models.layers.int4_layout import Int4Layout
from tutti.models.schemes import ROW_BLOCK, group_size

_TINY = 1e-30
"""Stands for the largest magnitude of a row of zeros."""


class Kernel(Protocol):
    """A quantized matrix (N, K) in the form that its kernels take."""

    rows: int
    """N."""
    width: int
    """K."""

    @property
    def scale(self) -> Tensor:
        """(N,) float32: what a step of a row's codes stands for."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        ...

    def pack(self) -> None:
        """Get ready to multiply, if that takes anything."""
        ...

    def unpack(self) -> None:
        """Undo `pack`."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        ...

    def codes(self) -> Codes:
        """The form that folders keep, exactly as it was given."""
        ...


class Int8Kernel:
    """int8 weights; arguments as in `Kernel`. They are prepared when they are first used, or by `pack`."""

    def __init__(self, codes: Codes) -> None:
        self.rows, self.width = codes.values.shape
        self.scale = codes.scale
        self._sums = int8_sums()
        # 1 / levels belongs to the activations' scale: multiplied in here, once.
        self._factor = codes.scale / self._sums.levels
        self._values: Tensor | None = codes.values
        self._prepared: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return self.rows * self.width + self.scale.nbytes + self._factor.nbytes

    def pack(self) -> None:
        """Bring the weights into the order that the kernel reads."""
        if self._values is not None:
            self._prepared, self._values = self._sums.prepare(self._values), None

    def unpack(self) -> None:
        """Undo `pack`."""
        self._values, self._prepared = self.codes().values, None

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        self.pack()
        assert self._prepared is not None  # noqa: S101 - packed just now
        codes, top = quantize_rows(x, self._sums.levels)
        return self._sums(codes, self._prepared, self._factor).mul_(top)

    def codes(self) -> Codes:
        """The form that folders keep."""
        if self._prepared is None:
            assert self._values is not None  # noqa: S101 - one of the two is there
            return Codes(self._values, self.scale)
        return Codes(self._sums.values(self._prepared), self.scale)

    @classmethod
    def joined(cls, kernels: Sequence[Int8Kernel]) -> Int8Kernel:
        """One kernel for matrices one below the other."""
        codes = [kernel.codes() for kernel in kernels]
        return cls(Codes(torch.cat([one.values for one in codes]), torch.cat([one.scale for one in codes])))


class Int4Kernel:
    """int4 weights; arguments as in `Kernel`."""

    def __init__(self, codes: Codes) -> None:
        assert codes.step is not None and codes.offset is not None  # noqa: S101, PT018 - what makes codes int4
        layout = int4_choice().layout
        weight = torch.cat([layout.pack(part) for part in torch.split(codes.values, 16 * ROW_BLOCK)])
        step = codes.step * codes.scale[:, None]
        zero = codes.offset * codes.scale[:, None] + 8 * step  # the kernel's codes count from the middle
        self.set(weight, torch.stack((step.t(), zero.t()), dim=-1).to(torch.bfloat16), codes.scale)

    def set(self, weight: Tensor, grid: Tensor, scale: Tensor) -> None:
        """Take weights as the kernel reads them."""
        self.weight = weight  # (N, K / 2) bytes, in the kernel's order
        self.grid = grid  # (K / group, N, 2): how far apart values are, and where their middle is
        self.scale = scale
        self.rows, self.width = weight.shape[0], weight.shape[1] * 2
        self._group = group_size(self.width)
        self._choice = int4_choice()
        self._keeps_int8 = self._spread_before = False
        self._int8: Int8Kernel | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        beside = 0 if self._int8 is None else self._int8.nbytes
        return self.weight.nbytes + self.grid.nbytes + self.scale.nbytes + beside

    def pack(self) -> None:
        """It is packed from the beginning: unpacked it would be twice as large."""

    def unpack(self) -> None:
        """It stays packed."""

    def keep_int8(self, keeps: bool) -> None:
        """Let the weights be kept as packed int8, too, for more rows than the int4 kernel is for; or no longer.

        They are packed when so many rows come for the second time: it may take as long as spreading them out ten times,
        for which who asks a single question should not wait. Products are the same before and after.
        """
        self._keeps_int8, self._spread_before, self._int8 = keeps, False, None

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        rows = self._choice.rows
        if x.shape[0] <= (rows.beside_int8 if self._keeps_int8 else rows.alone):
            return int4_product(x.bfloat16(), self.weight, self._group, self.grid).float()
        if not self._keeps_int8 or (self._int8 is None and not self._spread_before):
            self._spread_before = True
            return self._spread_product(x)
        if self._int8 is None:
            self._int8 = Int8Kernel(Codes(self.codes().int8(), self.scale))
        return self._int8(x)

    def _spread_product(self, x: Tensor) -> Tensor:
        """By way of int8, in the order in which the rows lie: the halves of the blocks, block by block."""
        sums = single_use_sums()
        codes, top = quantize_rows(x, sums.levels)
        out = sums(codes, sums.prepare(self._spread().t()), self.layout.in_halves(self.scale[None])[0] / sums.levels)
        return self.layout.in_order(out).mul_(top)

    def _spread(self) -> Tensor:
        """(K, N) int8 with weight = scale * this, its columns (half, block, row of the half)."""
        half = self.layout.block // 2
        halves = self.weight.view(-1, self.width, half).transpose(0, 1).contiguous()
        spread = halves.new_empty(self.width, 2, *halves.shape[1:])
        torch.bitwise_and(halves, 15, out=spread[:, 0])
        torch.bitwise_right_shift(halves, 4, out=spread[:, 1])
        step, offset = (self.layout.in_halves(grid)[:, None] for grid in self._whole_grid())
        groups = spread.view(-1, self._group, self.rows)
        out: Tensor = groups.mul_(step).add_(offset).view(torch.int8).flatten(0, 1)
        return out

    @property
    def layout(self) -> Int4Layout:
        """The order of its weights."""
        return self._choice.layout

    def _whole_grid(self) -> tuple[Tensor, Tensor]:
        """Steps and offsets (K / group, N) as bytes; bfloat16 keeps them closely enough to round back."""
        units = self.grid.float() / self.scale[:, None]
        step = units[..., 0].round()
        offset = (units[..., 1] - 8 * step).round()
        return step.to(torch.uint8), offset.to(torch.int8).view(torch.uint8)

    def codes(self) -> Codes:
        """The form that folders keep."""
        return replace(self.grid_codes(), values=self.layout.unpack(self.weight))

    def grid_codes(self) -> Codes:
        """The same with its values as they lie, packed."""
        step, offset = (grid.t().contiguous() for grid in self._whole_grid())
        return Codes(self.weight, self.scale, step, offset.view(torch.int8))

    @classmethod
    def joined(cls, kernels: Sequence[Int4Kernel]) -> Int4Kernel:
        """One kernel for matrices one below the other."""
        whole = cls.__new__(cls)
        weights, grids = [one.weight for one in kernels], [one.grid for one in kernels]
        whole.set(torch.cat(weights), torch.cat(grids, dim=1), torch.cat([one.scale for one in kernels]))
        return whole


class RowsKernel:
    """Some rows of a matrix that was joined from several.

    Args:
        whole: The matrix.
        start: First row.
        stop: Row behind the last.
    """

    def __init__(self, whole: Kernel, start: int, stop: int) -> None:
        self.whole, self._start, self._stop = whole, start, stop
        self.rows, self.width = stop - start, whole.width

    @property
    def scale(self) -> Tensor:
        """Those of its rows."""
        return self.whole.scale[self._start : self._stop]

    @property
    def nbytes(self) -> int:
        """Its share of the whole."""
        return self.whole.nbytes * self.rows // self.whole.rows

    def pack(self) -> None:
        """Pack the whole."""
        self.whole.pack()

    def unpack(self) -> None:
        """Unpack the whole."""
        self.whole.unpack()

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply by the whole and keep some columns. Shapes: (M, K) float32 → (M, N) float32."""
        return self.whole(x)[:, self._start : self._stop]

    def codes(self) -> Codes:
        """The form that folders keep."""
        whole = self.whole.codes()
        fields = (whole.values, whole.scale, whole.step, whole.offset)
        values, scale, step, offset = (one if one is None else one[self._start : self._stop] for one in fields)
        return Codes(values, scale, step, offset)  # type: ignore[arg-type]


def join_kernels(kernels: Sequence[Kernel]) -> Kernel | None:
    """One kernel for matrices one below the other; None if they are of different kinds."""
    for kind in (Int8Kernel, Int4Kernel):
        if all(isinstance(kernel, kind) for kernel in kernels):
            return kind.joined(kernels)  # type: ignore[arg-type]
    return None


def make_kernel(codes: Codes) -> Kernel:
    """The kernel for a matrix."""
    return Int8Kernel(codes) if codes.scheme == "int8" else Int4Kernel(codes)


def quantize_rows(x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Whole numbers for rows of activations.

    Shapes: (M, K) float32 → codes (M, K) int8 and the rows' largest magnitudes (M, 1), x ≈ codes * largest / levels.
    """
    compiled = native.quantized_rows(x, levels) if compiled_codes_are_right() else None
    return compiled or _quantize_by_torch(x, levels)


@cache
def compiled_codes_are_right() -> bool:
    """Whether the compiled part is there and rounds to the same codes, bit for bit, as torch does."""
    x = torch.randn(24, 517, generator=torch.Generator(device="cpu").manual_seed(0), device="cpu")
    x *= torch.logspace(-32, 32, 24, device="cpu")[:, None]
    x[0], x[1] = 0, 1
    for levels in (63, 127):
        x[2] = torch.arange(517, device="cpu") % (2 * levels) / 2  # halves, which go to the even neighbour
        for rows in (x, x[3:4], x[:, :512]):
            found, wanted = native.quantized_rows(rows, levels), _quantize_by_torch(rows, levels)
            if found is None or not all(map(torch.equal, found, wanted)):
                return False
    return True


def _quantize_by_torch(x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    # The extremes one by one: magnitudes would be as large a tensor as the activations.
    top = torch.maximum(x.amax(1, keepdim=True), x.amin(1, keepdim=True).neg_()).clamp_min_(_TINY)
    return (x * (levels / top)).round_().to(torch.int8), top
