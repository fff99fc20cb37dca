"""What serving several adapters together costs: tokens a second of three beside those of one, of the same requests.

    OMP_NUM_THREADS=1 python -m benchmarks.adapters_together [--width D] [--blocks N] [--schemes float32,int8,int4]

A LLaMA of random weights, twelve requests of 32 tokens each that all run at once, and adapters of rank 16 beside all
linear layers of its blocks. All requests through no adapter, through one, and four through each of three; in turns,
within one process, so that the ratio of processor time is what counts. "Torch" is without the compiled step, as on
processors that have none. Each answer is also compared with the one that its adapter gives alone.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.machine import commit, processor, versions
from tutti.content import SamplingOptions
from tutti.engine import Engine
from tutti.engine.passes import run_passes
from tutti.models.layers.adapted import NO_ADAPTER, AdaptedLinear, AdapterRows, LowRank
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM

REQUESTS, PROMPT, TOKENS, RANK, ADAPTERS = 12, 32, 32, 16, 3
ARMS = {
    "none": [NO_ADAPTER] * REQUESTS,
    "one": [0] * REQUESTS,
    "three": [number % ADAPTERS for number in range(REQUESTS)],
}


@dataclass(frozen=True)
class Words:
    """A prompt without media."""

    input_ids: Any
    media = starts = views = ()


def made(arguments: argparse.Namespace, scheme: str, compiled: bool) -> LlamaForCausalLM:
    """The model with its adapters."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192, hidden_size=arguments.width, intermediate_size=3 * arguments.width,
        num_hidden_layers=arguments.blocks, num_attention_heads=arguments.width // 64,
        num_key_value_heads=arguments.width // 128, head_dim=64, max_position_embeddings=1024,
    )  # fmt: skip
    model, rows = LlamaForCausalLM(config).eval().requires_grad_(False), AdapterRows()
    for name, layer in list(model.model.layers.named_modules()):
        if isinstance(layer, nn.Linear):
            n, k = layer.weight.shape
            base = layer if scheme == "float32" else QuantizedLinear(quantize(layer.weight, scheme))  # type: ignore[arg-type]
            changes = [LowRank(torch.randn(RANK, k) / k**0.5, torch.randn(n, RANK) / 20) for _ in range(ADAPTERS)]
            model.model.layers.set_submodule(name, AdaptedLinear(base, changes, rows))
    if compiled:
        run_passes(model)
        if model.model.step is None:
            raise SystemExit("there is no compiled step here")
    return model


def asked(engine: Engine, numbers: list[int]) -> tuple[float, float, list[list[int]]]:
    """Processor seconds of reading all prompts, of all that comes after, and the answers."""
    rng = np.random.default_rng(0)
    prompts = [Words(rng.integers(0, 8192, PROMPT)) for _ in numbers]
    begun = time.process_time()
    tenant = f"{begun}"  # so that no prompt is found in the cache
    requests = [
        engine.submit(prompt, SamplingOptions(max_tokens=TOKENS), tenant, adapter=number)
        for prompt, number in zip(prompts, numbers, strict=True)
    ]
    while any(len(request.sequence.tokens) == PROMPT for request in requests):
        engine.step()
    read = time.process_time()
    while engine.step():
        pass
    return read - begun, time.process_time() - read, [request.token_ids for request in requests]


def main() -> None:
    """Take turns, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--schemes", default="float32,int8,int4")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch')}, commit {commit()}", flush=True)
    print(
        f"{REQUESTS} requests of {PROMPT} + {TOKENS} tokens, {arguments.blocks} blocks of {arguments.width}, "
        f"adapters of rank {RANK}"
    )
    print("| | none, tokens/s | one adapter | three | three of one: tokens | prompts and tokens | answers as alone |")
    print("| --- " + "| ---: " * 6 + "|")
    for scheme in arguments.schemes.split(","):
        for compiled in (True, False):
            report(arguments, scheme, compiled)


def report(arguments: argparse.Namespace, scheme: str, compiled: bool) -> None:
    """A row of the table."""
    engine = Engine(made(arguments, scheme, compiled), eos_ids=(), detokenize=lambda _: "")
    asked(engine, ARMS["three"])
    taken: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    said: dict[str, list[list[int]]] = {}
    for _ in range(arguments.turns):
        for arm, numbers in ARMS.items():
            read, rest, said[arm] = asked(engine, numbers)
            taken[arm].append((read, rest))
    alone = {number: asked(engine, [number] * REQUESTS)[2] for number in range(ADAPTERS)}
    same = sum(said["three"][place] == alone[number][place] for place, number in enumerate(ARMS["three"]))
    steps = REQUESTS * (TOKENS - 1)
    rates = [f"{steps / float(np.median([rest for _, rest in taken[arm]])):.0f}" for arm in ARMS]
    later = [one[1] / three[1] for one, three in zip(taken["one"], taken["three"], strict=True)]
    whole = [sum(one) / sum(three) for one, three in zip(taken["one"], taken["three"], strict=True)]
    name = f"{scheme}, {'compiled step' if compiled else 'torch'}"
    print(
        f"| {name} | {' | '.join(rates)} | {np.median(later):.3f} ({min(later):.2f} to {max(later):.2f}) | "
        f"{np.median(whole):.3f} | {same} of {REQUESTS} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
