"""A decoding token attends to 240 tokens with 16 heads of 64: by the layout of the cache and its precision.

And so do the 240 tokens of a prompt to one another, conversion from float32 and back included.

    python benchmarks/attending.py             # one thread
    python benchmarks/attending.py --threads 2

Twelve layers and sixteen sequences take turns, so that none is found in the processor's cache. Milliseconds, medians;
with one thread of processor time, which other work on the core disturbs less.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from machine import commit, processor, versions

HEADS, WIDTH, CONTEXT, SLOTS, LAYERS, SEQUENCES = 16, 64, 240, 5456, 12, 16


def median_ms(heads_first: bool, dtype: torch.dtype) -> float:
    """One token, one layer, after every layer and sequence had its turn once."""
    shape = (HEADS, SLOTS, WIDTH) if heads_first else (SLOTS, HEADS, WIDTH)
    caches = [[torch.randn(shape).to(dtype) for _ in "kv"] for _ in range(LAYERS)]
    query = torch.randn(1, HEADS, 1, WIDTH).to(dtype)
    times = []
    for sequence in range(2 * SEQUENCES):
        start = sequence % SEQUENCES * 320
        for pair in caches:
            begun = clock()
            kv = pair if heads_first else [one.transpose(0, 1) for one in pair]
            F.scaled_dot_product_attention(query, *(one[None, :, start : start + CONTEXT] for one in kv))
            times.append((clock() - begun) * 1000)
    return statistics.median(times[len(times) // 2 :])


def prompt_ms(dtype: torch.dtype) -> float:
    """All tokens of a prompt, one layer."""
    prompt = torch.randn(3, 1, HEADS, CONTEXT, WIDTH)
    times = []
    for _ in range(40):
        begun = clock()
        F.scaled_dot_product_attention(*prompt.to(dtype), is_causal=True).float()
        times.append((clock() - begun) * 1000)
    return statistics.median(times[10:])


def clock() -> float:
    """Seconds, since some time."""
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()


def main() -> None:
    """Measure and print a line for each layout and precision, the layouts in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(processor(), f"{arguments.threads} threads", versions("torch"), commit(), sep=", ")
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            for name in ("(slots, K, E)", "(K, slots, E)") * 3:
                print(dtype, name, f"{median_ms(name.startswith('(K'), dtype):.3f}", flush=True)
            print(dtype, "prompt", *(f"{prompt_ms(dtype):.2f}" for _ in range(3)), flush=True)


if __name__ == "__main__":
    main()
