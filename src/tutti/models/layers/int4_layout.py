"""The order in which ATen's int4 kernel reads weights: two codes a byte, in blocks of rows, column by column.

There are two orders, each with its size of blocks (ATen, `aten/src/ATen/native/cpu/int4mm_kernel.cpp`, function
`weight_to_int4pack_kernel`): with AVX-512 (64 rows) and AVX2 (32 rows), a byte holds a row of the first half of a block
and the row at the same place of the second half; without vectors (32 rows, on ARM 16), a row and the one behind it.
Which one is used here is found by packing some codes, so that an order that is not known is noticed and not trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from tutti.models.schemes import ROW_BLOCK


@dataclass(frozen=True)
class Int4Layout:
    """An order of codes."""

    block: int
    """Rows of a block."""
    neighbours: bool
    """Whether a byte holds rows 2j and 2j + 1 of a block; else rows j and j + block / 2."""

    def pack(self, values: Tensor) -> Tensor:
        """Codes in a quarter of the time of ATen's own way by int32. Shapes: (N, K) uint8 → (N, K / 2) uint8."""
        low, high = self._halves(values.view(-1, self.block, values.shape[1]))
        packed = (high << 4).bitwise_or_(low).transpose(1, 2)
        return packed.contiguous().view(len(values), -1)

    def unpack(self, weight: Tensor) -> Tensor:
        """The reverse of `pack`. Shapes: (N, K / 2) uint8 → (N, K) uint8."""
        bytes_ = weight.view(-1, weight.shape[1] * 2, self.block // 2)
        halves = torch.stack((bytes_ & 15, bytes_ >> 4)).flatten(1, 2)  # (2, N / block * K, block / 2)
        halves = halves.view(2, -1, *bytes_.shape[1:]).permute(0, 1, 3, 2)
        rows = halves.movedim(0, 2 if self.neighbours else 1)
        return rows.reshape(weight.shape[0], -1)

    def in_halves(self, columns: Tensor) -> Tensor:
        """Columns by rows of the matrix, reordered to (half, block, row of the half). Shapes: (M, N) → (M, N)."""
        blocks = self._blocks(columns)
        return blocks.permute(0, 3, 1, 2).reshape(columns.shape) if self.neighbours else _swap(blocks, columns)

    def in_order(self, columns: Tensor) -> Tensor:
        """The reverse of `in_halves`. Shapes: (M, N) → (M, N)."""
        halves = columns.view(len(columns), 2, -1, self.block // 2)
        order = (0, 2, 3, 1) if self.neighbours else (0, 2, 1, 3)
        return halves.permute(order).reshape(columns.shape)

    def _halves(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self.neighbours:
            return rows[:, ::2], rows[:, 1::2]
        return rows[:, : self.block // 2], rows[:, self.block // 2 :]

    def _blocks(self, columns: Tensor) -> Tensor:
        sizes = (self.block // 2, 2) if self.neighbours else (2, self.block // 2)
        return columns.view(len(columns), -1, *sizes)


def _swap(blocks: Tensor, columns: Tensor) -> Tensor:
    return blocks.transpose(1, 2).reshape(columns.shape)


OURS = Int4Layout(ROW_BLOCK, neighbours=False)
"""The order in which codes are kept where no kernel asks for one."""

_KNOWN = (OURS, Int4Layout(32, neighbours=False), Int4Layout(32, neighbours=True), Int4Layout(16, neighbours=True))


@cache
def aten_layout() -> Int4Layout | None:
    """The order that ATen's kernel has here; None if it is not known."""
    values = torch.randint(0, 16, (ROW_BLOCK, 32), generator=torch.Generator(device="cpu").manual_seed(0), device="cpu")
    try:
        packed = packed_by_aten(values)
    except (RuntimeError, AttributeError, NotImplementedError):
        return None
    fits = (one for one in _KNOWN if torch.equal(packed.flatten(), one.pack(values.to(torch.uint8)).flatten()))
    return next(fits, None)


def packed_by_aten(values: Tensor) -> Tensor:
    """ATen's own way. Shapes: (N, K) → (N, K / 2) uint8."""
    packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)  # noqa: SLF001 - the only door
    return packed
