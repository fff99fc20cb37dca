"""How often quantized models say the same: the likeliest token where both are given the same text, and free answers.

    python -m benchmarks.agreement          # in this repository, with the tests' requirements

A family's checkpoint is the tiny random one of `tests/checkpoints/test_quantized_families.py`, written by the
reference. Answers are greedy, 64 tokens long, to conversations about random pictures; behind the first token that
differs an answer goes its own way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import commit, processor, versions
from tests.checkpoints.test_quantized_families import WRITERS, error, write
from tests.parity import tiny_whisper, written
from tutti import checkpoints
from tutti.engine.passes import run_passes

TOKENS = 64


def answers(loaded: checkpoints.Loaded, prompts: int) -> np.ndarray[Any, Any]:
    """Greedy answers, (prompts, 64)."""
    if loaded.info.family == "whisper":
        return np.stack([_written(loaded, seed) for seed in range(prompts)])
    asked = []
    for seed in range(prompts):
        pieces = [written.noise(60 + seed, 30 + 3 * seed, seed), written.TEXTS[seed % len(written.TEXTS)]]
        asked.append(written.prepared(loaded.processor, [("user", pieces)]))
    return np.array(written.greedy(loaded.model, asked, TOKENS))


def _written(loaded: checkpoints.Loaded, seed: int) -> np.ndarray[Any, Any]:
    sounds = tiny_whisper.noise(tiny_whisper.WINDOW_S, seed)
    features = torch.from_numpy(loaded.processor.features(sounds))[None, :, : 100 * tiny_whisper.WINDOW_S]
    ids = torch.tensor([[loaded.processor.tokens.start]])
    for _ in range(TOKENS):
        scores = loaded.model(input_features=features, decoder_input_ids=ids).logits[:, -1]
        ids = torch.cat((ids, scores.argmax(-1, keepdim=True)), dim=1)
    return ids[0, 1:].numpy()


@torch.inference_mode()
def measure(family: str, folder: Path, prompts: int) -> dict[str, Any]:
    """Both precisions of a family beside float32."""
    inputs = write(family, folder)
    plain = checkpoints.load(folder)
    wanted, said = plain.model(**inputs).logits, answers(plain, prompts)
    found: dict[str, Any] = {"family": family}
    for quantize in ("int8", "int4"):
        loaded = checkpoints.load(folder, quantize=quantize)
        run_passes(loaded.model)
        logits = loaded.model(**inputs).logits
        same = answers(loaded, prompts) == said
        found[quantize] = {
            "relative_error": round(error(logits, wanted), 3),
            "same_token_given_the_same_text": round((logits.argmax(-1) == wanted.argmax(-1)).float().mean().item(), 2),
            "same_token_of_free_answers": round(float(same.mean()), 2),
            "tokens_before_the_first_difference": float(np.median(same.cumprod(axis=1).sum(axis=1))),
            "answers_the_same_to_the_end": int(same.all(axis=1).sum()),
        }
    return found


def main() -> None:
    """Measure each family, print one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--family", choices=WRITERS, action="append")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        families = [measure(name, Path(scratch) / name, arguments.prompts) for name in arguments.family or WRITERS]
    machine = {"hardware": processor(), "versions": versions("torch", "transformers"), "commit": commit()}
    print(json.dumps({"prompts": arguments.prompts, "families": families, **machine}, indent=1))


if __name__ == "__main__":
    main()
