"""Products with quantized weights by the number of rows: the table in `src/tutti/models/layers/dispatch.py`.

    python benchmarks/kernels.py             # one thread
    python benchmarks/kernels.py --threads 2
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=AVX2 python benchmarks/kernels.py   # as if with AVX2 only

The last one runs the code of another processor at the speed and with the memory of this one: only ratios mean much.
Several matrices take turns, so that none is found in the processor's cache. Milliseconds, medians; with one thread of
processor time, which other work on the core disturbs less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from machine import commit, processor, versions

from tutti.models.layers.codes import quantize
from tutti.models.layers.dispatch import choices, int4_choice, int4_product, int8_sums, single_use_sums
from tutti.models.layers.kernels import Int4Kernel, make_kernel
from tutti.models.schemes import group_size

ROWS, WIDTH, MATRICES = 8192, 2048, 6
MOST_INT4_ROWS = 64


def median_ms(product: Callable[[int], object], repeats: int) -> float:
    """Of products with matrices in turn, after one round of warming up."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    times = []
    for turn in range(repeats + MATRICES):
        begun = clock()
        product(turn % MATRICES)
        times.append((clock() - begun) * 1000)
    return statistics.median(times[MATRICES:])


def main() -> None:
    """Measure and print a row for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16, 32, 256])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(processor(), f"{arguments.threads} threads", versions("torch"), commit(), sep=", ")
    print(json.dumps(choices()))
    weights = [torch.randn(ROWS, WIDTH) * 0.02 for _ in range(MATRICES)]
    narrow = [weight.bfloat16() for weight in weights]
    int8 = [make_kernel(quantize(weight, "int8")) for weight in weights]
    int4 = [Int4Kernel(quantize(weight, "int4")) for weight in weights]
    for rows in arguments.rows:
        x = torch.randn(rows, WIDTH)
        ways: dict[str, Callable[[int], object]] = {
            "float32": lambda i, x=x: torch.nn.functional.linear(x, weights[i]),
            "bfloat16": lambda i, x=x: torch.nn.functional.linear(x.bfloat16(), narrow[i]).float(),
            "int8": lambda i, x=x: int8[i](x),
            "int4": lambda i, x=x: by_int4(int4[i], x),
            "int4 spread out": lambda i, x=x: int4[i]._spread_product(x),  # noqa: SLF001
        }
        if int4_choice().reason or rows > MOST_INT4_ROWS:
            del ways["int4"]
        with torch.inference_mode():
            times = {name: median_ms(way, 12 if rows < 64 else 6) for name, way in ways.items()}
        print(f"M = {rows:>3}  " + "  ".join(f"{name} {ms:.2f}" for name, ms in times.items()), flush=True)
    print("int8:", int8_sums().name, "- spread out:", single_use_sums().name)


def by_int4(kernel: Int4Kernel, x: torch.Tensor) -> torch.Tensor:
    """The int4 kernel, whatever the number of rows for which it is used."""
    return int4_product(x.bfloat16(), kernel.weight, group_size(kernel.width), kernel.grid).float()


if __name__ == "__main__":
    main()
