"""Put measured figures into the model card, between its two marks.

python -m recipes.tutti_mini.card FIGURES.json FOLDER/README.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

AIMED_AT = {
    "cifar10 test, by text prompts": 0.70,
    "emoji of the held-out style, R@1 over": 0.30,
    "clothing held out": 0.60,
    "grocery held out": 0.60,
    "sound_esc10 held out": 0.70,
    "speech_digits held out": 0.90,
    "emergent share of the trained pair": 0.50,
}
"""Beginning of a figure's name → what this version aimed at."""


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    rows = ["| on data not trained on | figure | aimed at | short by |", "|---|---:|---:|---:|"]
    for part in ("classification", "retrieval"):
        for name, value in figures[part].items():
            aim = next((aim for start, aim in AIMED_AT.items() if name.startswith(start)), None)
            rows.append(_row(name, value, aim))
    for title in ("scene questions", "scene questions, held-out style of emoji"):
        part = figures[title]
        total = sum(part["questions"].values())
        rows.append(_row(f"{title}, mean over types ({total} questions)", part["mean over types"], 0.85))
        rows.append(_row(f"{title}, over all questions", part["over all questions"], None))
        ratio = part["yes-ratio"]
        off = abs(ratio - 0.5) - 0.05
        rows.append(f"| {title}, yes-ratio | {ratio:.1%} | 45% to 55% | {_points(off)} |")
    part = figures["scene questions"]
    rows += ["", "| scene questions by type | right | asked |", "|---|---:|---:|"]
    rows += [f"| {name} | {value:.1%} | {part['questions'][name]} |" for name, value in part["by type"].items()]
    rows += ["", "| questions that need picture and sound | right |", "|---|---:|"]
    rows += [f"| {name} | {value:.1%} |" for name, value in part["questions that need picture and sound"].items()]
    return "\n".join(rows)


def _row(name: str, value: float, aim: float | None) -> str:
    """A figure beside what was aimed at, and what is missing to it."""
    if aim is None:
        return f"| {name} | {value:.1%} | | |"
    return f"| {name} | {value:.1%} | {aim:.0%} | {_points(aim - value)} |"


def _points(missing: float) -> str:
    """Percentage points, to the tenth that the table shows; nothing where nothing is missing."""
    return f"{100 * missing:.1f} points" if missing >= 0.0005 else ""


def main() -> None:
    """Fill the card."""
    figures, card = Path(sys.argv[1]), Path(sys.argv[2])
    text = card.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    card.write_text(f"{before}{BEGIN}\n{table(json.loads(figures.read_text()))}\n{END}{after}")


if __name__ == "__main__":
    main()
