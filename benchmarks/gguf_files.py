"""A GGUF file read by Tutti, by `transformers` and by llama.cpp, in one run: perplexity, greedy words, tokens a second.

    python -m recipes.weights qwen-coder --into published
    tutti convert published/qwen-coder/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --into qwen
    python -m venv peers && peers/bin/pip install xllamacpp
    python benchmarks/gguf_files.py published/qwen-coder/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --folder qwen \
        --peers peers/bin/python

Perplexity is that of the first tokens of this repository's architecture page and of this file, given whole; the
reference is `transformers`, which multiplies the same file out by itself (`gguf_file=…`) in float32. Greedy words are
compared by the number of tokens up to the first that differs: llama.cpp computes with the quantized values and rounds
what it multiplies them with to eight bits, so that near ties fall either way. Speed is of one request, on one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PROMPTS = (
    "def reverse(text):",
    "The capital of France is",
    "# How to read a file line by line in Python\n",
    "SELECT name FROM users WHERE",
    "for (int i = 0; i < n; i++) {",
    "The three primary colours are",
)
HERE = Path(__file__)
TEXTS = (HERE.parent.parent / "docs/architecture.md", HERE)
LLAMA_CPP = """
import json, sys, time
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.n_gpu_layers = sys.argv[1], 2048, 1, 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.verbosity = 0
server = xllamacpp.Server(params)
def ask(prompt, tokens):
    body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "cache_prompt": False, "return_tokens": True}
    return server.handle_completions(body)
ask("warm", 4)
answers = []
for prompt in json.loads(sys.argv[2]):
    given = ask(prompt, int(sys.argv[3]))
    answers.append([given["choices"][0]["text"], given["timings"]["predicted_per_second"]])
print("ANSWERS" + json.dumps(answers))
"""


def tokens_of(model: Any, most: int) -> list[list[int]]:
    """The first tokens of each text."""
    tokenizer = model.provider.processor.tokenizer
    return [tokenizer.encode(text.read_text(encoding="utf-8"))[:most] for text in TEXTS]


def perplexity(logits_of: Any, rows: list[list[int]]) -> float:
    """The exponential of the mean negative logarithm of each token's probability, but the first."""
    import torch

    losses = []
    for row in rows:
        ids = torch.tensor([row])
        with torch.inference_mode():
            logits = logits_of(ids)[0, :-1].double().log_softmax(-1)
        losses += (-logits[torch.arange(len(row) - 1), ids[0, 1:]]).tolist()
    return math.exp(sum(losses) / len(losses))


def greedy(model: Any, tokens: int) -> tuple[list[str], float]:
    """Continuations of the prompts as they stand, and tokens a second behind the first."""
    from tutti.content import SamplingOptions
    from tutti.processing.prompt import Prompt

    provider, texts, rates = model.provider, [], []
    for prompt in ("warm", *PROMPTS):
        ids = np.array(provider.processor.tokenizer.encode(prompt), np.int64)
        request = provider.engine.submit(Prompt(ids), SamplingOptions(max_tokens=tokens))
        times = [time.perf_counter() for _ in provider.engine.stream(request)]
        texts.append(request.text)
        if len(times) > 2:
            rates.append((len(times) - 1) / (times[-1] - times[0]))
    return texts[1:], float(np.median(rates[1:]))


def agreed(model: Any, ours: list[str], theirs: list[str]) -> list[tuple[int, int]]:
    """Of each pair of texts, tokens that are alike from the beginning, and tokens in all."""
    encode = model.provider.processor.tokenizer.encode
    found = []
    for one, other in zip(ours, theirs, strict=True):
        a, b = encode(one), encode(other)
        alike = next(
            (place for place, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), min(len(a), len(b))
        )
        found.append((alike, min(len(a), len(b))))
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--folder", required=True, help="what tutti convert made of it")
    parser.add_argument("--peers", help="a Python with xllamacpp")
    parser.add_argument("--tokens", type=int, default=32, help="of each greedy answer")
    parser.add_argument("--read", type=int, default=512, help="tokens of each text whose perplexity is taken")
    parser.add_argument("--quantize", nargs="+", default=["none", "int8"])
    parser.add_argument("--no-reference", action="store_true", help="leave transformers out")
    arguments = parser.parse_args()

    import torch

    import tutti

    torch.set_num_threads(1)
    report: dict[str, Any] = {"file": arguments.file.name, "torch": torch.__version__}
    theirs: list[str] | None = None
    if arguments.peers:
        command = [arguments.peers, "-c", LLAMA_CPP, str(arguments.file), json.dumps(PROMPTS), str(arguments.tokens)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        answers = json.loads(said.rpartition("ANSWERS")[2])
        theirs = [text for text, _ in answers]
        report["llama.cpp"] = {"tokens_a_second": round(float(np.median([rate for _, rate in answers])), 2)}
    for quantize in arguments.quantize:
        model = tutti.load(arguments.folder, quantize=None if quantize == "none" else quantize)
        rows = tokens_of(model, arguments.read)
        texts, rate = greedy(model, arguments.tokens)
        figures: dict[str, Any] = {"tokens_a_second": round(rate, 2)}
        figures["perplexity"] = round(perplexity(lambda ids, model=model: model.provider.model(ids).logits, rows), 4)
        if theirs is not None:
            pairs = agreed(model, texts, theirs)
            figures["tokens_as_llama.cpp"] = f"{sum(a for a, _ in pairs)} of {sum(b for _, b in pairs)}"
            figures["answers_as_llama.cpp"] = f"{sum(a == b for a, b in pairs)} of {len(pairs)}"
            figures["speed_beside_llama.cpp"] = round(rate / report["llama.cpp"]["tokens_a_second"], 2)
        report[f"tutti {quantize}"] = figures
        print(f"tutti {quantize}: {figures}", file=sys.stderr, flush=True)
        del model
    if not arguments.no_reference:
        from transformers import AutoModelForCausalLM

        reference = AutoModelForCausalLM.from_pretrained(
            arguments.file.parent, gguf_file=arguments.file.name, dtype=torch.float32
        )
        report["transformers"] = {"perplexity": round(perplexity(lambda ids: reference(ids).logits, rows), 4)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
