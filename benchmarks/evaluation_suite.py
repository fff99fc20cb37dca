"""tutti-mini, two weakened copies and a hosted model on 40 examples from the open packs, asked in six ways.

python benchmarks/evaluation_suite.py --data PACKS --out FOLDER [--blocks N]

FOLDER gets the suite with its media, the weakened copies, and reports. The hosted model is tutti-mini behind an
OpenAI-type server on this machine, over the official SDK, 60 ms of added latency and a price; so it must not be told
apart from tutti-mini, and the copies must come below in the order of their noise.

Whether the report is right is held against a suite of the same kind that is N times as large (8, 320 cases): the order
there is taken for the true one. From it come, too, other suites of 40, of which is told how many are ordered rightly,
and how many tell the closest two apart; and suites as large as the first report says would do for these.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from loopback import OpenAIResponder, serve
from machine import commit, processor, versions
from safetensors.numpy import load_file, save_file

import tutti
from tutti.content import SamplingOptions, Usage
from tutti.evaluate.analysis import Verdict, verdicts
from tutti.evaluate.prompts import Variant
from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.report import as_markdown, make_report
from tutti.evaluate.report_files import write_report
from tutti.evaluate.running import Candidate, EvaluationPlan, Outcome, run
from tutti.evaluate.suite import Suite, read_suite
from tutti.training.packs import PackReader

NOISE = {"noisy 0.1": 0.1, "noisy 0.5": 0.5}
"""Copy → standard deviation of the noise, as a share of each tensor's own."""
MOST = 8
"""Blocks of 40: there are 8 recordings of each kind in the fold that was held out."""
VARIANTS = (
    Variant("plain", "{question}"),
    Variant("polite", "Please tell me: {question}"),
    Variant("brief", "{question} Answer briefly."),
    Variant("reversed", "{question}\n{options:reversed}"),
    Variant("shuffled", "{question}\n{options:shuffled}"),
    Variant("lower case", "question: {question}"),
)


PACKS = ("cifar10_test", "sound_esc10", "speech_digits", "video_clips")


class Price:
    """What the hosted model would cost at a published small model's rates ($0.15 and $0.60 a million tokens)."""

    def cost_usd(self, usage: Usage) -> float:
        return (0.15 * usage.prompt_tokens + 0.60 * usage.completion_tokens) / 1e6


def make_suite(data: Path, folder: Path, blocks: int = MOST) -> Path:
    """Write 40 cases a block on media that tutti-mini was not trained on: the pack's own test part, fold or speaker.

    All blocks are made alike, so that the first is the suite of 40 and all are a larger suite of the same kind.
    """
    rng = random.Random(5)
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict] = []
    packs = {name: PackReader(data / name) for name in PACKS}

    def take(pack: str, some: list[dict], **case: object) -> None:
        for row in some:
            name = f"{pack}-{Path(row['file']).name}"
            (folder / name).write_bytes(packs[pack].content(row["file"]))
            made = {key: value(row) if callable(value) else value for key, value in case.items()}
            cases.append({"id": f"{len(cases) + 1:03d} {row['label']}", "media": [name], "tags": [pack]} | made)

    sounds = shuffled([row for row in packs["sound_esc10"].rows if row["fold"] == 4], rng)
    by_kind = [[row for row in sounds if row["label"] == kind] for kind in sorted({row["label"] for row in sounds})]
    asked = shuffled(sounds, rng)
    spoken = shuffled([row for row in packs["speech_digits"].rows if row.get("speaker") == "lucas"], rng)
    photos, clips = shuffled(packs["cifar10_test"].rows, rng), shuffled(packs["video_clips"].rows, rng)

    def other(row: dict) -> str:
        return rng.choice([kind[0]["text"][0] for kind in by_kind if kind[0]["label"] != row["label"]])

    digits = "zero one two three four five six seven eight nine".split()
    for block in range(blocks):
        take("sound_esc10", [kind[block] for kind in by_kind], question="What do you hear?", metric="contains",
             expected=lambda row: [row["label"], *row["text"]])  # fmt: skip
        some = asked[6 * block : 6 * block + 6]
        take("sound_esc10", some, question=lambda row: f"Is there {row['text'][0]}?", expected="yes", metric="pope")
        take("sound_esc10", some, question=lambda row: f"Is there {other(row)}?", expected="no", metric="pope")
        take("speech_digits", spoken[6 * block : 6 * block + 6], question="Which digit do you hear?", metric="number",
             expected=lambda row: str(digits.index(row["label"])))  # fmt: skip
        take("cifar10_test", photos[9 * block : 9 * block + 4], question="Describe the photo.", metric="facts",
             expected=lambda row: {"facts": [row["label"]]})  # fmt: skip
        take("cifar10_test", photos[9 * block + 4 : 9 * block + 9], question="What is in the photo?", metric="choice",
             expected=lambda row: row["label"],
             options=lambda row: sorted({row["label"], "truck", "dog", "ship", "frog"}))  # fmt: skip
        take("video_clips", clips[3 * block : 3 * block + 3], question="What is the name of the person?",
             metric="contains", expected="That cannot be told from the clip.")  # fmt: skip
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    return path


def shuffled(some: list[dict], rng: random.Random) -> list[dict]:
    return rng.sample(some, len(some))


def weights() -> str:
    """What tells the answers of these weights from those of others."""
    return tutti.checkpoints.inspect("tutti-mini").digest


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


def asked(suite: Suite, candidates: list[Candidate], out: Path) -> list[Outcome]:
    plan = EvaluationPlan(suite=suite, candidates=candidates, variants=VARIANTS, options=SamplingOptions(max_tokens=24))
    return run(plan, log=ReplyLog(out / "answers.jsonl"))


def closest(judged: Sequence[Verdict]) -> Verdict:
    """Of the pairs that differ at all, that which differs least."""
    differing = [one for one in judged if one.comparison.cases_needed]
    return min(differing, key=lambda one: abs(one.comparison.difference.mean))


def redrawn(outcomes: Sequence[Outcome], cases: int, draws: int) -> tuple[float, float]:
    """Shares of suites, drawn by clusters, that order models as all cases do, and that tell the closest pair apart."""
    by_cluster: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_cluster.setdefault(outcome.case.cluster, []).append(outcome)
    requests = len(outcomes) // len({outcome.case.id for outcome in outcomes})
    judged = verdicts(outcomes)
    pair, order = {closest(judged).first, closest(judged).second}, ordered(judged)
    rng, right, apart = random.Random(1), 0, 0
    for _ in range(draws):
        drawn: list[Outcome] = []
        while len(drawn) < cases * requests:
            copy = str(rng.random())  # a cluster that is drawn twice counts as two
            for outcome in by_cluster[rng.choice(list(by_cluster))]:
                case = replace(outcome.case, id=outcome.case.id + copy, group=outcome.case.cluster + copy)
                drawn.append(replace(outcome, case=case))
        found = verdicts(drawn)
        right += ordered(found) == order
        apart += any(one.told_apart for one in found if {one.first, one.second} == pair)
    return right / draws, apart / draws


def ordered(judged: Sequence[Verdict]) -> list[str]:
    """Models from the best to the worst mean."""
    return list(dict.fromkeys(name for one in judged for name in (one.first, one.second)))


def main() -> None:
    """Run and print the reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=MOST)
    words = parser.parse_args()
    wide = read_suite(make_suite(words.data, words.out / "suite", words.blocks))
    mini = tutti.load()
    candidates = [Candidate(name="tutti-mini", model=mini.responder(), fingerprint=weights())]
    for name, strength in NOISE.items():
        copy = weaken(words.out / name.replace(" ", "-"), strength)
        candidates.append(
            Candidate(name=name, model=tutti.load(copy).responder(), fingerprint=f"{weights()} {strength}")
        )
    note = f"{processor()}; {versions('torch', 'openai')}; commit {commit()}"
    with serve(mini, latency_s=0.06) as url:
        hosted = Candidate(
            name="hosted", model=OpenAIResponder("hosted", url), fingerprint=weights(), hosted=True, price=Price()
        )
        report = make_report(wide.first(40), asked(wide.first(40), [*candidates, hosted], words.out), notes=[note])
        print(as_markdown(report))
        print(write_report(report, words.out)[0])
        needed = closest(report.verdicts).comparison.cases_needed or 0
        enough = wide.first(needed)
        wider = make_report(enough, asked(enough, [*candidates, hosted], words.out), notes=[note])
        print(f"\nThe first {len(enough.cases)} cases of {needed} that it says would do for the closest two:")
        print("\n".join(f"- {one.sentence}" for one in wider.verdicts))
        print(write_report(wider, words.out / "enough")[0])
    outcomes = asked(wide, candidates, words.out)
    true = make_report(wide, outcomes, notes=[note])
    print(f"\nOn all {len(wide.cases)} cases:")
    print(as_markdown(true))
    sure = closest(true.verdicts).comparison.cases_needed or 0
    for cases in (40, sure):
        right, apart = redrawn(outcomes, cases, 200)
        print(
            f"- of 200 suites of {cases}, {right:.1%} order the three rightly, {apart:.1%} tell the closest two apart"
        )


if __name__ == "__main__":
    main()
