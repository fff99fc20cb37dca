"""Word errors of Whisper before and after `tutti tune` on some recordings of one domain.

    OMP_NUM_THREADS=1 python -m benchmarks.speech_tuning --data PACKS --work WORK [--pack speech_intents]

The pack's held-out recordings are not learned from; its transcripts are of spoken coffee orders, built from the slots
that were spoken, so that fillers of the speakers count as errors before and after. Word errors by jiwer after the
normal form of `tutti evaluate`; intervals by recordings.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import jiwer
import numpy as np
import torch

import tutti
from benchmarks.machine import commit, processor, versions
from benchmarks.tuning import run
from recipes.tutti_mini.packs import HOLD_OUT
from tutti.evaluate.language import normalized
from tutti.evaluate.statistics import compare
from tutti.media.text_files import read_lines
from tutti.training.packs import PackReader


def recordings(data: Path, pack: str, folder: Path, learned: int, asked: int) -> list[dict[str, str]]:
    """Write what is learned as a table, and all recordings beside it; the rows that are asked."""
    reader = PackReader(data / pack)
    rng = np.random.default_rng(0)
    rows = [reader.rows[int(place)] for place in rng.permutation(len(reader.rows))]
    held = [row for row in rows if HOLD_OUT[pack](row)][:asked]
    train = [row for row in rows if not HOLD_OUT[pack](row)][:learned]
    folder.mkdir(parents=True, exist_ok=True)
    for row in [*train, *held]:
        (folder / Path(row["file"]).name).write_bytes(reader.content(row["file"]))
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["audio", "text"])
        table.writerows([Path(row["file"]).name, row["text"][0]] for row in train)
    return [{"file": str(folder / Path(row["file"]).name), "text": row["text"][0]} for row in held]


def errors(model: tutti.Model, rows: list[dict[str, str]], file: Path) -> list[tuple[int, int]]:
    """Wrong words and words of each recording; those in the file are not written down again."""
    found = [json.loads(line) for _, line in read_lines(file)] if file.exists() else []
    with file.open("a") as out:
        for row in rows[len(found) :]:
            found.append({**row, "said": model.transcribe(tutti.Audio(row["file"]), language="en").text})
            out.write(json.dumps(found[-1]) + "\n")
            out.flush()
    counted = []
    for row in found:
        one = jiwer.process_words(normalized(row["text"]), normalized(row["said"]) or "∅")
        counted.append(
            (one.substitutions + one.deletions + one.insertions, one.hits + one.substitutions + one.deletions)
        )
    return counted


def main() -> None:
    """Write down, tune, write down again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pack", default="speech_intents")
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--learned", type=int, default=80)
    parser.add_argument("--asked", type=int, default=40)
    parser.add_argument("--epochs", default="3")
    parser.add_argument("--rate", default="5e-4")
    arguments = parser.parse_args()
    work: Path = arguments.work
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch')}, commit {commit()}", flush=True)
    rows = recordings(arguments.data, arguments.pack, work / "speech", arguments.learned, arguments.asked)
    before = errors(tutti.load(arguments.model), rows, work / "before.jsonl")
    begun = time.process_time()
    if not (work / "run/adapter").exists():
        run(["tune", arguments.model, "--data", work / "speech/table.csv", "--out", work / "run", "--held-out", 0,
             "--language", "en", "--epochs", arguments.epochs, "--rate", arguments.rate])  # fmt: skip
        print(f"tuned in {(time.process_time() - begun) / 60:.1f} processor minutes", flush=True)
    after = errors(tutti.load(arguments.model, adapter=work / "run"), rows, work / "after.jsonl")
    words = sum(count for _, count in before)
    each = [[100 * wrong * len(some) / words for wrong, _ in some] for some in (after, before)]
    change = compare(*each, [row["file"] for row in rows]).difference
    first, second = (sum(wrong for wrong, _ in some) / words for some in (before, after))
    print(f"{len(rows)} recordings, {words} words: word errors {100 * first:.1f} % before, {100 * second:.1f} % after "
          f"({change.low:+.1f} to {change.high:+.1f} points)")  # fmt: skip


if __name__ == "__main__":
    main()
