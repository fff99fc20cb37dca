"""Products with quantized weights by the number of rows: the table in `src/tutti/models/layers/kernels.py`.

    python benchmarks/kernels.py             # one thread
    python benchmarks/kernels.py --threads 2

Several matrices take turns, so that none is found in the processor's cache. Milliseconds, medians; with one thread of
processor time, which other work on the core disturbs less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from machine import commit, processor, versions

from tutti.models.layers.codes import quantize
from tutti.models.layers.kernels import make_kernel, quantize_rows

ROWS, WIDTH, MATRICES = 8192, 2048, 6


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
    weights = [torch.randn(ROWS, WIDTH) * 0.02 for _ in range(MATRICES)]
    narrow = [weight.bfloat16() for weight in weights]
    int8 = [quantize(weight, "int8") for weight in weights]
    kernels = {"int8": [make_kernel(one) for one in int8], "int4": [make_kernel(quantize(w, "int4")) for w in weights]}
    for rows in arguments.rows:
        x = torch.randn(rows, WIDTH)
        codes, _ = quantize_rows(x)
        ways: dict[str, Callable[[int], object]] = {
            "float32": lambda i, x=x: torch.nn.functional.linear(x, weights[i]),
            "bfloat16": lambda i, x=x: torch.nn.functional.linear(x.bfloat16(), narrow[i]).float(),
            "int8": lambda i, x=x: kernels["int8"][i](x),
            "_int_mm alone": lambda i, c=codes: torch._int_mm(c, int8[i].values.t()),  # noqa: SLF001
            "int4": lambda i, x=x: kernels["int4"][i](x),
        }
        with torch.inference_mode():
            times = {name: median_ms(way, 12 if rows < 64 else 6) for name, way in ways.items()}
        print(f"M = {rows:>3}  " + "  ".join(f"{name} {ms:.2f}" for name, ms in times.items()), flush=True)


if __name__ == "__main__":
    main()
