"""The price book: what hosted models and machines cost, with the day and the place where each price was read."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutti.content import Usage
from tutti.errors import InputError
from tutti.media.text_files import read_text

STALE_DAYS = 90
"""A price that was read longer ago is used with a warning."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """A hosted model's row, in dollars a million tokens."""

    name: str
    input: float
    output: float
    read: date
    source: str
    cached: float | None = None
    """For prompt tokens that were found in the provider's cache; None charges them like others."""
    audio: float | None = None
    """For prompt tokens of recordings; None charges them like others."""
    long: Mapping[str, float] = field(default_factory=dict)
    """`above` so many prompt tokens, `input` and `output` are these."""
    image: Mapping[str, Any] = field(default_factory=dict)
    """Rule and parameters of `tutti.pricing.tokens`; empty where none is known."""
    audio_per_s: float | None = None
    video_per_s: float | None = None
    """Tokens a second, of the pictures of a video; its sound comes on top."""

    def cost_usd(self, usage: Usage) -> float:
        """Dollars for one query."""
        long = bool(self.long) and usage.prompt_tokens > self.long["above"]
        into, out = (self.long["input"], self.long["output"]) if long else (self.input, self.output)
        cached, audio = usage.cached_tokens, usage.audio_tokens if self.audio is not None else 0
        plain = usage.prompt_tokens - cached - audio
        # What is cached is dearer in long requests by as much as other tokens are (OpenAI and Google say so).
        from_cache = into if self.cached is None else self.cached * (into / self.input if long and self.input else 1)
        total = plain * into + cached * from_cache
        total += audio * (self.audio or 0.0) + usage.completion_tokens * out
        return total / 1e6


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine's row."""

    name: str
    usd_per_hour: float
    read: date
    source: str
    memory_gb: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PriceBook:
    """All rows by name."""

    models: Mapping[str, Price]
    machines: Mapping[str, Machine]

    def price(self, name: str) -> Price:
        """A model's row.

        Raises:
            InputError: There is none; the message tells how to add one.
        """
        if name in self.models:
            return self.models[name]
        meant = next((known for known in self.models if known.endswith(f":{name}")), None)
        if meant is not None:
            raise InputError(f"No price is known for {name}; perhaps you meant {meant}.")
        raise InputError(
            f"No price is known for {name}; add a row [models.{name!r}] with input, output, read and source to a file "
            f"and give it with --prices. Known are {', '.join(self.models)}."
        )

    def machine(self, name: str) -> Machine:
        """A machine's row.

        Raises:
            InputError: There is none.
        """
        if name in self.machines:
            return self.machines[name]
        raise InputError(f"No price is known for the machine {name!r}; known are {', '.join(self.machines)}.")


def stale(row: Price | Machine, today: date | None = None) -> str | None:
    """A warning if a price was read long ago."""
    days = ((today or datetime.now(UTC).date()) - row.read).days
    if days <= STALE_DAYS:
        return None
    return f"The price of {row.name} was read {days} days ago, on {row.read}; look it up again: {row.source}"


def read_prices(path: Path | None = None) -> PriceBook:
    """The book that comes with the package, with the rows of a file in the place of its own.

    Raises:
        InputError: The file cannot be read, or rows of it are wrong; the message names every one of them.
    """
    own = (files("tutti.pricing") / "prices.toml").read_text(encoding="utf-8")
    book = _parsed(own, "the price book")
    if path is None:
        return book
    added = _parsed(read_text(path), str(path))
    return PriceBook(models={**book.models, **added.models}, machines={**book.machines, **added.machines})


def _parsed(text: str, name: str) -> PriceBook:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}.") from None
    problems = [f"unknown table {key!r}; known are models, machines" for key in tables if key not in _KINDS]
    rows: dict[str, dict[str, Any]] = {key: {} for key in _KINDS}
    for table, kind in _KINDS.items():
        for row_name, row in tables.get(table, {}).items():
            wrong = _wrong(row, kind)
            if wrong:
                problems.append(f"{table}.{row_name}: {wrong}")
            else:
                rows[table][row_name] = kind(name=row_name, **row)
    if problems:
        raise InputError(f"{name} has {len(problems)} problems; correct them:\n  " + "\n  ".join(problems))
    return PriceBook(models=rows["models"], machines=rows["machines"])


_KINDS: dict[str, Any] = {"models": Price, "machines": Machine}


def _wrong(row: Any, kind: Any) -> str:
    """What is wrong with a row, in words; nothing if nothing is."""
    if not isinstance(row, dict):
        return "expected a table"
    known = {one.name for one in fields(kind)} - {"name"}
    needed = {"read", "source"} | ({"input", "output"} if kind is Price else {"usd_per_hour"})
    for name in sorted(needed - set(row)):
        return f"there is no {name}"
    for name in sorted(set(row) - known):
        return f"unknown field {name!r}; known are {', '.join(sorted(known))}"
    if not isinstance(row["read"], date) or isinstance(row["read"], datetime):
        return f"read is {row['read']!r}; expected a day such as 2026-11-25, without quotes"
    if not isinstance(row["source"], str) or not row["source"]:
        return "source is empty; expected where the price was read"
    long = row.get("long")
    if long is not None and (not isinstance(long, dict) or set(long) != {"above", "input", "output"}):
        return "long expects above, input and output"
    amounts = {name: value for name, value in row.items() if name not in ("read", "source", "image", "long")}
    for name, value in (amounts | (long or {})).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            return f"{name} is {value!r}; expected a number of 0 or more"
    return ""
