"""Guessed tokens: tokens a second with and without, in turns, on answers that repeat their prompt and on others.

    python benchmarks/drafting.py --folder QWEN                      # a published decoder, quantized as it is loaded
    python benchmarks/drafting.py --folder QWEN --quantize int4 --tokens 200
    python benchmarks/drafting.py --rows                             # what a row more takes, LLaVA's decoder

QWEN is what `gguf_files.py` reads. Greedy answers are compared; each kind of question is asked twice in each way, and
the lesser time counts. Time is this thread's own (one thread), behind the first token, which guesses do not change.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from machine import commit, processor, versions

HERE = Path(__file__)
RECEIPT = """GREEN VALLEY MARKET  12 Mill Road  Tel 0555 014 223
2026-11-21 17:42  till 3  cashier 117
Oat milk barista 1l      2 x 1.95     3.90
Wholemeal bread 750g     1 x 2.40     2.40
Tomatoes on the vine kg  0.640 x 3.20 2.05
Ground coffee 500g       1 x 6.75     6.75
Dish soap lemon          1 x 1.85     1.85
Bananas organic kg       1.120 x 1.99 2.23
Cheddar mature 300g      1 x 4.10     4.10
TOTAL EUR 23.28   CARD **** 4821   VAT 7% 1.22  VAT 19% 0.30"""
CODE = (HERE.parent / "machine.py").read_text(encoding="utf-8")
PAGE = (HERE.parents[1] / "docs/shapes.md").read_text(encoding="utf-8")[:1500]
QUESTIONS = {
    "receipt to JSON": f"Write this receipt as JSON with a list of items (name, amount, price).\n\n{RECEIPT}",
    "a function renamed": (
        f"Rename `processor` to `cpu_name` everywhere and give me the whole file.\n\n```python\n{CODE}\n```"
    ),
    "text marked up": f"Repeat this text word by word, with every line as an item of a list.\n\n{PAGE}",
    "a question on a text": f"What do the letters stand for? Answer from the text.\n\n{PAGE}",
    "an explanation": "Explain how quicksort works and when it is slow.",
    "a story": "Tell a short story about a lighthouse keeper who finds a letter.",
}


def answer(model: Any, question: str, tokens: int, guesses: int) -> tuple[list[int], float, float]:
    """Token ids, seconds behind the first, and the share of steps in tokens."""
    from tutti.content import SamplingOptions

    engine = model.provider.engine
    engine.drafting.most = guesses
    prompt = model.provider.processor.prompt([("user", [question])])
    request = engine.submit(prompt, SamplingOptions(max_tokens=tokens))
    while not request.events:
        engine.step()
    begun, steps = time.thread_time(), engine.steps
    while engine.step():
        pass
    return request.token_ids, time.thread_time() - begun, (engine.steps - steps) / max(1, len(request.token_ids) - 1)


def compare(folder: str, quantize: str, tokens: int) -> None:
    """Ask everything, print a row each."""
    import torch

    import tutti
    from tutti.engine.drafting import MOST_DRAFTED

    torch.set_num_threads(1)
    model = tutti.load(folder, quantize=quantize)
    for name, question in QUESTIONS.items():
        taken: dict[int, list[tuple[list[int], float, float]]] = {0: [], MOST_DRAFTED: []}
        drafting = model.provider.engine.drafting
        guessed, right = drafting.guessed, drafting.right
        for _ in range(2):
            for guesses, found in taken.items():
                found.append(answer(model, question, tokens, guesses))
        (ids, without, _), (same, with_, steps) = (min(found, key=lambda one: one[1]) for found in taken.values())
        count = max(1, len(ids) - 1)
        print(
            f"{name:22} {len(ids):4} tokens  {count / without:6.1f} → {count / with_:6.1f} tokens/s  "
            f"x {without / with_:.2f}  steps a token {steps:.2f}  "
            f"guessed {(drafting.guessed - guessed) // 2}, right {(drafting.right - right) // 2}  "
            f"{'the same answer' if ids == same else 'ANOTHER ANSWER'}",
            flush=True,
        )


def rows() -> None:
    """What a step of several tokens of one sequence takes beside one of one."""
    import numpy as np
    import torch
    from token_time import decoder

    from tutti.models.layers.attention import CacheRows

    torch.set_num_threads(1)
    for scheme in ("int8", "int4"):
        model = decoder(scheme)
        step, text = model.model.step, model.config
        assert step is not None, "the compiled part is not there"
        shape = (text.num_hidden_layers, text.num_key_value_heads, 512, text.head_dim)
        keys, values = list(torch.randn(shape)), list(torch.randn(shape))
        counts = [1, 2, 3, 5, 7, 9, 12]
        taken: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(24):
            for count in counts:
                place = torch.arange(256, 256 + count)
                cache = CacheRows(keys, values, place, [0] * count, [257 + i for i in range(count)])
                x = torch.randn(count, text.hidden_size)
                begun = time.thread_time()
                with torch.inference_mode():
                    model.logits(step(x, place, cache))
                taken[count].append(time.thread_time() - begun)
        ms = {count: float(np.quantile(times, 0.25)) * 1000 for count, times in taken.items()}
        told = ", ".join(f"{count}: {value:.2f} ms ({value / ms[1]:.2f})" for count, value in ms.items())
        print(f"{scheme}, rows of a step: {told}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="a checkpoint that answers")
    parser.add_argument("--quantize", default="int8", choices=["int8", "int4"])
    parser.add_argument("--tokens", type=int, default=160)
    parser.add_argument("--rows", action="store_true")
    arguments = parser.parse_args()
    print(processor(), "1 thread", versions("torch"), commit(), sep=", ")
    if arguments.rows:
        rows()
    if arguments.folder:
        compare(arguments.folder, arguments.quantize, arguments.tokens)


if __name__ == "__main__":
    main()
