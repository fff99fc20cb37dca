"""Put measured figures into the model card, between its two marks.

python -m recipes.tutti_mini.card FIGURES.json FOLDER/README.md [BEFORE.json]

With the figures of another model, those stand beside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

AIMED_AT = {
    "photographs, macro top 1": 0.65,
    "photographs, macro top 5": 0.88,
    "photographs, what is this": 0.60,
    "photographs, is there a": 0.85,
    "people's captions": 0.45,
    "cifar10 test, by text prompts": 0.88,
    "clothing held out": 0.88,
    "grocery held out": 0.72,
    "emoji of the held-out style, R@1 over": 0.32,
    "the same, R@5": 0.60,
    "sound_esc10 held out": 0.95,
    "sound_instruments held out": 0.80,
    "speech_digits held out": 0.97,
    "emergent share of the trained pair": 0.50,
    "scene questions, mean over types": 0.86,
    "scene questions, held-out style of emoji, mean over types": 0.80,
}
"""Beginning of a figure's name → what this version aimed at."""


def table(figures: dict[str, Any], before: dict[str, Any] | None = None) -> str:
    """The figures as Markdown: photographs first."""
    rows = ["| on data not trained on | before | figure | aimed at | short by |", "|---|---:|---:|---:|---:|"]
    earlier = dict(_flat(before)) if before else {}
    for name, value in _flat(figures):
        aim = next((aim for start, aim in AIMED_AT.items() if name.startswith(start)), None)
        rows.append(_row(name, value, aim, earlier.get(name)))
    part = figures["scene questions"]
    rows += ["", "| scene questions by type | right | asked |", "|---|---:|---:|"]
    rows += [f"| {name} | {value:.1%} | {part['questions'][name]} |" for name, value in part["by type"].items()]
    rows += ["", "| questions that need picture and sound | right |", "|---|---:|"]
    rows += [f"| {name} | {value:.1%} |" for name, value in part["questions that need picture and sound"].items()]
    if answers := figures.get("photographs asked about", {}).get("answers"):
        rows += ["", '| the first ten by the hash of their names: "What is this?" | it is | it says |', "|---|---|---|"]
        rows += [f"| {one['file']} | {one['label']} | {one['said']} |" for one in answers[:10]]
    return "\n".join(rows)


def _flat(figures: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """All shares, with the names they have in the table."""
    for part, start in (
        ("photographs by text prompts", "photographs"),
        ("people's captions", "people's captions"),
        ("photographs asked about", "photographs"),
        ("photographs with margins", "photographs"),
        ("classification", ""),
        ("retrieval", ""),
    ):
        for name, value in figures.get(part, {}).items():
            if isinstance(value, float):
                yield f"{start}, {name}" if start else name, value
    for title in ("scene questions", "scene questions, held-out style of emoji"):
        part = figures[title]
        yield f"{title}, mean over types", part["mean over types"]
        yield f"{title}, over all questions", part["over all questions"]
        yield f"{title}, yes-ratio", part["yes-ratio"]


def _row(name: str, value: float, aim: float | None, before: float | None) -> str:
    """A figure beside what it was and what was aimed at, and what is missing to it."""
    was = f"{before:.1%}" if before is not None else "–"
    if name.endswith("yes-ratio"):
        return f"| {name} | {was} | {value:.1%} | 45% to 55% | {_points(abs(value - 0.5) - 0.05)} |"
    if aim is None:
        return f"| {name} | {was} | {value:.1%} | | |"
    return f"| {name} | {was} | {value:.1%} | {aim:.0%} | {_points(aim - value)} |"


def _points(missing: float) -> str:
    """Percentage points, to the tenth that the table shows; nothing where nothing is missing."""
    return f"{100 * missing:.1f} points" if missing >= 0.0005 else ""


def main() -> None:
    """Fill the card."""
    figures, card = Path(sys.argv[1]), Path(sys.argv[2])
    earlier = json.loads(Path(sys.argv[3]).read_text()) if len(sys.argv) > 3 else None
    text = card.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    card.write_text(f"{before}{BEGIN}\n{table(json.loads(figures.read_text()), earlier)}\n{END}{after}")


if __name__ == "__main__":
    main()
