"""What is written in pictures, asked about in words: is the right line quoted?

python benchmarks/reading.py --data DIR [--model NAME] [--without-reader] [--json FILE]

`scene_text_dev`: signs, shop fronts, plates and packages, each asked in two of `PHRASINGS`; right if two thirds of the
words that stand there are in the answer. `receipts_dev`: shop, total and date of each, in two phrasings each; right if
the value is in the answer. `--without-reader` leaves reading to the model itself.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor
from PIL import Image

import tutti
from tutti.training.packs import PackReader

PHRASINGS = (
    "What's on the board?",
    "Spell out the sign for me.",
    "What does the poster announce?",
    "Which words can you make out?",
    "Give me the wording on the package.",
    "Could you transcribe the text?",
    "What does this say, please?",
    "Quote the headline.",
    "Tell me the words that stand there.",
    "What is printed there?",
)
"""Asked about signs; none of them is an example that questions are compared with."""
FIELDS = {
    "store": (
        "Who printed this bill?",
        "At which business was this bought?",
        "What is the shop called?",
        "Name the merchant.",
    ),
    "total": (
        "How much do I owe?",
        "What did all of it come to?",
        "How much was spent?",
        "What's the amount at the end?",
    ),
    "date": (
        "On what day was it issued?",
        "When was this bought?",
        "Which day does the receipt give?",
        "What's the date on it?",
    ),
}
"""Field → how it is asked for; the twelve and the ten above were written before any was tried."""
ENOUGH = 2 / 3
ALIKE = 0.75
LINE_ALIKE = 0.87
"""A line is the right one if the reader took one letter in eight for another: 04/13/2C19."""


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"\w+", text.lower())


def quoted(answer: str, wanted: str) -> bool:
    """Whether most words are in an answer, each as it is or nearly so."""
    said = words(answer)
    found = [bool(difflib.get_close_matches(word, said, 1, ALIKE)) for word in words(wanted)]
    return sum(found) >= ENOUGH * len(found)


def has(answer: str, value: str) -> bool:
    """Whether a value is in an answer, whatever stands between its letters and digits, but for one in eight of them."""
    plain, said = "".join(words(value)).strip("0"), "".join(words(answer))
    ends = range(max(1, len(said) - len(plain) + 1))
    alike = max(difflib.SequenceMatcher(None, plain, said[at : at + len(plain)]).ratio() for at in ends)
    return alike >= LINE_ALIKE


def pictures(data: Path, pack: str) -> list[tuple[dict[str, Any], np.ndarray[Any, Any]]]:
    """Rows with their pictures."""
    reader = PackReader(data / pack)
    return [
        (row, np.asarray(Image.open(io.BytesIO(reader.content(row["file"]))).convert("RGB"))) for row in reader.rows
    ]


def cases(data: Path) -> Iterator[tuple[str, str, Any, str, Callable[[str, str], bool]]]:
    """Kind, question, picture, what is wanted, and how it is judged."""
    for number, (row, picture) in enumerate(pictures(data, "scene_text_dev")):
        for question in (PHRASINGS[number % 10], PHRASINGS[(number + 5) % 10]):
            yield "scene_text_dev", question, picture, row["text"][0], quoted
    for number, (row, picture) in enumerate(pictures(data, "receipts_dev")):
        for field, ways in FIELDS.items():
            for question in (ways[number % 4], ways[(number + 2) % 4]):
                yield f"receipts_dev {field}", question, picture, row[field], has


def asked(model: tutti.Model, data: Path) -> Iterator[dict[str, Any]]:
    """What was asked and said."""
    for kind, question, picture, wanted, right in cases(data):
        begun = time.perf_counter()
        answer = model.ask(question, tutti.Image(picture), max_tokens=32)
        seconds, evidence = time.perf_counter() - begun, len(answer.evidence)
        said = {"kind": kind, "question": question, "wanted": wanted, "said": answer.text}
        yield {**said, "right": right(answer.text, wanted), "evidence": evidence, "seconds": seconds}


def main() -> None:
    """Ask, and print shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--without-reader", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = tutti.load(arguments.model, reader=False if arguments.without_reader else None)
    tried = list(asked(model, arguments.data))
    print(f"{model.name} at commit {commit()}, {processor()}; reader of text: {not arguments.without_reader}")
    for kind in dict.fromkeys(one["kind"] for one in tried):
        some = [one for one in tried if one["kind"] == kind]
        print(f"{kind:22} {100 * statistics.mean(one['right'] for one in some):5.1f} % of {len(some)}")
    print(f"{'all':22} {100 * statistics.mean(one['right'] for one in tried):5.1f} % of {len(tried)}")
    print(f"{'with evidence':22} {100 * statistics.mean(one['evidence'] > 0 for one in tried):5.1f} %")
    print(f"median seconds an answer: {statistics.median(one['seconds'] for one in tried):.2f}")
    for one in tried:
        if not one["right"]:
            print("wrong:", one["kind"], "|", one["question"], "|", one["wanted"], "|", one["said"][:160])
    if arguments.json:
        arguments.json.write_text(json.dumps(tried, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
