"""Where the time of a token goes: products, attention, small kernels, and Python between them.

    python benchmarks/token_time.py                    # float32, int8 and int4, one thread
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=AVX2 python benchmarks/token_time.py   # as if with AVX2
    python benchmarks/token_time.py --without-compiled   # what the compiled part (`native/products.c`) changes

The decoder of `answering.py` (1024 wide, 12 layers, random weights, vocabulary 32,064) after a prompt of 240 tokens.
Milliseconds a token of this thread's own time, which other work on the processor disturbs less; operators as
`torch.profiler` tells them, without what they call; the rest is Python, and what is compiled, which it does not know.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from llava_shape import SHAPES
from machine import commit, processor, versions

from tutti.content import SamplingOptions
from tutti.engine import Engine
from tutti.engine.passes import run_passes
from tutti.models.layers import native
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM
from tutti.models.schemes import Policy
from tutti.processing.prompt import Prompt

PROMPT = 240
PRODUCTS = ("mm", "addmm", "qlinear", "int4pack", "_int_mm", "bmm")
ATTENTION = ("attention", "flash")


def decoder(scheme: str) -> LlamaForCausalLM:
    """Random weights; `float32`, `int8` or `int4`."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig.from_hf(SHAPES["small"][0])).eval().requires_grad_(False)
    if scheme != "float32":
        policy = Policy.parse(scheme)
        for name, layer in list(model.named_modules()):
            if isinstance(layer, torch.nn.Linear):
                kind = policy.scheme(name, layer.weight.shape, ("model.layers",), ("lm_head",))
                model.set_submodule(name, QuantizedLinear(quantize(layer.weight, kind or "int8")))
    run_passes(model, 1_000_000_000)
    return model


def group(operator: str) -> str:
    """What kind of work an operator does."""
    if any(word in operator for word in ATTENTION):
        return "attention"
    if any(word in operator for word in PRODUCTS):
        return "products"
    return "small kernels"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schemes", nargs="+", default=["float32", "int8", "int4"])
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--most", type=int, default=12, help="operators to name")
    parser.add_argument("--without-compiled", action="store_true")
    arguments = parser.parse_args()
    if arguments.without_compiled:
        native.LIBRARY = Path("none")
    torch.set_num_threads(1)
    print(processor(), "1 thread", versions("torch"), commit(), sep=", ")
    for scheme in arguments.schemes:
        engine = Engine(decoder(scheme), eos_ids=(), detokenize=lambda _: "")
        ids = np.random.default_rng(0).integers(0, 32000, PROMPT)
        engine.submit(Prompt(ids), SamplingOptions(max_tokens=2 * arguments.tokens + 8))
        for _ in range(4):
            engine.step()
        times = []
        for _ in range(arguments.tokens):
            begun = time.thread_time()
            engine.step()
            times.append((time.thread_time() - begun) * 1000)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(arguments.tokens):
                engine.step()
        groups, calls = Counter[str](), Counter[str]()
        events = sorted(profile.key_averages(), key=lambda event: -event.self_cpu_time_total)
        for event in events:
            groups[group(event.key)] += event.self_cpu_time_total / arguments.tokens / 1000
            calls[group(event.key)] += event.count / arguments.tokens
        whole = statistics.median(times)
        print(f"\n{scheme}: {whole:.1f} ms a token")
        for name, ms in groups.most_common():
            print(f"  {name:16} {ms:6.2f} ms {calls[name]:6.0f} operators")
        print(f"  {'Python, compiled':16} {whole - sum(groups.values()):6.2f} ms (below zero: the profiler's own time)")
        for event in events[: arguments.most]:
            ms, count = event.self_cpu_time_total / arguments.tokens / 1000, event.count / arguments.tokens
            print(f"    {event.key[:44]:44} {ms:6.2f} ms {count:6.0f}")


if __name__ == "__main__":
    main()
