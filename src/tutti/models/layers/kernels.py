"""Which kernel multiplies by quantized weights, when and why: the one place that decides it.

Milliseconds for x (M, 2048) by a matrix (8192, 2048), one thread / two threads, weights not in the cache, on an AMD
EPYC with AVX-512 VNNI and BF16, torch 2.13 (`benchmarks/kernels.py`; bfloat16 with one thread only, in another run,
in which float32 took 4.5, 11, 18, 23 and 109, int8 packed 1.4, 1.3, 1.9, 3.2 and 21):

| kernel | M = 1 | 4 | 16 | 32 | 256 |
| --- | --- | --- | --- | --- | --- |
| float32 | 3.5 / 3.7 | 8.5 / 9.2 | 13 / 9.8 | 19 / 14 | 100 / 62 |
| bfloat16, activations converted there and back | 4.0 | 3.5 | 4.7 | 7.4 | 41 |
| int8: oneDNN, uint8 by int8, packed once | 1.1 / 0.7 | 0.9 / 0.8 | 1.7 / 1.0 | 2.8 / 1.6 | 20 / 11 |
| int8: `torch._int_mm`, not packed | 1.1 / 0.7 | 3.4 / 1.9 | 4.4 / 2.4 | 5.5 / 2.9 | 22 / 12 |
| int4: ATen's, bfloat16 by int4, packed once | 0.9 / 0.5 | 1.6 / 0.8 | 6.3 / 3.4 | 13 / 6.6 | – |
| int4 spread out to int8 (2.5 / 1.3), then `torch._int_mm` | 3.6 / 2.0 | 5.9 / 3.2 | 6.9 / 3.7 | 8.0 / 4.2 | 25 / 13 |

Hence: int8 weights take the packed kernel whatever M is; int4 weights take the int4 kernel up to `FEW_ROWS` and are
spread out above. Where memory allows it they are kept as packed int8, too (`Int4Kernel.keep_int8`), and the int4 kernel
is left at `FEW_ROWS_BESIDE_INT8`. Each row of activations has a scale of its own, so that what a row becomes depends on
no other row: sums of whole numbers are exact in any order. Left out: ATen's int8 kernel for bfloat16 (slower than the
packed one); dynamic quantization of `torch.ao` (0.6 for few rows, but one scale for all of them, so that neighbours in
a batch would change an answer; and its tensors are to be taken out of torch); bfloat16 (with units for it half as fast
as packed int8 at best, and without them slower than float32). On an Intel Xeon with AMX other figures lead to the same
choice (`benchmarks/RESULTS.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from tutti.models.layers.codes import Codes
from tutti.models.schemes import ROW_BLOCK, group_size

FEW_ROWS = 16
"""Rows of activations up to which the int4 kernel is the faster way for int4 weights."""

FEW_ROWS_BESIDE_INT8 = 3
"""The same where packed int8 lies beside: one row reads half the bytes as int4, four rows are as fast as int8."""

_TINY = 1e-30
"""Stands for the largest magnitude of a row of zeros."""


class Kernel(Protocol):
    """A quantized matrix (N, K) in the form that its kernels take."""

    rows: int
    """N."""
    width: int
    """K."""

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
    """int8 weights; arguments as in `Kernel`. They are packed when they are first used, or by `pack`."""

    def __init__(self, codes: Codes) -> None:
        self.rows, self.width = codes.values.shape
        self.scale = codes.scale
        # 1 / 127 belongs to the activations' scale: multiplied in here, once.
        self._factor = codes.scale / 127
        self._zeros = torch.zeros(self.rows, dtype=torch.int64)
        self._values: Tensor | None = codes.values
        self._weight: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return self.rows * self.width + self.scale.nbytes + self._factor.nbytes + self._zeros.nbytes

    def pack(self) -> None:
        """Bring the weights into the order that the kernel reads, where there is such a kernel."""
        if self._values is not None and _has_packed_int8():
            self._weight = torch.ops.onednn.qlinear_prepack(self._values.contiguous(), None)
            self._values = None

    def unpack(self) -> None:
        """Undo `pack`."""
        self._values, self._weight = self.codes().values, None

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        codes, top = quantize_rows(x)
        self.pack()
        if self._values is None:
            return self._packed_product(codes).mul_(top)
        out = torch._int_mm(codes, self._values.t()).float()  # noqa: SLF001 - torch's only door to int8 products
        return out.mul_(self._factor).mul_(top)

    def _packed_product(self, codes: Tensor) -> Tensor:
        shifted = codes.view(torch.uint8).bitwise_xor_(128)
        out: Tensor = torch.ops.onednn.qlinear_pointwise(
            shifted, 1.0, 128, self._weight, self._factor, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return out

    def codes(self) -> Codes:
        """The form that folders keep."""
        if self._values is not None:
            return Codes(self._values, self.scale)
        # What is packed cannot be read but by multiplying: rows of the identity give back the columns.
        values = torch.empty(self.rows, self.width, dtype=torch.int8)
        for start in range(0, self.width, 256):
            stop = min(start + 256, self.width)
            rows = torch.zeros(stop - start, self.width, dtype=torch.int8)
            rows[:, start:stop].fill_diagonal_(1)
            columns = self._packed_product(rows) / self._factor
            values[:, start:stop] = columns.round_().t().to(torch.int8)
        return Codes(values, self.scale)

    @classmethod
    def joined(cls, kernels: Sequence[Int8Kernel]) -> Int8Kernel:
        """One kernel for matrices one below the other."""
        codes = [kernel.codes() for kernel in kernels]
        return cls(Codes(torch.cat([one.values for one in codes]), torch.cat([one.scale for one in codes])))


class Int4Kernel:
    """int4 weights; arguments as in `Kernel`."""

    def __init__(self, codes: Codes) -> None:
        assert codes.step is not None and codes.offset is not None  # noqa: S101, PT018 - what makes codes int4
        weight = torch.cat([_pack(part) for part in torch.split(codes.values, 16 * ROW_BLOCK)])
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
        """Let the weights be kept as packed int8, too, for more than `FEW_ROWS_BESIDE_INT8` rows; or no longer.

        They are packed when so many rows come for the second time: it takes as long as spreading them out ten times,
        for which who asks a single question should not wait. Products are the same before and after.
        """
        self._keeps_int8, self._spread_before, self._int8 = keeps, False, None

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        if self._keeps_int8 and x.shape[0] > FEW_ROWS_BESIDE_INT8:
            return self._int8_product(x)
        if x.shape[0] > FEW_ROWS and _packed_block():
            return self._spread_product(x)
        product: Any = torch.ops.aten._weight_int4pack_mm_for_cpu  # noqa: SLF001 - torch's only door to int4 products
        out: Tensor = product(x.bfloat16(), self.weight, self._group, self.grid)
        return out.float()

    def _int8_product(self, x: Tensor) -> Tensor:
        if self._int8 is None and _packed_block() and not self._spread_before:
            self._spread_before = True
            return self._spread_product(x)
        if self._int8 is None:
            self._int8 = Int8Kernel(Codes(self.codes().int8(), self.scale))
        return self._int8(x)

    def _spread_product(self, x: Tensor) -> Tensor:
        """By way of int8, in the order in which the rows lie: the halves of the blocks, block by block."""
        codes, top = quantize_rows(x)
        out = torch._int_mm(codes, self._spread()).float()  # noqa: SLF001 - torch's only door to int8 products
        out = out.view(x.shape[0], 2, -1, _packed_block() // 2).transpose(1, 2).reshape(x.shape[0], self.rows)
        return out.mul_(self.scale / 127).mul_(top)

    def _spread(self) -> Tensor:
        """(K, N) int8 with weight = scale * this, its columns (half, block, row of the half)."""
        half = _packed_block() // 2
        halves = self.weight.view(-1, self.width, half).transpose(0, 1).contiguous()
        spread = torch.empty(self.width, 2, *halves.shape[1:], dtype=torch.uint8)
        torch.bitwise_and(halves, 15, out=spread[:, 0])
        torch.bitwise_right_shift(halves, 4, out=spread[:, 1])
        step, offset = (self._in_halves(grid)[:, None] for grid in self._whole_grid())
        groups = spread.view(-1, self._group, self.rows)
        out: Tensor = groups.mul_(step).add_(offset).view(torch.int8).flatten(0, 1)
        return out

    def _in_halves(self, grid: Tensor) -> Tensor:
        """Reorder columns (K / group, N) as `_spread` has them."""
        half = _packed_block() // 2
        out: Tensor = grid.view(grid.shape[0], -1, 2, half).transpose(1, 2).reshape(grid.shape)
        return out

    def _whole_grid(self) -> tuple[Tensor, Tensor]:
        """Steps and offsets (K / group, N) as bytes; bfloat16 keeps them closely enough to round back."""
        units = self.grid.float() / self.scale[:, None]
        step = units[..., 0].round()
        offset = (units[..., 1] - 8 * step).round()
        return step.to(torch.uint8), offset.to(torch.int8).view(torch.uint8)

    def codes(self) -> Codes:
        """The form that folders keep."""
        step, offset = (grid.t().contiguous() for grid in self._whole_grid())
        half = _packed_block() // 2
        if half:
            halves = self.weight.view(-1, self.width, half)
            values = torch.cat((halves & 15, halves >> 4), dim=-1).transpose(1, 2).reshape(self.rows, self.width)
        else:
            values = self._read_by_products(step, offset)
        return Codes(values, self.scale, step, offset.view(torch.int8))

    @classmethod
    def joined(cls, kernels: Sequence[Int4Kernel]) -> Int4Kernel:
        """One kernel for matrices one below the other."""
        whole = cls.__new__(cls)
        weights, grids = [one.weight for one in kernels], [one.grid for one in kernels]
        whole.set(torch.cat(weights), torch.cat(grids, dim=1), torch.cat([one.scale for one in kernels]))
        return whole

    def _read_by_products(self, step: Tensor, offset: Tensor) -> Tensor:
        """Codes of a layout that is not known, by multiplying with the identity; slow."""
        product: Any = torch.ops.aten._weight_int4pack_mm_for_cpu  # noqa: SLF001 - torch's only door to int4 products
        identity = torch.eye(self.width, dtype=torch.bfloat16)
        weight = product(identity, self.weight, self._group, self.grid).float().t() / self.scale[:, None]
        groups = weight.unflatten(1, (step.shape[1], -1)) - offset.view(torch.int8)[..., None]
        codes: Tensor = (groups / step[..., None]).round_().clamp_(0, 15).to(torch.uint8).flatten(1)
        return codes


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


def quantize_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers for rows of activations.

    Shapes: (M, K) float32 → codes (M, K) int8 and the rows' largest magnitudes (M, 1), with x ≈ codes * largest / 127.
    """
    # The extremes one by one: magnitudes would be as large a tensor as the activations.
    top = torch.maximum(x.amax(1, keepdim=True), x.amin(1, keepdim=True).neg_()).clamp_min_(_TINY)
    return (x * (_levels() / top)).round_().to(torch.int8), top * (127 / _levels())


@cache
def attends_in_bfloat16() -> bool:
    """Whether attention is faster so: it is with units for tiles (AMX), and takes two to four times as long without."""
    return torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - torch tells it nowhere else


@cache
def _levels() -> int:
    """Steps on each side of zero. Without VNNI, kernels add pairs in 16 bits, which 127 * 255 twice would overflow."""
    return 127 if torch.cpu._is_vnni_supported() else 63  # noqa: SLF001 - torch tells it nowhere else


@cache
def _has_packed_int8() -> bool:
    """Whether this build of torch has the packed int8 kernel."""
    return torch._C._has_mkldnn and hasattr(torch.ops.onednn, "qlinear_prepack")  # noqa: SLF001 - untyped elsewhere


def _pack(values: Tensor) -> Tensor:
    """Codes (N, K) as the int4 kernel reads them, (N, K / 2): a quarter of the time of ATen's own way by int32."""
    block = _packed_block()
    if not block:
        return _packed_by_aten(values)
    packed: Tensor = _interleaved(values, block).contiguous().view(len(values), -1)
    return packed


def _packed_by_aten(values: Tensor) -> Tensor:
    packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)  # noqa: SLF001 - see above
    return packed


def _interleaved(values: Tensor, block: int) -> Tensor:
    """Bytes (N / block, K, block / 2): column k of row j in the low half, of row j + block / 2 in the high half."""
    rows = values.view(-1, block, values.shape[1])
    return (rows[:, block // 2 :] << 4).bitwise_or_(rows[:, : block // 2]).transpose(1, 2)


@cache
def _packed_block() -> int:
    """Rows of a block of packed int4 weights, found by packing some; 0 if they lie otherwise than `_interleaved`."""
    values = torch.randint(0, 16, (ROW_BLOCK, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    packed = _packed_by_aten(values)
    for block in (64, 32):
        known = _interleaved(values, block)
        if packed.numel() == known.numel() and torch.equal(packed.flatten(), known.flatten()):
            return block
    return 0
