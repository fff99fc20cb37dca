"""Quantized matrices for the compiled part: one form for any number of rows, and the form that a decode step takes.

Sums are of whole numbers and exact, for int4 weights, too: products equal those of `Int8Kernel` on the same weights, to
the last bit, whatever the number of rows (decision 181).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tutti.models.layers import native
from tutti.models.layers.codes import Codes
from tutti.models.layers.dispatch import attends_in_bfloat16, int8_sums
from tutti.models.layers.int4_layout import OURS, Int4Layout
from tutti.models.layers.kernels import Int4Kernel, Kernel, compiled_codes_are_right
from tutti.models.layers.native.forms import BLOCK, INT4, INT8, MatrixForm
from tutti.models.schemes import Scheme

_MOST_ROWS = 512
"""Rows of a product whose sums stay in the cache of the processor."""


class PackedKernel:
    """int8 or int4 weights as `native/forms.h` says; arguments as in `Kernel`."""

    def __init__(self, codes: Codes) -> None:
        if codes.step is None or codes.offset is None:
            self.set(_packed_int8(codes.values), codes.scale, codes.values.shape[1], 0)
        else:
            self.set_int4(OURS.pack(codes.values), OURS, codes)

    def set_int4(self, weight: Tensor, layout: Int4Layout, codes: Codes) -> None:
        """Take codes of four bits in an order of ATen's; `codes` are asked for all but their values."""
        assert codes.step is not None and codes.offset is not None  # noqa: S101, PT018 - what makes codes int4
        packed = _packed_int4(weight, layout.block // 2, codes.step, codes.offset)
        self.set(packed, codes.scale, weight.shape[1] * 2, codes.step.shape[1])

    def set(self, packed: Tensor, scale: Tensor, width: int, groups: int) -> None:
        """Take weights that are packed: (blocks, bytes) uint8."""
        self.packed = packed
        self.scale = scale
        self.rows, self.width, self.groups = len(scale), width, groups
        self.levels = int8_sums().levels
        self.factor = scale / self.levels  # 1 / levels belongs to the activations' scale
        group = width // groups if groups else 0
        self.form = MatrixForm(
            self.rows, width, packed.data_ptr(), self.factor.data_ptr(), None, INT4 if groups else INT8, group
        )

    @property
    def scheme(self) -> Scheme:
        """`int8` or `int4`."""
        return "int4" if self.groups else "int8"

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return self.packed.nbytes + self.scale.nbytes + self.factor.nbytes

    def pack(self) -> None:
        """It is packed from the beginning."""

    def unpack(self) -> None:
        """It stays packed."""

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Shapes: (M, K) float32 → (M, N) float32."""
        found, x = _library(), x.contiguous()
        if x.shape[1] != self.width or x.dtype != torch.float32 or x.device.type != "cpu":
            raise RuntimeError(f"the compiled part cannot multiply {tuple(x.shape)} {x.dtype} by {self.width} columns")
        out = torch.empty(len(x), self.rows, device="cpu")
        threads, kind = torch.get_num_threads(), instructions(self.levels)
        for start in range(0, len(x), _MOST_ROWS):
            count = min(_MOST_ROWS, len(x) - start)
            place = (x.data_ptr() + 4 * start * self.width, count, out.data_ptr() + 4 * start * self.rows)
            if found.tutti_multiply(kind, threads, self.levels, ctypes.addressof(self.form), *place):
                raise RuntimeError(f"there is no memory for ({count}, {self.width}) codes")
        return out

    def codes(self) -> Codes:
        """The form that folders keep."""
        if not self.groups:
            return Codes(_unpacked_int8(self.packed, self.rows, self.width), self.scale)
        return Codes(*_unpacked_int4(self.packed, self.width, self.groups, self.scale))

    @classmethod
    def of(cls, kernel: Kernel) -> PackedKernel:
        """The same weights as another kernel's."""
        if not isinstance(kernel, Int4Kernel):
            return cls(kernel.codes())
        packed = cls.__new__(cls)
        packed.set_int4(kernel.weight, kernel.layout, kernel.grid_codes())
        return packed

    @classmethod
    def joined(cls, kernels: Sequence[PackedKernel]) -> PackedKernel | None:
        """One kernel for matrices one below the other; None if they are of different kinds or sizes."""
        first = kernels[0]
        alike = all((one.width, one.groups) == (first.width, first.groups) for one in kernels)
        if not alike or any(one.rows % BLOCK for one in kernels[:-1]):
            return None
        whole = cls.__new__(cls)
        packed, scale = torch.cat([one.packed for one in kernels]), torch.cat([one.scale for one in kernels])
        whole.set(packed, scale, first.width, first.groups)
        return whole


def _library() -> ctypes.CDLL:
    found = native.library()
    if found is None:
        raise RuntimeError("the compiled part is not there")
    return found


def instructions(levels: int) -> int:
    """Instructions by which products of so many levels are exact: VNNI for more than what pairs of 16 bits hold."""
    return 2 if levels > 63 else 1


def _packed_int8(values: Tensor) -> Tensor:
    rows, width = values.shape
    values, blocks = values.contiguous(), -(-rows // BLOCK)
    packed = torch.empty(blocks, -(-width // 4) * 4 * BLOCK, dtype=torch.uint8, device="cpu")
    _library().tutti_order8(values.data_ptr(), rows, width, packed.data_ptr())
    return packed


def _unpacked_int8(packed: Tensor, rows: int, width: int) -> Tensor:
    fours = packed.view(torch.int32).view(len(packed), -1, BLOCK).transpose(1, 2)
    bytes_ = fours.flatten().view(torch.uint8).view(len(packed) * BLOCK, -1)
    return (bytes_[:rows, :width] ^ 128).view(torch.int8)


def _packed_int4(weight: Tensor, half: int, step: Tensor, offset: Tensor) -> Tensor:
    (rows, width), groups, weight = (len(weight), weight.shape[1] * 2), step.shape[1], weight.contiguous()
    packed = torch.empty(
        rows // BLOCK, groups, 2 * BLOCK + width // groups * BLOCK // 2, dtype=torch.uint8, device="cpu"
    )
    _library().tutti_order4(weight.data_ptr(), half, rows, width, width // groups, packed.data_ptr())
    for start, grid in ((0, step), (BLOCK, offset.view(torch.uint8))):
        packed[..., start : start + BLOCK] = grid.view(-1, BLOCK, groups).transpose(1, 2)
    return packed.flatten(1)


def _unpacked_int4(packed: Tensor, width: int, groups: int, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    parts = packed.view(len(packed), groups, -1)
    step, offset = (
        part.transpose(1, 2).reshape(-1, groups) for part in (parts[..., :BLOCK], parts[..., BLOCK : 2 * BLOCK])
    )
    both = parts[..., 2 * BLOCK :].contiguous().view(torch.int32).view(len(packed), -1, BLOCK).transpose(1, 2)
    eights = both.contiguous().view(torch.uint8).view(-1, width // 8, 4)
    values = torch.stack((eights & 15, eights >> 4), dim=2).view(-1, width)
    return values, scale, step, offset.view(torch.int8)


def packs(scheme: Scheme, width: int) -> bool:
    """Whether weights of a kind are to be packed here: not where units for tiles (AMX) multiply many rows faster."""
    return width <= native.MOST_WIDTH and not attends_in_bfloat16() and packed_fault(scheme) is None


@cache
def packed_fault(scheme: Scheme) -> str | None:
    """What is wrong with the compiled part's packed products here: held against exact sums at extreme codes."""
    found, levels = native.library(), int8_sums().levels
    if found is None or found.tutti_instructions() < instructions(levels) or not compiled_codes_are_right():
        return "is not there"
    for width in (64, 1184) if scheme == "int4" else (64, 515, 1184):
        codes = _extremes(scheme, width)
        kernel = PackedKernel(codes)
        if any(found is not given and not torch.equal(found, given) for found, given in _pairs(kernel.codes(), codes)):
            return "does not give its weights back"
        weights = codes.int8().double()
        for x in (_activations(levels, count, width) for count in (1, 2, 3, 4, 5, 7, 12, 13, 30)):
            wanted = (x.double() @ weights.t()).float() * levels  # the rows' largest magnitude
            if not torch.equal(kernel(x), wanted):
                return "gives wrong sums"
    return None


def _pairs(one: Codes, other: Codes) -> list[tuple[Any, Any]]:
    return [(getattr(one, name), getattr(other, name)) for name in ("values", "scale", "step", "offset")]


def _activations(levels: int, rows: int, width: int) -> Tensor:
    """Whole numbers (M, K) that are their own codes, at the ends and at random."""
    generator = torch.Generator(device="cpu").manual_seed(rows)
    x = torch.randint(-levels, levels + 1, (rows, width), generator=generator, device="cpu").float()
    x[:, 0], x[-1], x[0] = levels, -levels, levels
    return x


def _extremes(scheme: Scheme, width: int) -> Codes:
    """Codes (128, K) at both ends and at random, whose factors are ones."""
    generator, rows = torch.Generator(device="cpu").manual_seed(0), 2 * BLOCK

    def random(low: int, high: int, columns: int, dtype: torch.dtype) -> Tensor:
        out = torch.randint(low, high + 1, (rows, columns), generator=generator, device="cpu")
        out[0], out[1] = low, high
        return out.to(dtype)

    scale = torch.ones(rows, device="cpu") * int8_sums().levels
    if scheme == "int8":
        return Codes(random(-128, 127, width, torch.int8), scale)
    groups = next(width // group for group in (128, 64, 32) if width % group == 0)
    steps, values = random(1, 17, groups, torch.uint8), random(0, 15, width, torch.uint8)
    return Codes(values, scale, steps, (-128 + (17 - steps.int()) * 15).clamp(max=-128 + 15).to(torch.int8))
