"""The card of a tuned model: what it was made from, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutti.training.files import save_text


@dataclass(frozen=True, kw_only=True)
class CardFigure:
    """A figure before and after."""

    name: str
    before: str
    after: str
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class TuningCard:
    """What the card says."""

    title: str
    base: str
    """The model that was tuned."""
    base_licence: str | None
    made: str
    """`an adapter` or `a whole model`."""
    use: str
    """The line to use it."""
    data: Mapping[str, Any]
    """Name, kind, digest and rows of the data."""
    licence: str | None = None
    """Of the data, as the user said."""
    options: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[CardFigure] = ()
    worse: Sequence[str] = ()
    """What got worse, a sentence each."""
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The card in Markdown."""
        lines = ["---"]
        if self.made == "an adapter":
            lines += ["library_name: peft", f"base_model: {json.dumps(self.base)}"]
        lines += ["---", "", f"# {self.title}", "", f"{self.made.capitalize()} of `{self.base}`, made by `tutti tune`."]
        lines += ["", "```sh", self.use, "```", "", "## Data", ""]
        lines += [f"- {name}: {value}" for name, value in self.data.items()]
        lines += [f"- licence of the data: {self.licence or 'not said; look at it before you pass this on'}"]
        lines += [f"- licence of the base model: {self.base_licence or 'not said'}"]
        lines += ["", "## Settings", "", *(f"- {name}: {value}" for name, value in self.options.items())]
        lines += ["", "## Measured", ""]
        if self.figures:
            lines += ["| figure | before | after | change |", "| --- | --- | --- | --- |"]
            lines += [f"| {one.name} | {one.before} | {one.after} | {one.change} |" for one in self.figures]
        else:
            lines += ["Nothing was held out, so nothing was measured."]
        lines += ["", "## What got worse", ""]
        lines += [f"- {sentence}" for sentence in self.worse] or [
            "Nothing that was measured. What was not measured may have: ask it old questions before you rely on it."
        ]
        if self.notes:
            lines += ["", "## Notes", "", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Write `README.md`.

        Raises:
            InputError: It cannot be written there.
        """
        save_text(self.text(), folder / "README.md")
