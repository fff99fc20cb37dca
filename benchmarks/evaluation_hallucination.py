"""How well inventions are found: 200 answers on annotated scenes, with planted objects, numbers and quoted texts.

python benchmarks/evaluation_hallucination.py --names PACKS/emoji_names/index.jsonl [--seed N] [--json]

Objects come from the names of emoji (animals, food, objects, travel), from which the lexicon was not made; phrasings
are written here. Half of the answers are true throughout; the others hold one to three inventions. What is planted
and not found, and what is found and was not planted, is printed in full.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from machine import commit, processor, versions

from tutti.evaluate.hallucination import Truth, check
from tutti.evaluate.language import singular
from tutti.evaluate.suite import Annotation
from tutti.media.text_files import json_object, read_lines

GROUPS = {"animals and nature", "food and drink", "objects", "travel and places"}
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 7: "seven", 12: "twelve"}
TEXTS = (
    "NO ENTRY", "Open daily", "SALE", "Platform 9", "Fresh bread", "Mind the gap", "EXIT", "Happy birthday", "Room 204",
    "Wet floor", "Pay here", "Gate B12", "Quiet please", "Lost and found", "Private property", "Speed limit 30",
)  # fmt: skip
TRUE_FRAMES = (
    "There is {a}.", "The picture shows {a} on the left.", "I can see {a} and {b}.", "{A} stands next to {b}.",
    "In the foreground there is {a}, and behind it {b}.", "{A} lies beside {b}, without any {none}.",
    "You can see {a}; there is no {none}.", "It looks like {a} near {b}.", "A photo of {a} with {b}.",
    "Besides {a}, the scene contains {b}.", "{A} can be made out, but not {none_a}.", "On the right, {a} is visible.",
)  # fmt: skip
COUNT_FRAMES = ("There are {n} {things}.", "I count {n} {things} here.", "Exactly {n} {things} can be seen.",
                "{N} {things} are in the picture.", "The picture has {n} {things} in it.")  # fmt: skip
TEXT_FRAMES = ('A sign says "{t}".', 'The text reads "{t}".', "It says \u201c{t}\u201d at the top.",
               'One can read "{t}" below.', 'The words "{t}" are written on a board.')  # fmt: skip
CLOSINGS = ("", " I cannot tell where it was taken.", " The background is blurry.", " It is a sunny day.",
            " The mood is calm.", " No one is there.")  # fmt: skip


@dataclass
class Case:
    """An answer with what is true, and what was planted."""

    answer: str
    truth: Annotation
    planted: Counter[str] = field(default_factory=Counter)


def names(path: Path) -> list[str]:
    """Names of things in one or two plain words."""
    rows = [json_object(line) for _, line in read_lines(path)]
    found = []
    for row in rows:
        name = row["name"].lower()
        plain = all(word.isalpha() and word.isascii() for word in name.split()) and len(name.split()) <= 2
        # Skies, hands and the hours of clocks are no countable things; adjectives and plurals make no phrase with "a".
        odd = {"face", "sign", "symbol", "hand", "button", "o", "with", "clock", "faced", "moon", "sun", "quarter"}
        bad = name.endswith(("ing", "ed", "s", "y")) or odd & set(name.split())
        if row.get("group") in GROUPS and plain and not bad:
            found.append(name)
    return sorted(set(found))


def article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def make(pool: list[str], rng: random.Random, lie: bool) -> Case:
    """One answer of three or four sentences."""
    things = rng.sample(pool, 9)
    # What shares a word with what is true would be no invention: a "fire truck" beside a "truck".
    true, other = things[:4], [one for one in things[4:] if not set(one.split()) & set(" ".join(things[:4]).split())]
    none = other.pop()
    count, wrong = rng.sample(sorted(COUNTS), 2)
    text, false_text = rng.sample(TEXTS, 2)
    case = Case("", Annotation(facts=(*map(article, true[:3]), f"{COUNTS[count]} {plural(true[3])}"), texts=(text,)))
    kinds = set(rng.sample(("object", "number", "text"), rng.randint(1, 3))) if lie else set()
    a, b = rng.sample(true[:3], 2)
    if "object" in kinds:
        b = other.pop()
        case.planted[f"object: {b}"] += 1
    frame = rng.choice([one for one in TRUE_FRAMES if "{b}" in one or "object" not in kinds])
    first = frame.format(a=article(a), A=article(a).capitalize(), b=article(b), none=plural(none), none_a=article(none))
    said = wrong if "number" in kinds else count
    if "number" in kinds:
        case.planted[f"number: {said}"] += 1
    form = COUNTS[said] if rng.random() < 0.6 else str(said)
    second = rng.choice(COUNT_FRAMES).format(n=form, N=form.capitalize(), things=plural(true[3]))
    quoted = false_text if "text" in kinds else text
    if "text" in kinds:
        case.planted[f"text: {quoted}"] += 1
    third = rng.choice(TEXT_FRAMES).format(t=quoted)
    parts = [first, second, third]
    rng.shuffle(parts)
    case.answer = " ".join(parts) + rng.choice(CLOSINGS)
    return case


def plural(name: str) -> str:
    if name.endswith(("ch", "sh", "x", "s")):
        return name + "es"
    return {"mouse": "mice", "goose": "geese", "knife": "knives", "leaf": "leaves"}.get(name, name + "s")


def same(planted: str, found: str) -> bool:
    """Whether a claim names what was planted: the kind, and for objects a word of the name, for numbers the value."""
    kind, what = planted.split(": ", 1)
    other_kind, claimed = found.split(": ", 1)
    if kind != other_kind:
        return False
    if kind == "number":
        return claimed in (what, COUNTS[int(what)])
    if kind == "text":
        return claimed == what
    from tutti.evaluate.objects import lexicon

    known = lexicon().at(what.split(), 0)
    words = {singular(word) for word in what.split()}
    return bool(words & set(claimed.split())) or (known is not None and known[0] == claimed)


Listed = list[tuple[str, str]]


def measure(pool: list[str], seed: int) -> tuple[list[Case], Counter[str], Listed, Listed, int]:
    """200 answers: the cases, what was found by kind, what was missed, what was found and not planted, assertions."""
    rng = random.Random(seed)
    cases = [make(pool, rng, lie=index % 2 == 1) for index in range(200)]
    hits: Counter[str] = Counter()
    missed: Listed = []
    false: Listed = []
    checked = 0
    for case in cases:
        claims = check(case.answer, Truth(case.truth))
        checked += len(claims)
        found = [claim.text for claim in claims if claim.supported is False]
        for planted in case.planted:
            match = next((one for one in found if same(planted, one)), None)
            if match is None:
                missed.append((planted, case.answer))
            else:
                hits[planted.split(":")[0]] += 1
                found.remove(match)
        false += [(one, case.answer) for one in found]
    return cases, hits, missed, false, checked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    pool = names(words.names)
    cases, hits, missed, false, checked = measure(pool, words.seed)
    right = sum(hits.values())
    figures = {
        "answers": len(cases), "objects to draw from": len(pool), "assertions": checked,
        "planted": right + len(missed), "found": right, "missed": len(missed), "false": len(false),
        "precision": right / (right + len(false)), "recall": right / (right + len(missed)),
        "found by kind": dict(hits), "missed by kind": dict(Counter(one.split(":")[0] for one, _ in missed)),
        "false by kind": dict(Counter(one.split(":")[0] for one, _ in false)),
        "hardware": processor(), "versions": versions("numpy"), "commit": commit(),
    }  # fmt: skip
    print(json.dumps(figures, indent=None if words.json else 1))
    if not words.json:
        for title, listed in (("missed", missed), ("false", false)):
            for one, answer in listed:
                print(f"{title}  {one}   in: {answer}")


if __name__ == "__main__":
    main()
