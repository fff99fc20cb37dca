"""The columns of a feed: which of them hold numbers, and how those are written.

A column is read in one way: plain (1299.5), with commas between thousands (1,299.50), or with a decimal comma
(1.299,50 or 1 299,50), whichever fits all its cells; otherwise it is text, and where most cells are numbers the row
that is not is named, since a price that is text in silence cannot be searched by `price < 50`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Cell: TypeAlias = bool | float | str | None
_LONGEST = 8192
# 007 and 1e5 are names of something more often than numbers, and "nan" is a word.
_PLAIN = re.compile(r"-?(?!0\d)(?:\d+\.?\d*|\.\d+)")
_COMMAS = re.compile(r"-?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"-?(?:(?!0\d)\d{1,3}(?:[. \u00a0\u202f'’]\d{3})*|(?!0\d)\d+)(?:,\d+)?")
_WITHIN = re.compile(r"[. \u00a0\u202f'’]")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How the cells of each column are read."""

    readers: Mapping[str, Callable[[Any], Cell]]
    remarks: tuple[str, ...]
    """Sentences on columns that are text although most of their cells are numbers."""

    def read(self, name: str, value: Any) -> Cell:
        """A cell as it is kept."""
        return self.readers.get(name, as_text)(value)


class _Seen:
    """What the cells of one column are."""

    def __init__(self) -> None:
        self.texts = self.plain = self.commas = self.decimal_commas = self.whole = 0
        self.odd: tuple[int, str] | None = None

    def add(self, number: int, value: Any) -> None:
        if value is None or value == "" or isinstance(value, (bool, int, float)):
            return
        self.texts += 1
        text = value.strip() if isinstance(value, str) else ""
        plain, commas = _is_plain(text), _COMMAS.fullmatch(text) is not None
        with_comma = _DECIMAL_COMMA.fullmatch(text) is not None
        self.plain += plain
        self.commas += plain or commas
        self.decimal_commas += with_comma
        self.whole += with_comma and "," not in text
        if not (plain or commas or with_comma) and self.odd is None:
            self.odd = number, as_text(value) or ""

    def reader(self) -> Callable[[Any], Cell]:
        if self.plain == self.texts:
            return _plain
        if self.commas == self.texts:
            return _with_commas
        if self.decimal_commas == self.texts > self.whole:
            return _with_decimal_comma
        return as_text

    def remark(self, name: str) -> str | None:
        """Why a column of numbers is text, if it is."""
        numbers = max(self.commas, self.decimal_commas)
        if self.reader() is not as_text or numbers <= self.texts / 2:
            return None
        where = (
            f"row {self.odd[0]} holds {self.odd[1][:40]!r}" if self.odd else "its rows write numbers in several ways"
        )
        return (
            f"The column {name!r} is text and cannot be compared by size: {where}, and {numbers:,} of {self.texts:,} "
            "rows hold numbers; correct it and index again."
        )


def columns_of(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Look through all rows.

    Args:
        rows: Name → cell: text as in CSV, or JSON's and Parquet's values.
    """
    seen: dict[str, _Seen] = {}
    for number, row in enumerate(rows, 1):
        for name, value in row.items():
            seen.setdefault(name, _Seen()).add(number, value)
    remarks = (column.remark(name) for name, column in seen.items())
    return Columns(
        readers={name: column.reader() for name, column in seen.items()},
        remarks=tuple(remark for remark in remarks if remark is not None),
    )


def as_text(value: Any) -> str | None:
    """A cell of a column that holds text in some row."""
    if value is None or value == "":
        return None
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:_LONGEST]


def _is_plain(text: str) -> bool:
    return text.isascii() and _PLAIN.fullmatch(text) is not None


def _number(value: Any, spelled: Callable[[str], str]) -> Cell:
    if value is None or value == "":
        return None
    if isinstance(value, (bool, float)):
        return value
    return float(value) if isinstance(value, int) else float(spelled(value.strip()))


def _plain(value: Any) -> Cell:
    return _number(value, str)


def _with_commas(value: Any) -> Cell:
    return _number(value, lambda text: text.replace(",", ""))


def _with_decimal_comma(value: Any) -> Cell:
    return _number(value, lambda text: _WITHIN.sub("", text).replace(",", "."))
