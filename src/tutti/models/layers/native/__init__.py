"""What quantized layers do with activations, compiled (`products.c`), where there was a compiler at installation.

Without it everything works and gives the same, by a dozen of torch's kernels instead of one. It wants AVX2, or ARM's
NEON, and keeps away where ATen was told to use no vectors. `python hatch_build.py` builds it in place.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tutti.models.layers.native.forms import POINTER, declare

LIBRARY = Path(__file__).with_name("libproducts.so.1")
"""Of a name that no module of Python has, since it is none."""
MOST_WIDTH = 1 << 16
"""Columns up to which sums of 128 * 127 stay below 2^31."""
_OPENMP = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", "GOMP_barrier")


@cache
def library() -> ctypes.CDLL | None:
    """The compiled part, joined to torch's own threads; None if it is not there or not for this processor."""
    arm = platform.machine().lower() in ("aarch64", "arm64")
    if not arm and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None
    try:
        found = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    if not found.tutti_has_avx2():
        return None
    try:
        declare(found)
    except AttributeError:  # built from another source
        return None
    openmp = next((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"), None)
    if openmp is not None:
        runtime = ctypes.CDLL(str(openmp))
        found.tutti_use_openmp(*(ctypes.cast(getattr(runtime, name), POINTER) for name in _OPENMP))
    return found


def quantized_rows(x: Tensor, levels: int) -> tuple[Tensor, Tensor] | None:
    """As `kernels.quantize_rows`; None where the compiled part does not serve. What is not finite makes a row NaN."""
    found = library() if x.dtype == torch.float32 and x.device.type == "cpu" and 0 < levels < 128 else None
    if found is None:
        return None
    x = x.contiguous()
    codes, top = torch.empty(x.shape, dtype=torch.int8, device="cpu"), torch.empty(len(x), 1, device="cpu")
    found.tutti_codes(torch.get_num_threads(), levels, x.data_ptr(), *x.shape, codes.data_ptr(), top.data_ptr())
    return codes, top


def product(codes: Tensor, weight: Tensor, factor: Tensor) -> Tensor:
    """Sums of whole numbers by a factor for each row of weights.

    Shapes: codes (M, K) int8, none of them -128, weight (N, K) int8, factor (N,) float32 → (M, N) float32.

    Raises:
        RuntimeError: The compiled part is not there, sizes, types or places do not fit, or there is no memory.
    """
    found, (rows, width), count = library(), codes.shape, len(weight)
    if found is None:
        raise RuntimeError("the compiled part is not there")
    parts = ((codes, torch.int8), (weight, torch.int8), (factor, torch.float32))
    fits = weight.shape == (count, width) and factor.shape == (count,) and width <= MOST_WIDTH
    if not fits or any(one.dtype != kind or one.device.type != "cpu" for one, kind in parts):
        raise RuntimeError(f"{tuple(codes.shape)} codes, {tuple(weight.shape)} weights and their factors do not fit")
    codes, weight, factor = codes.contiguous(), weight.contiguous(), factor.contiguous()
    out = torch.empty(rows, count, device="cpu")
    failed = found.tutti_product(
        torch.get_num_threads(), codes.data_ptr(), rows, count, width, weight.data_ptr(), factor.data_ptr(),
        out.data_ptr(),
    )  # fmt: skip
    if failed:
        raise RuntimeError(f"there is no memory for ({rows}, {width}) codes")
    return out
