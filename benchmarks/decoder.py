"""A LLaMA-shaped decoder of random weights: our engine beside `transformers`' generate, same weights, same run.

    python benchmarks/decoder.py            # about 200 M parameters
    python benchmarks/decoder.py --write    # and append the row to benchmarks/RESULTS.md

Both answer the same prompts greedily in float32, in turns, so that what else the machine does meets both. A ratio above
one means that the engine is faster.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from machine import commit, processor, versions

from tutti.content import SamplingOptions
from tutti.engine import Engine
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM
from tutti.processing.prompt import Prompt

RESULTS = Path(__file__).parent / "RESULTS.md"
HEADING = "## A random LLaMA-shaped decoder, beside transformers"


@dataclass(frozen=True)
class Measured:
    """One answer."""

    first_ms: float
    token_ms: float
    tokens: list[int]


def of_engine(engine: Engine, ids: np.ndarray, tokens: int) -> Measured:
    begun = time.perf_counter()
    events = engine.stream(request := engine.submit(Prompt(ids), SamplingOptions(max_tokens=tokens)))
    next(events)
    first = time.perf_counter()
    for _ in events:
        pass
    end = time.perf_counter()
    return Measured((first - begun) * 1000, (end - first) * 1000 / (tokens - 1), request.token_ids)


class Clock(transformers.generation.streamers.BaseStreamer):
    """Notes when `generate` hands over each token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing to flush."""


def of_transformers(model: transformers.LlamaForCausalLM, ids: np.ndarray, tokens: int) -> Measured:
    row = torch.from_numpy(ids)[None]
    clock = Clock()
    begun = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            row,
            attention_mask=torch.ones_like(row),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
            streamer=clock,
        )
    end = time.perf_counter()
    first = clock.times[1]  # the one before hands over the prompt
    return Measured((first - begun) * 1000, (end - first) * 1000 / (tokens - 1), out[0, len(ids) :].tolist())


def pair(arguments: argparse.Namespace) -> tuple[Engine, transformers.LlamaForCausalLM, LlamaConfig]:
    """The same random weights in both."""
    torch.manual_seed(0)
    hf_config = transformers.LlamaConfig(
        vocab_size=arguments.vocabulary,
        hidden_size=arguments.width,
        intermediate_size=arguments.width * 11 // 4,
        num_hidden_layers=arguments.layers,
        num_attention_heads=max(1, arguments.width // 64),
        num_key_value_heads=max(1, arguments.width // 64),
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = transformers.LlamaForCausalLM(hf_config).eval()
    config = LlamaConfig.from_hf(hf_config.to_dict())
    with torch.device("meta"):
        ours = LlamaForCausalLM(config).eval()
    ours.load_state_dict(theirs.state_dict(), assign=True)
    return Engine(ours, eos_ids=(), detokenize=lambda _: ""), theirs, config


def measure(arguments: argparse.Namespace) -> dict[str, str]:
    """Run both in turns; a row of results."""
    engine, theirs, config = pair(arguments)
    rng = np.random.default_rng(0)
    ours, others = [], []
    for turn in range(arguments.repeats + 1):
        # A new prompt each time: the engine would find an old one in its cache.
        ids = rng.integers(0, arguments.vocabulary, arguments.prompt)
        one = of_engine(engine, ids, arguments.tokens)
        other = of_transformers(theirs, ids, arguments.tokens)
        if one.tokens != other.tokens:
            raise SystemExit("The two gave different answers; their speeds mean nothing.")
        if turn:  # the first is the warm-up
            ours.append(one)
            others.append(other)

    def row(name: str) -> str:
        a, b = (statistics.median(getattr(one, name) for one in side) for side in (ours, others))
        return f"{a:.1f} ms, transformers {b:.1f} ms: ratio {b / a:.2f}"

    size = f"{config.parameters() / 1e6:.0f} M, {config.hidden_size} wide, {config.num_hidden_layers} layers, float32"
    return {
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        "commit": commit(),
        "hardware": f"{processor()}, {torch.get_num_threads()} threads",
        "versions": versions("torch", "transformers"),
        "decoder": size,
        "prompt + answer": f"{arguments.prompt} + {arguments.tokens} tokens, median of {arguments.repeats}",
        "first token": row("first_ms"),
        "per token": row("token_ms"),
    }


def write(result: dict[str, str], file: Path = RESULTS) -> None:
    """Append a row to the results, with the table's head if it is the first."""
    text = file.read_text(encoding="utf-8") if file.exists() else "# Results\n"
    row = "| " + " | ".join(result.values()) + " |\n"
    if HEADING not in text:
        head = f"| {' | '.join(result)} |\n|{' --- |' * len(result)}\n"
        text = f"{text.rstrip()}\n\n{HEADING}\n\n{head}"
    before, _, after = text.partition(HEADING)
    table, *others = after.split("\n## ")
    sections = "".join(f"\n## {other}" for other in others)
    file.write_text(f"{before}{HEADING}{table.rstrip()}\n{row}{sections}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=1024, help="D, in steps of 64")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--prompt", type=int, default=256, help="tokens of the prompt")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of the answer")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="append the row to benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    result = measure(arguments)
    for name, value in result.items():
        print(f"{name:>16}  {value}")
    if arguments.write:
        write(result)


if __name__ == "__main__":
    main()
