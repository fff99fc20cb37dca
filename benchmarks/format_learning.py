"""Whether 100 examples teach a language model an output format: `tutti tune` on orders that become records.

    OMP_NUM_THREADS=1 python -m benchmarks.format_learning --model FOLDER --work WORK [--epochs N] [--asked N]

A sentence orders a drink in a café; the answer is to be one line of a form that no model has seen. Orders are made by
rule, those that are asked with drinks, counts and tables in combinations that were not learned. An answer is valid if
it has the form, and right if every field is what was said. Before: without a word about the form, and with the form
described in the question; after: without a word. The run is resumed where it was cut.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

import tutti
from benchmarks.machine import commit, processor, versions
from benchmarks.tuning import run
from tutti.evaluate.statistics import share_interval
from tutti.media.text_files import read_lines

DRINKS = ("espresso", "cappuccino", "latte", "flat white", "black tea", "green tea", "cocoa", "mocha")
MILKS = ("oat milk", "soy milk", "whole milk", "no milk")
NUMBERS = ("one", "two", "three", "four", "five", "six")
FORMS = (
    "{count} {drink} with {milk} for table {table}, please.",
    "Table {table} would like {count} {drink}, {milk}.",
    "Could you bring {count} {drink} to table {table}? With {milk}.",
)
VALID = re.compile(r"#T(\d+) <[a-z ]+> x(\d+) ~(oat|soy|whole|none)")
TOLD = (
    "Write the order as one line: #T and the table's number, the drink in angle brackets, x and the count, ~ and the "
    "milk as oat, soy, whole or none. For example: #T9 <cold brew> x7 ~soy\n"
)
LEARNED, AT_ONCE = 100, 20


def orders() -> list[tuple[str, str]]:
    """Sentences and records, in an order of their own."""
    rng = random.Random(0)
    found = []
    for drink, milk, count, table in itertools.product(DRINKS, MILKS, range(1, 7), range(1, 9)):
        said = rng.choice(FORMS).format(count=NUMBERS[count - 1], drink=drink, milk=milk, table=table)
        kind = {"no milk": "none"}.get(milk, milk.partition(" ")[0])
        found.append((said[0].upper() + said[1:], f"#T{table} <{drink}> x{count} ~{kind}"))
    rng.shuffle(found)
    return found


def measure(model: tutti.Model, asked: list[tuple[str, str]], told: str, file: Path) -> tuple[list[float], list[float]]:
    """Which answers are valid, and which are right; those in the file are not asked for again."""
    rows = [json.loads(line) for _, line in read_lines(file)] if file.exists() else []

    def ask(order: tuple[str, str]) -> dict[str, str]:
        answer = model.ask(told + order[0], max_tokens=32).text.strip()
        return {"said": order[0], "wanted": order[1], "answer": answer}

    with file.open("a") as out, ThreadPoolExecutor(AT_ONCE) as threads:
        for row in threads.map(ask, asked[len(rows) :]):
            rows.append(row)
            out.write(json.dumps(row) + "\n")
            out.flush()
    valid = [float(bool(VALID.fullmatch(row["answer"]))) for row in rows]
    return valid, [float(row["answer"] == row["wanted"]) for row in rows]


def main() -> None:
    """Ask, tune, ask again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", default="1")
    parser.add_argument("--rate", default="4e-4")
    parser.add_argument("--asked", type=int, default=40)
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch')}, commit {commit()}", flush=True)
    made = orders()
    learned, asked = made[:LEARNED], made[LEARNED : LEARNED + arguments.asked]
    with (work / "orders.jsonl").open("w") as out:
        for said, record in learned:
            turns = [{"role": "user", "content": said}, {"role": "assistant", "content": record}]
            out.write(json.dumps({"messages": turns}) + "\n")
    begun = time.process_time()
    if not (work / "run/adapter").exists():
        run(["tune", arguments.model, "--data", work / "orders.jsonl", "--out", work / "run", "--held-out", 0,
             "--epochs", arguments.epochs, "--batch", 4, "--rate", arguments.rate, "--save-every", 60])  # fmt: skip
        print(f"tuned in {(time.process_time() - begun) / 60:.1f} processor minutes", flush=True)
    print("| | valid (95 %) | right |\n| --- | ---: | ---: |")
    model = tutti.load(arguments.model, reader=False)
    for name, told in (("before", ""), ("before, the form described in each question", TOLD)):
        report(name, *measure(model, asked, told, work / f"before{len(told)}.jsonl"))
    del model
    report(
        "after",
        *measure(tutti.load(arguments.model, adapter=work / "run", reader=False), asked, "", work / "after.jsonl"),
    )


def report(name: str, valid: list[float], right: list[float]) -> None:
    """A row of the table."""
    found = share_interval(valid, [str(place) for place in range(len(valid))])
    print(
        f"| {name} | {100 * found.mean:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f}) | "
        f"{100 * sum(right) / len(right):.0f} % |",
        flush=True,
    )


if __name__ == "__main__":
    main()
