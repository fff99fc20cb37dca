"""What tuning brings on data of another domain, and what it costs elsewhere: tutti-mini on 200 stamps of Tux Paint.

    apt-get download tuxpaint-stamps-default && dpkg-deb -x tuxpaint-stamps-default_*.deb STAMPS
    python -m benchmarks.tuning --stamps STAMPS --work WORK [--data PACKS] [--epochs N] [--rank R] [--rate R]

The stamps (GPL-2, Bill Kendrick and others; looked at, not shipped) are clip art and cut-out photographs in folders by
what they show. The task is to say the folder's word. Drawings whose names differ only in numbers or sides are one
drawing, and stay on one side: 200 are learned from, and the others asked. Beside it: a linear head on frozen points of
the shared space, on the same 200, and all weights tuned. With `--data` the packs of the recipe, questions about
photographs of the model card are asked before and after.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import tutti
from benchmarks.machine import commit, processor, versions
from tutti.cli.main import main as command
from tutti.evaluate.statistics import compare, share_interval

SHELVES = {
    "animal": ("animals/mammals", "animals/marsupials"),
    "bird": ("animals/birds",),
    "insect": ("animals/insects",),
    "fruit": ("food/fruit",),
    "vegetable": ("food/vegetables",),
    "plant": ("plants/flowers", "plants/trees"),
    "money": ("symbols/money",),
    "building": ("town/houses", "town/monuments"),
    "sign": ("town/roadsigns",),
    "festival": ("seasonal/christmas", "seasonal/halloween", "seasonal/easter", "seasonal/hanukkah"),
}
QUESTION = "Which shelf does this stamp belong on?"
LEARNED = 200
OTHERS = (
    "What is this?",
    "Is there a dog in the picture?",
    "What can be seen in the picture?",
    "Is there a car in the picture?",
    "What does the picture show?",
    "Is there a person in the picture?",
)
"""What it goes on answering as it does, on the same 200 pictures."""


def drawings(root: Path) -> dict[str, list[list[Path]]]:
    """Shelf → drawings, each with all its files."""
    found: dict[str, list[list[Path]]] = {}
    for shelf, folders in SHELVES.items():
        alike: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(file for folder in folders for file in (root / folder).rglob("*.png")):
            name = re.sub(
                r"[^a-z]|mirror|flip|left|right|front|back|obverse|reverse|small|large", "", file.stem.lower()
            )
            alike[name or file.stem].append(file)
        found[shelf] = list(alike.values())
    return found


def cut(root: Path) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
    """What is learned, of each shelf its share, and what is asked."""
    shelves = drawings(root)
    rng = np.random.default_rng(0)
    total = sum(len(files) for groups in shelves.values() for files in groups)
    learned: list[tuple[Path, str]] = []
    asked: list[tuple[Path, str]] = []
    for shelf, groups in shelves.items():
        wanted = LEARNED * sum(map(len, groups)) / total
        count = 0
        for index in rng.permutation(len(groups)):
            side = learned if count < wanted - 0.5 else asked
            side += [(file, shelf) for file in groups[index]]
            count += len(groups[index]) if side is learned else 0
    return learned[:LEARNED], asked


def write_data(work: Path, root: Path) -> tuple[Path, Path, int]:
    """`train.jsonl` and `suite.jsonl` beside links to the stamps."""
    learned, asked = cut(root)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file, _ in learned]
    asked = [(f, s) for f, s in asked if hashlib.sha256(f.read_bytes()).hexdigest() not in set(digests)]
    media = work / "media"
    media.mkdir(parents=True, exist_ok=True)

    def put(number: int, side: str, file: Path) -> str:
        name = f"{side}-{number:03}.png"
        (media / name).write_bytes(file.read_bytes())
        return f"media/{name}"

    with (work / "train.jsonl").open("w") as out:
        for number, (file, shelf) in enumerate(learned):
            url = {"type": "image_url", "image_url": {"url": put(number, "train", file)}}
            question = {"role": "user", "content": [url, {"type": "text", "text": QUESTION}]}
            out.write(json.dumps({"messages": [question, {"role": "assistant", "content": shelf}]}) + "\n")
    with (work / "suite.jsonl").open("w") as out:
        for number, (file, shelf) in enumerate(asked):
            case = {"id": f"{number}", "media": [put(number, "test", file)], "question": QUESTION,
                    "expected": [shelf], "metric": "exact"}  # fmt: skip
            out.write(json.dumps(case) + "\n")
    return work / "train.jsonl", work / "suite.jsonl", len(asked)


def run(words: Sequence[Any]) -> str:
    """Run `tutti` and return what it prints; its notes go to stderr."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = command([str(word) for word in words])
    if code:
        raise SystemExit(f"tutti {' '.join(map(str, words))} ended with {code}")
    return said.getvalue()


def scores(suite: Path, models: Sequence[str], out: Path) -> dict[str, list[float]]:
    """Scores of models, case by case."""
    words: list[Any] = ["evaluate", suite, "--out", out, "--fresh", "--json", "--max-tokens", 12]
    for model in models:
        words += ["--model", model]
    report = json.loads(run(words))
    found: dict[str, list[float]] = defaultdict(list)
    for answer in report["answers"]:
        found[answer["model"]].append(answer["score"] or 0.0)
    return found


def points(model: tutti.Model, files: Sequence[Path]) -> NDArray[np.float32]:
    """Where pictures lie in the shared space. Shape (N, D)."""
    return np.concatenate([model.embed(list(files[start : start + 32])) for start in range(0, len(files), 32)])


def head(work: Path, learned: int, asked: int) -> list[float]:
    """Scores of a linear head on frozen points, its decay chosen by leaving parts of the 200 out."""
    rows = [json.loads(line) for line in (work / "train.jsonl").read_text().split("\n") if line]
    cases = [json.loads(line) for line in (work / "suite.jsonl").read_text().split("\n") if line]
    model, names = tutti.load(), list(SHELVES)
    x = points(model, [work / f"media/train-{number:03}.png" for number in range(learned)])
    y = np.array([names.index(row["messages"][1]["content"]) for row in rows])
    z = points(model, [work / f"media/test-{number:03}.png" for number in range(asked)])
    truth = np.array([names.index(case["expected"][0]) for case in cases])
    targets = np.eye(len(names))[y]

    def fitted(a: NDArray[Any], b: NDArray[Any], decay: float) -> NDArray[Any]:
        a = np.c_[a, np.ones(len(a))]
        return np.linalg.solve(a.T @ a + decay * np.eye(a.shape[1]), a.T @ b)

    def right(decay: float) -> float:
        parts = np.arange(len(x)) % 5
        total = 0
        for part in range(5):
            out = parts == part
            said = (np.c_[x[out], np.ones(out.sum())] @ fitted(x[~out], targets[~out], decay)).argmax(1)
            total += int((said == y[out]).sum())
        return total

    decay = max((10.0**power for power in range(-4, 3)), key=right)
    chosen = (np.c_[z, np.ones(len(z))] @ fitted(x, targets, decay)).argmax(1)
    return (chosen == truth).astype(float).tolist()


def show(name: str, values: Sequence[float], before: Sequence[float] | None = None) -> None:
    """Print a share with its interval, and the paired difference."""
    clusters = [str(index) for index in range(len(values))]
    one = share_interval(values, clusters)
    line = f"{name}: {100 * one.mean:.1f} % ({100 * one.low:.1f} to {100 * one.high:.1f}) of {len(values)}"
    if before is not None:
        gain = compare(values, before, clusters).difference
        line += f", {100 * gain.mean:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    print(line, flush=True)


def photographs(data: Path, folder: str, count: int) -> dict[str, Any]:
    """Questions about photographs of the card's table."""
    from recipes.tutti_mini import measure_photos

    return measure_photos.asked(tutti.load(folder), measure_photos.load(data), count)


def main() -> None:
    """Tune, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stamps", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", default="12")
    parser.add_argument("--rank", default="16")
    parser.add_argument("--rate", default="1e-3")
    parser.add_argument("--asked", type=int, default=300)
    parser.add_argument("--full", action="store_true", help="all weights, too")
    arguments = parser.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch')}, commit {commit()}", flush=True)
    work = arguments.work
    root = next(arguments.stamps.rglob("stamps/animals")).parent
    train, suite, asked = write_data(work, root)
    (work / "rehearse.txt").write_text("\n".join(OTHERS) + "\n")
    tries = {"adapter": ["--rank", arguments.rank, "--rate", arguments.rate]}
    # Four rows of each picture in the place of one, and a third of the epochs.
    few = str(max(1, round(float(arguments.epochs) / 3)))
    tries["rehearsed"] = [*tries["adapter"], "--rehearse", work / "rehearse.txt", "--epochs", few]
    if arguments.full:
        tries["full"] = ["--full", "--rate", "1e-4"]
    folders = {}
    for name, options in tries.items():
        begun = time.perf_counter()
        run(["tune", "tutti-mini", "--data", train, "--out", work / name, "--epochs", arguments.epochs, "--batch", 16,
             "--restart", *options])  # fmt: skip
        print(f"{name}: {(time.perf_counter() - begun) / 60:.1f} min, validation and its answers included", flush=True)
        folders[name] = work / name / "model"
        if "--full" not in options:
            folders[name] = work / f"{name}-merged"
            run(["merge", "tutti-mini", "--adapter", work / name, "--into", folders[name]])
    found = scores(suite, ["tutti-mini", *map(str, folders.values())], work / "report")
    before = found["tutti-mini"]
    show("before", before)
    for name, folder in folders.items():
        show(name, found[str(folder)], before)
    show("linear head on frozen points", head(work, LEARNED, asked), before)
    if arguments.data:
        for name, folder in {"before": "tutti-mini", **folders}.items():
            figures = photographs(arguments.data, str(folder), arguments.asked)
            print(f"photographs, {name}: {json.dumps(figures)}", flush=True)


if __name__ == "__main__":
    main()
