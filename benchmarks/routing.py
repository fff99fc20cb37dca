"""Generalist, specialist and router on four tasks at once: `tutti specialise` on held-out rows of the packs.

    OMP_NUM_THREADS=1 python -m benchmarks.routing --data PACKS --work WORK [--cases N] [--seed N]

Two tasks are far from what tutti-mini was taught (hand signs, chest x-rays), and two are what it was taught (things in
photographs, flowers); none of the pictures was learned from. Half of the cases of each label are for the specialist, a
quarter chooses the operating point, a quarter is reported.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import commit, processor, versions
from benchmarks.tuning import run
from tutti.training.packs import PackReader

TASKS = {
    "Which number does the hand show?": ("hand_digits", "a hand showing the number {}", ()),
    "What does the x-ray show?": ("cxr", "a chest x-ray with {}", ()),
    "Which thing is in the photograph?": ("cifar10_test", "a photo of a {}", ("cat", "horse", "ship", "truck", "frog")),
    "Which flower is it?": ("photos_flowers", "a photo of a {}", ()),
}


def suite(data: Path, folder: Path, cases: int, seed: int) -> Path:
    """Write pictures and cases, as many of each label as there are, at most `cases` a task."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for question, (pack, form, only) in TASKS.items():
        reader = PackReader(data / pack)
        by_label: dict[str, list[str]] = defaultdict(list)
        for row in reader.rows:
            if row["split"] != "train" and (not only or row["label"] in only):
                by_label[row["label"]].append(row["file"])
        rng = np.random.default_rng((seed, len(lines)))
        for label, files in sorted(by_label.items()):
            for place in rng.permutation(len(files))[: cases // len(by_label)]:
                name = f"{pack}-{files[place].replace('/', '-')}"
                (folder / name).write_bytes(reader.content(files[place]))
                lines.append({"media": [name], "question": question, "expected": [form.format(label)]})
    (folder / "suite.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "suite.jsonl"


def main() -> None:
    """Write the suite, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=340)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch')}, commit {commit()}", flush=True)
    file = suite(arguments.data, arguments.work / "routing", arguments.cases, arguments.seed)
    print(run(["specialise", file, "--out", arguments.work / "router", "--seed", arguments.seed]))


if __name__ == "__main__":
    main()
