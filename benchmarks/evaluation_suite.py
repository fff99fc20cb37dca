"""tutti-mini, two weakened copies and a hosted model on 40 examples from the open packs, asked in six ways.

python benchmarks/evaluation_suite.py --data PACKS --out FOLDER [--limit N]

FOLDER gets the suite with its media, the weakened copies, and the report. The hosted model is tutti-mini behind an
OpenAI-type server on this machine, over the official SDK, 60 ms of added latency and a price; so it must not
be told apart from tutti-mini, and the copies must come below in the order of their noise.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
from loopback import OpenAIResponder, serve
from machine import commit, processor, versions
from safetensors.numpy import load_file, save_file

import tutti
from tutti.content import SamplingOptions, Usage
from tutti.evaluate.journal import Journal
from tutti.evaluate.prompts import Variant
from tutti.evaluate.report import as_markdown, make_report
from tutti.evaluate.running import Candidate, Plan, run
from tutti.evaluate.suite import read_suite
from tutti.evaluate.writing import write_report

NOISE = {"noisy 0.25": 0.25, "noisy 0.7": 0.7}
"""Copy → standard deviation of the noise, as a share of each tensor's own."""
VARIANTS = (
    Variant("plain", "{question}"),
    Variant("polite", "Please tell me: {question}"),
    Variant("brief", "{question} Answer briefly."),
    Variant("reversed", "{question}\n{options:reversed}"),
    Variant("shuffled", "{question}\n{options:shuffled}"),
    Variant("lower case", "question: {question}"),
)


class Price:
    """What the hosted model would cost at a published small model's rates ($0.15 and $0.60 a million tokens)."""

    def cost_usd(self, usage: Usage) -> float:
        return (0.15 * usage.prompt_tokens + 0.60 * usage.completion_tokens) / 1e6


def rows(data: Path, pack: str) -> list[dict]:
    lines = (data / pack / "index.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def make_suite(data: Path, folder: Path) -> Path:
    """Write 40 cases on media that tutti-mini was not trained on: the pack's own test part, fold or speaker."""
    rng = random.Random(5)
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict] = []

    def take(pack: str, some: list[dict], **case: object) -> None:
        for row in some:
            name = f"{pack}-{Path(row['file']).name}"
            with zipfile.ZipFile(data / pack / "data.zip") as archive:
                (folder / name).write_bytes(archive.read(row["file"]))
            made = {key: value(row) if callable(value) else value for key, value in case.items()}
            cases.append({"id": f"{len(cases) + 1:02d} {row['label']}", "media": [name], "tags": [pack]} | made)

    sounds = [row for row in rows(data, "sound_esc10") if row["fold"] == 4]
    kinds = sorted({row["label"] for row in sounds})
    one_each = [rng.choice([row for row in sounds if row["label"] == kind]) for kind in kinds]
    take("sound_esc10", one_each, question="What do you hear?", expected=lambda row: [row["label"], *row["text"]],
         metric="contains")  # fmt: skip
    more = rng.sample(sounds, 6)
    take("sound_esc10", more, question=lambda row: f"Is there {row['text'][0]}?", expected="yes", metric="pope")
    others = {row["file"]: next(o for o in more if o["label"] != row["label"])["text"][0] for row in more}
    take("sound_esc10", more, question=lambda row: f"Is there {others[row['file']]}?", expected="no", metric="pope")
    spoken = [row for row in rows(data, "speech_digits") if row.get("speaker") == "lucas"]
    take("speech_digits", rng.sample(spoken, 6), question="Which digit do you hear?", metric="number",
         expected=lambda row: str("zero one two three four five six seven eight nine".split().index(row["label"]))
         if not row["label"].isdigit() else row["label"])  # fmt: skip
    photos = rng.sample(rows(data, "cifar10_test"), 6)
    take("cifar10_test", photos[:3], question="Describe the photo.", metric="facts",
         expected=lambda row: {"facts": [row["label"]]})  # fmt: skip
    take("cifar10_test", photos[3:], question="What is in the photo?", metric="choice",
         expected=lambda row: row["label"],
         options=lambda row: sorted({row["label"], "truck", "dog", "ship", "frog"}))  # fmt: skip
    clips = rng.sample(rows(data, "video_clips"), 6)
    take("video_clips", clips, question="What is the name of the person?", metric="contains",
         expected="That cannot be told from the clip.")  # fmt: skip
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return path


def weaken(folder: Path, strength: float) -> Path:
    """Copy tutti-mini with Gaussian noise on every floating-point matrix."""
    source = Path(tutti.checkpoints.inspect("tutti-mini").path)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    rng = np.random.default_rng(0)
    weights = load_file(source / "model.safetensors")
    for name, values in weights.items():
        if values.dtype in (np.float32, np.float16) and values.ndim >= 2:
            weights[name] = (values + rng.normal(0, strength * values.std(), values.shape)).astype(values.dtype)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def main() -> None:
    """Run and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    words = parser.parse_args()
    suite = read_suite(make_suite(words.data, words.out / "suite")).first(words.limit)
    mini = tutti.load()
    candidates = [Candidate(name="tutti-mini", model=mini.provider, fingerprint="mini")]
    for name, strength in NOISE.items():
        copy = weaken(words.out / name.replace(" ", "-"), strength)
        candidates.append(Candidate(name=name, model=tutti.load(copy).provider, fingerprint=name))
    with serve(mini, latency_s=0.06) as url:
        hosted = OpenAIResponder("hosted", url)
        candidates.append(Candidate(name="hosted", model=hosted, hosted=True, price=Price()))
        plan = Plan(suite=suite, candidates=candidates, variants=VARIANTS, options=SamplingOptions(max_tokens=24))
        outcomes = run(plan, journal=Journal(words.out / "answers.jsonl"))
    note = f"{processor()}; {versions('torch', 'openai')}; commit {commit()}"
    report = make_report(suite, outcomes, notes=[note])
    print(as_markdown(report))
    print(write_report(report, words.out)[0])


if __name__ == "__main__":
    main()
