"""Whether feedback makes a model better: tutti-mini before and after 300 comparisons of its own answers.

    OMP_NUM_THREADS=1 python -m benchmarks.feedback_pays --data PACKS --cache DIR --work WORK [--scenes N] [--error P]

Scenes are rendered, so that what they hold is known. tutti-mini is asked to describe scenes made of what it was
trained on, and one more question about each, four times by chance. A scripted judge prefers of two answers the one
with fewer inventions, then the one that is right in more, and is wrong in `--error` of its verdicts. It is compared
with the same pairs with sides tossed by a coin, and with pairs that no judge made: what the verifier contradicts is
rejected, and what it supports chosen (its embedder is tutti-mini's own space, so it is no independent witness). Each is
tuned by DPO, and other scenes of held-out photographs are asked before and after, in phrasings that were not trained.

An invention is a thing in a description that the scene does not hold, or as many of it. Runs that are cut go on.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as pillow

import tutti
from benchmarks.machine import commit, processor, versions
from benchmarks.tuning import run
from recipes.tutti_mini import open_questions
from recipes.tutti_mini.objects import DIGITS, plural
from recipes.tutti_mini.packs import EMOJI, load_pictures
from recipes.tutti_mini.phrasings import PHRASINGS
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import QA, ask, plain, score
from recipes.tutti_mini.scenes import Facts, Scene, Thing, make_picture_scene
from recipes.tutti_mini.wording import called
from tutti.content import Answer, Image
from tutti.content.feedback import Feedback, JudgedMedium
from tutti.evaluate.feedback_pairs import PreferredPair, lessons, verified_pairs
from tutti.evaluate.language import abstains
from tutti.evaluate.statistics import compare
from tutti.media.text_files import json_object, read_lines

COMPARISONS, DRAWS, AT_ONCE = 300, 4, 8
PHOTOS = ("cifar10", "clothing", "grocery")
NUMBERS = {word: number for number, word in enumerate(DIGITS)}
Rows = list[dict[str, Any]]


def pools(data: Path, cache: Path) -> dict[bool, Pools]:
    """What scenes are made of; True has photographs that were held out. No sounds."""
    pictures = {name: load_pictures(data, cache, name) for name in (*EMOJI, *PHOTOS)}
    known, new = (Pools.build(pictures, {}, held_out=held_out) for held_out in (False, True))
    return {False: known, True: replace(new, emoji=known.emoji, names=known.names, group_of=known.group_of)}


def questions(scene: Scene, rng: np.random.Generator, phrasing: str, others: int) -> list[QA]:
    """A description first, then as many other questions."""
    draft = open_questions.caption(scene.facts, rng)
    assert draft is not None
    options = PHRASINGS["caption"][phrasing == "val"]
    asked = options[int(rng.integers(len(options)))].format(m="picture")
    found = [QA(asked, draft.answer, "caption", draft.accepted, draft.must)]
    return found + [qa for qa in ask(scene, rng, phrasing, others + 3) if qa.type != "caption"][:others]


def names_of(thing: Thing) -> set[str]:
    """What a thing may be called, in one and in many."""
    names = {thing.said, *thing.accepted()}
    many = {plural(name) for name in names}
    return {plain(name) for name in (called(thing), *names, *many) if name}


def invented(description: str, facts: Facts) -> list[str]:
    """Things that a description names and the scene does not hold, or not so many of."""
    said = re.sub(r"^.*?\b(shows|photo of|picture of)\b", "", description.lower())
    return [part for part in map(plain, re.split(r",| and ", said)) if part and not _held(part, facts)]


def _held(part: str, facts: Facts) -> bool:
    first, _, rest = part.partition(" ")
    number = NUMBERS.get(first) if rest else None
    wanted = part if number is None else rest
    there = sum(wanted in names_of(thing) for thing in facts.things)
    return there > 0 and number in (None, there)


def rank(answer: str, qa: QA, facts: Facts) -> tuple[int, int]:
    """How good an answer is: fewer inventions first, then more that is right."""
    if qa.type != "caption":
        return 0, 2 if score(answer, qa) else int(abstains(answer))
    held = sum(f" {plain(part)} " in f" {plain(answer)} " for part in qa.must)
    return -len(invented(answer, facts)), held


def scene_of(given: dict[bool, Pools], held_out: bool, index: int) -> tuple[Scene, list[QA]]:
    """A scene and its questions, always the same for an index."""
    rng = np.random.default_rng((1900 + held_out, index))
    scene = make_picture_scene(rng, given[held_out])
    return scene, questions(scene, rng, "val" if held_out else "train", 3 if held_out else 1)


def kept(file: Path, make: Callable[[int], dict[str, Any]], enough: Callable[[Rows], bool]) -> Rows:
    """Rows of a file, and more of them until there are enough; `AT_ONCE` are made at once, in order."""
    rows: Rows = [json_object(line) for _, line in read_lines(file)] if file.exists() else []
    with ThreadPoolExecutor(AT_ONCE) as threads, file.open("a") as out:
        while not enough(rows):
            for row in threads.map(make, range(len(rows), len(rows) + AT_ONCE)):
                rows.append(row)
                out.write(json.dumps(row) + "\n")
            out.flush()
    return rows


def drawn(model: tutti.Model, given: dict[bool, Pools], work: Path) -> Rows:
    """Answers by chance, with what each is worth, until there are enough pairs."""
    (work / "media").mkdir(parents=True, exist_ok=True)

    def make(index: int) -> dict[str, Any]:
        scene, asked = scene_of(given, False, index)
        path = work / f"media/{index}.png"
        pillow.fromarray(scene.picture).save(path)
        found = []
        for qa in asked:
            texts = {
                model.ask(qa.question, str(path), max_tokens=32, temperature=1.0, seed=seed).text
                for seed in range(DRAWS)
            }
            worth = {text: rank(text, qa, scene.facts) for text in sorted(texts) if text.strip()}
            found.append({"question": qa.question, "answers": worth})
        return {"index": index, "asked": found}

    return kept(work / "drawn.jsonl", make, lambda rows: len(differing(rows)) >= COMPARISONS)


def differing(rows: Rows) -> list[tuple[int, str, str, str]]:
    """(scene, question, better, worse): of each question the two answers furthest apart, if they are."""
    pairs = []
    for row in rows:
        for asked in row["asked"]:
            ordered = sorted(asked["answers"], key=lambda text: tuple(asked["answers"][text]))
            if len(ordered) > 1 and asked["answers"][ordered[0]] != asked["answers"][ordered[-1]]:
                pairs.append((row["index"], asked["question"], ordered[-1], ordered[0]))
    return pairs[:COMPARISONS]


def judged(work: Path, index: int, question: str, verdict: str, answer: str, other: str = "") -> Feedback:
    """One judgement."""
    medium = Image(str(work / f"media/{index}.png"))
    media = (JudgedMedium(modality="image", digest=medium.digest, name=f"{index}.png"),)
    return Feedback(question=question, answer=answer, verdict=verdict, other=other, media=media, who="judge",
                    consent="training")  # fmt: skip


def by_judge(rows: Rows, work: Path, wrong: float) -> list[PreferredPair]:
    """What a judge makes of the pairs who errs in a share of them."""
    rng = np.random.default_rng(19)
    said = []
    for index, question, better, worse in differing(rows):
        first, second = (worse, better) if rng.random() < wrong else (better, worse)
        said.append(judged(work, index, question, "chosen", first, second))
    return list(lessons(said).pairs)


def by_verification(rows: Rows, work: Path) -> list[PreferredPair]:
    """What the verifier makes of the same scenes' descriptions, as many pairs at most."""
    from tutti.trust.verification.verifier import CrossVerifier

    verifier = CrossVerifier(embedder=tutti.open_provider("tutti-mini"))
    found: list[PreferredPair] = []
    for row in rows:
        if len(found) >= COMPARISONS:
            break
        for asked in row["asked"]:
            given = [judged(work, row["index"], asked["question"], "unjudged", text) for text in asked["answers"]]
            path = str(work / f"media/{row['index']}.png")
            found += verified_pairs(given, lambda _one, path=path: [Image(path)], verifier)
    return found[:COMPARISONS]


def write(pairs: Sequence[PreferredPair], file: Path) -> None:
    """Preferences as `tutti tune` reads them."""
    with file.open("w") as out:
        for pair in pairs:
            url = {"type": "image_url", "image_url": {"url": f"media/{pair.source.media[0].name}"}}
            content = [url, {"type": "text", "text": pair.source.question}]
            row = {"prompt": [{"role": "user", "content": content}], "chosen": pair.chosen, "rejected": pair.rejected}
            out.write(json.dumps(row) + "\n")


def asked_after(model: tutti.Model, given: dict[bool, Pools], file: Path, scenes: int) -> Rows:
    """What a model says of held-out scenes."""

    def make(index: int) -> dict[str, Any]:
        scene, asked = scene_of(given, True, index)
        said: list[Answer] = [model.ask(qa.question, Image(scene.picture), max_tokens=32) for qa in asked]
        worth = [score(one.text, qa) for one, qa in zip(said, asked, strict=True)]
        return {"said": [one.text for one in said], "types": [qa.type for qa in asked], "right": worth,
                "invented": invented(said[0].text, scene.facts),
                "named": len(re.split(r",| and ", said[0].text))}  # fmt: skip

    return kept(file, make, lambda rows: len(rows) >= scenes)[:scenes]


def figures(rows: Rows) -> dict[str, tuple[list[float], list[str]]]:
    """Figure → a value a case, and the case's scene."""
    at = [str(number) for number, row in enumerate(rows) for _ in row["said"]]
    scenes = [str(number) for number in range(len(rows))]
    every = [(text, right) for row in rows for text, right in zip(row["said"], row["right"], strict=True)]
    of_others = [(str(n), float(right)) for n, row in enumerate(rows) for right in row["right"][1:]]
    return {
        "descriptions with an invention, %": ([100.0 * bool(row["invented"]) for row in rows], scenes),
        "inventions a description": ([float(len(row["invented"])) for row in rows], scenes),
        "other questions right, %": ([100 * right for _, right in of_others], [scene for scene, _ in of_others]),
        "descriptions right, %": ([100.0 * row["right"][0] for row in rows], scenes),
        "abstentions, %": ([100.0 * abstains(text) for text, _ in every], at),
        "words an answer": ([float(len(text.split())) for text, _ in every], at),
        "words a description": ([float(len(row["said"][0].split())) for row in rows], scenes),
    }


def table(found: Mapping[str, Rows]) -> None:
    """Print means, and what changed with its interval, by scenes."""
    print("| | " + " | ".join(found) + " |\n| --- |" + " ---: |" * len(found))
    before = figures(found["before"])
    for name, (values, clusters) in before.items():
        cells = [f"{np.mean(values):.2f}"]
        for arm in list(found)[1:]:
            after = figures(found[arm])[name][0]
            change = compare(after, values, clusters).difference
            cells.append(f"{np.mean(after):.2f} ({change.low:+.2f} to {change.high:+.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Ask, judge, tune, ask again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded packs")
    parser.add_argument("--work", type=Path, required=True, help="folder for answers and runs")
    parser.add_argument("--scenes", type=int, default=200, help="held-out scenes (200)")
    parser.add_argument("--error", type=float, default=0.1, help="share of wrong verdicts of the judge (0.1)")
    parser.add_argument("--objective", default="dpo")
    parser.add_argument("--epochs", default="3")
    parser.add_argument("--rate", default="2e-4")
    parser.add_argument("--beta", default="0.1")
    parser.add_argument("--arm", action="append", help="only this one (judge, shuffled, verification); may be repeated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    print(f"{processor()}, 1 thread, {versions('torch')}, commit {commit()}", flush=True)
    given, work = pools(arguments.data, arguments.cache), arguments.work
    model = tutti.load(reader=False)
    rows = drawn(model, given, work)
    found = {"before": asked_after(model, given, work / "before.jsonl", arguments.scenes)}
    makers: dict[str, Callable[[], list[PreferredPair]]] = {
        "judge": lambda: by_judge(rows, work, arguments.error),
        "shuffled": lambda: by_judge(rows, work, 0.5),
        "verification": lambda: by_verification(rows, work),
    }
    for arm in arguments.arm or makers:
        file = work / f"{arm}.jsonl"
        if not file.exists():
            pairs = makers[arm]()
            print(f"{arm}: {len(pairs)} pairs", flush=True)
            write(pairs, file)
        name = f"{arm}-{arguments.objective}-{arguments.epochs}-{arguments.rate}-{arguments.beta}"
        if not (work / name / "adapter").exists():
            run(["tune", "tutti-mini", "--data", file, "--out", work / name, "--objective", arguments.objective,
                 "--epochs", arguments.epochs, "--rate", arguments.rate, "--beta", arguments.beta,
                 "--held-out", 0])  # fmt: skip
        tuned = tutti.load(adapter=work / name, reader=False)
        found[arm] = asked_after(tuned, given, work / f"{name}-after.jsonl", arguments.scenes)
        print(f"{arm}: {(time.perf_counter() - begun) / 60:.1f} min so far", flush=True)
    table(found)


if __name__ == "__main__":
    main()
