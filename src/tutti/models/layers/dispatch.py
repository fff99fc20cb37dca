"""Which kernel multiplies by quantized weights on this processor: the one place that decides it.

What a kernel computes is found out, not looked up: the first time that one is needed, the candidates are held against
exact sums at extreme codes (`sums.fault`, some 10 ms each), and one that is wrong is not used. What changes numbers
follows from that, and from the instructions that ATen was dispatched to: the levels of activations, their zero point
and whether few rows go through the int4 kernel. The clock chooses only among kernels with equal results. Choices are
made once a process (decision 91); `tutti inspect --machine` prints them.

Milliseconds for x (M, 2048) by a matrix (8192, 2048), weights not in the cache (`benchmarks/kernels.py`). VNNI: one
thread / two threads of an AMD EPYC with AVX-512 VNNI. The other two: one thread of an Intel Xeon (Sapphire Rapids, no
AMX) that was told to use no more (`ONEDNN_MAX_CPU_ISA`, `ATEN_CPU_CAPABILITY`, `MKL_CBWR`), so that only the ratios
within a block mean something. torch 2.13.

| kernel | M = 1 | 4 | 16 | 32 | 256 |
| --- | --- | --- | --- | --- | --- |
| **VNNI**: float32 | 3.5 / 3.7 | 8.5 / 9.2 | 13 / 9.8 | 19 / 14 | 100 / 62 |
| int8: oneDNN, packed once, 127 levels | 1.1 / 0.7 | 0.9 / 0.8 | 1.7 / 1.0 | 2.8 / 1.6 | 20 / 11 |
| int8: `torch._int_mm`, not packed | 1.1 / 0.7 | 3.4 / 1.9 | 4.4 / 2.4 | 5.5 / 2.9 | 22 / 12 |
| int4: ATen's, bfloat16 by int4, packed once | 0.9 / 0.5 | 1.6 / 0.8 | 6.3 / 3.4 | 13 / 6.6 | – |
| int4 spread out, then `torch._int_mm` | 3.6 / 2.0 | 5.9 / 3.2 | 6.9 / 3.7 | 8.0 / 4.2 | 25 / 13 |
| **AVX-512 without VNNI**: float32 | 4.1 | 8.5 | 9.3 | 12 | 49 |
| int8: oneDNN, packed once, 63 levels | 1.4 | 1.6 | 3.0 | 5.0 | 32 |
| int4: ATen's | 0.9 | 1.7 | 6.5 | 13 | – |
| int4 spread out, then float32 | 11 | 12 | 14 | 18 | 68 |
| **AVX2**: float32 | 4.7 | 9.8 | 15 | 21 | 95 |
| int8: oneDNN, packed once, 63 levels | 7.4 | 8.5 | 11 | 14 | 54 |
| int8: float32 of widened codes, 63 levels | 4.2 | 7.5 | 12 | 17 | 100 |
| int8: oneDNN, packed each time | 12 | 13 | 15 | 21 | 65 |
| int4: ATen's | 1.7 | 3.0 | 12 | 23 | – |

With AVX2 alone, oneDNN brings weights into another order at each call, packed or not; hence `UnpackedSums`, which is
quick for one row and for many and keeps the weights once; for few rows it takes the compiled product where that was
built (decision 179), some half of what widened codes take. Without vectors (`ATEN_CPU_CAPABILITY=default`) ATen's int4
kernel takes 15 times as long as float32, and the weights are spread out to int8 instead.

AMX: as VNNI, with other figures (`benchmarks/RESULTS.md`). None of these (ARM, builds without oneDNN): float32 products
of widened codes, or whatever passes the same test and is faster; not measured. What a real AVX2 processor does that
this one does not when it is told to be one: `torch._int_mm` is a loop without vectors there (some 35 times as long as
float32 at 256 rows, and longer for weights as int4 spreads them out).

Left out: ATen's int8 kernel for bfloat16 (its results are not equal to those for more rows; decision 92); dynamic
quantization of `torch.ao` (one scale for all rows, so that neighbours in a batch would change an answer, and its
tensors are to be taken out of torch); bfloat16 (with units for it half as fast as packed int8 at best, and without them
slower than float32).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tutti.models.layers.int4_layout import OURS, Int4Layout, aten_layout
from tutti.models.layers.sums import (
    CompiledSums,
    DeviceSums,
    FloatSums,
    PackedSums,
    PlainSums,
    Sums,
    UnpackedSums,
    fault,
)

_FULL = PackedSums(127, 128)
"""For processors that add products in 32 bits: VNNI and AMX."""
_HALVED = PackedSums(63, 64)
"""For those that add pairs of products in 16 bits first: AVX2, and AVX-512 without VNNI."""
_UNPACKED = UnpackedSums(_HALVED.levels, _HALVED.zero_point)
"""For AVX2: the table above says why."""
_TIMED_SHAPE = (128, 256, 512)
"""M, N and K of the product by which kernels with equal results are timed."""
_SLOWER = 1.1
"""How many times as long a kernel must take to lose to one with equal results that comes behind it."""


_TURNS, _PATIENCE_S = 6, 0.02
"""How often a kernel is timed, unless that has taken so long."""


class Int4Rows(NamedTuple):
    """Rows of activations up to which the int4 kernel is used."""

    alone: int
    """Where the weights are kept as int4 only: more are spread out."""
    beside_int8: int
    """Where they are kept as packed int8, too."""


_INT4_ROWS = {
    ("AVX512", 127): Int4Rows(16, 3),
    ("AVX512", 63): Int4Rows(32, 3),
    ("AVX2", 127): Int4Rows(16, 3),
    ("AVX2", 63): Int4Rows(32, 8),
    ("ARM", 127): Int4Rows(16, 3),
}
"""By the instructions that ATen was dispatched to, and the levels of activations that int8 products take: the rows up
to which the int4 kernel is the faster way. Without vectors it is not used at all."""


@dataclass(frozen=True)
class Int4Choice:
    """How int4 weights are kept, and when they are multiplied by as they are."""

    rows: Int4Rows
    layout: Int4Layout
    reason: str
    """Why the int4 kernel is not used; empty if it is."""


@cache
def int8_sums() -> Sums:
    """The kernel for int8 weights, which are prepared once and multiplied by many times."""
    packed = next((one for one in (_FULL, _HALVED) if fault(one) is None), None)
    if packed is None:
        return _quickest([PlainSums(_FULL.levels), FloatSums(_FULL.levels)])
    if packed == _HALVED and aten_capability() != "AVX512" and fault(_UNPACKED) is None:
        return _UNPACKED  # its results equal those of packed, so nothing but time depends on this
    return packed


@cache
def single_use_sums() -> Sums:
    """The kernel for weights that are spread out from int4 and used once; results equal those of `int8_sums`."""
    levels = int8_sums().levels
    packed = [one for one in (_FULL, _HALVED) if one.levels == levels]
    return _quickest([*packed, PlainSums(levels), FloatSums(levels)])


@cache
def device_sums(device: str) -> Sums:
    """The kernel for quantized weights that lie on a device such as `cuda:0`: the first that gives exact sums there."""
    candidates = (DeviceSums(_FULL.levels), FloatSums(_FULL.levels))
    return next((one for one in candidates if fault(one, device) is None), candidates[-1])


@cache
def int4_choice() -> Int4Choice:
    """How int4 weights are kept and multiplied by."""
    layout, capability = aten_layout(), aten_capability()
    if layout is None:
        return Int4Choice(Int4Rows(0, 0), OURS, "the order of its weights is not known")
    rows = _INT4_ROWS.get((capability, int8_sums().levels))
    if rows is None:
        return Int4Choice(Int4Rows(0, 0), layout, f"it has no vectors for {capability}")
    wrong = _int4_fault(layout)
    return Int4Choice(Int4Rows(0, 0) if wrong else rows, layout, wrong or "")


@cache
def attends_in_bfloat16(device: str = "cpu") -> bool:
    """Whether attention is faster so: it is with units for tiles (AMX), and takes two to four times as long without.

    On a GPU it is where that computes in bfloat16, and keys and values take half the memory; not measured.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - torch tells it nowhere else


def aten_capability() -> str:
    """Instructions that ATen's own kernels were dispatched to: AVX512, AVX2, DEFAULT and such, or ARM."""
    return "ARM" if platform.machine().lower() in ("aarch64", "arm64") else torch.backends.cpu.get_cpu_capability()


def kind() -> str:
    """The kind of processor, a block of the table above, as the products tell it."""
    sums = int8_sums()
    if not isinstance(sums, PackedSums):
        return "without packed products"
    if sums.levels == _FULL.levels:
        return "AMX" if attends_in_bfloat16() else "VNNI"
    return "AVX-512 without VNNI" if aten_capability() == "AVX512" else "AVX2 or less"


def choices() -> dict[str, Any]:
    """What was chosen here, and what each candidate was found to do."""
    int4, attention = int4_choice(), "bfloat16" if attends_in_bfloat16() else "float32"
    candidates = (_FULL, _HALVED, PlainSums(_FULL.levels), FloatSums(_FULL.levels), CompiledSums(_FULL.levels))
    return {
        "kind": kind(),
        "aten_capability": aten_capability(),
        "int8": int8_sums().name,
        "activation_levels": int8_sums().levels,
        "int4_spread_out": single_use_sums().name,
        "int4_rows": int4.rows._asdict(),
        "int4_layout": asdict(int4.layout),
        "attention_of_quantized_models": attention,
        "kernels": {one.name: fault(one) or "right" for one in candidates} | {"ATen's int4": int4.reason or "right"},
    }


def _quickest(candidates: Sequence[Sums]) -> Sums:
    """The first of the right ones that none behind it leaves behind, by weights that spreading out has made."""
    right = [one for one in candidates if fault(one) is None]
    taken = [_least_seconds(one) for one in right]
    return next(one for one, its in zip(right, taken, strict=True) if its <= _SLOWER * min(taken))


def _least_seconds(sums: Sums) -> float:
    """Of a few turns, since the first makes what is made once; a loop without vectors is known by that one.

    In this thread's own time, which other work on the processor changes less.
    """
    rows, outputs, width = _TIMED_SHAPE
    weights, factor = torch.ones(width, outputs, dtype=torch.int8, device="cpu").t(), torch.ones(outputs, device="cpu")
    taken: list[float] = []
    while len(taken) < _TURNS and sum(taken) < _PATIENCE_S:
        codes = torch.ones(rows, width, dtype=torch.int8, device="cpu")
        begun = time.thread_time()
        sums(codes, sums.prepare(weights), factor)
        taken.append(time.thread_time() - begun)
    return min(taken)


def _int4_fault(layout: Int4Layout) -> str | None:
    """What is wrong with the int4 kernel: held against sums that its bfloat16 and float32 hold exactly."""
    rows, width, group = layout.block * 2 if layout.block < OURS.block else OURS.block, 256, 128
    generator = torch.Generator(device="cpu").manual_seed(0)

    def random(low: int, high: int, *sizes: int) -> Tensor:
        return torch.randint(low, high + 1, sizes, generator=generator, device="cpu")

    values, grid = random(0, 15, rows, width), random(1, 17, width // group, rows, 2)
    spread = (values - 8) * grid[..., 0].t().repeat_interleave(group, 1) + grid[..., 1].t().repeat_interleave(group, 1)
    weight = layout.pack(values.to(torch.uint8))
    for count in (1, 3, 6):
        x = random(-127, 127, count, width).bfloat16()
        try:
            found = int4_product(x, weight, group, grid.bfloat16())
        except (RuntimeError, AttributeError, NotImplementedError) as error:
            return f"is not there: {str(error).splitlines()[0]}"
        if not torch.equal(found, (x.double() @ spread.double().t()).bfloat16()):
            return "gives wrong sums"
    return None


def int4_product(x: Tensor, weight: Tensor, group: int, grid: Tensor) -> Tensor:
    """ATen's int4 kernel.

    Shapes: (M, K) bfloat16, weight (N, K / 2) uint8 in its layout, grid (K / group, N, 2) bfloat16 → (M, N) bfloat16.
    """
    product: Callable[..., Tensor] = torch.ops.aten._weight_int4pack_mm_for_cpu  # noqa: SLF001 - torch's only door
    return product(x, weight, group, grid)
