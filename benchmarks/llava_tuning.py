"""A LLaVA-1.5-7B shape tuned by `tutti tune` on int4 weights: seconds a step and memory at its peak; for one GPU.

    python -m benchmarks.llava_tuning --work WORK                             # 50 steps on the first GPU, <= 10 minutes
    python -m benchmarks.llava_tuning --work WORK --shape small --device cpu --steps 3    # proves the script itself

Weights are random, so no answer means anything; sixteen drawn pictures, each with a question, four rows a step, blocks
computed again in the backward pass, an adapter of rank 16 beside all linear layers of the decoder. Goal: 24 GB.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import llava_shape
from benchmarks.machine import commit, processor, versions
from benchmarks.tuning import run
from tutti.media.text_files import read_lines

PICTURES, SIDE = 16, 336


def table(folder: Path) -> Path:
    """Pictures of noise with what they are called."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "answer"])
        for number in range(PICTURES):
            pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
            rows.writerow([f"{number}.png", f"a pattern of the kind {number}"])
    return folder / "table.csv"


def main() -> None:
    """Write, tune, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--shape", choices=tuple(llava_shape.SHAPES), default="7b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--quantize", default="int4")
    arguments = parser.parse_args()
    work: Path = arguments.work
    where = torch.cuda.get_device_name() if arguments.device.startswith("cuda") else processor()
    print(f"{where}, {versions('torch')}, commit {commit()}", flush=True)
    if not (work / "model/config.json").exists():
        llava_shape.write(work / "model", arguments.shape)
    begun = time.perf_counter()
    run(["tune", work / "model", "--data", table(work / "data"), "--out", work / f"run-{time.time_ns()}", "--quantize",
         arguments.quantize, "--device", arguments.device, "--steps", arguments.steps, "--batch", 4, "--held-out", 0,
         "--gradient-checkpointing"])  # fmt: skip
    newest = max(work.glob("run-*"), key=lambda folder: folder.stat().st_mtime_ns)
    rows = [json.loads(line) for _, line in read_lines(newest / "metrics.jsonl")]
    rates = [row["steps_per_s"] for row in rows if row.get("steps_per_s")]
    cuda = arguments.device.startswith("cuda")
    peak = torch.cuda.max_memory_allocated() if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = f"{1 / float(np.median(rates)):.2f} s a step" if rates else "no rate was logged"
    minutes = (time.perf_counter() - begun) / 60
    print(f"{arguments.shape}, {arguments.quantize}: {arguments.steps} steps, {told}, {peak / 2**30:.1f} GiB at most")
    print(f"{minutes:.1f} min in all")


if __name__ == "__main__":
    main()
