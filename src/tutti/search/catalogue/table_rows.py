"""Rows of a table of text: comma, semicolon, tab or bar, as the header has it; UTF-8 or UTF-16.

A quotation mark that is opened and never closed takes in all rows behind it. Such a row is told by the rows that lie
within it, and they are read as the rows they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_DELIMITERS = (",", ";", "\t", "|")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_HEADER = 100_000
_MOST_LINES, _MOST_LETTERS = 5_000, 4_000_000
"""Of one row; beyond, a mark was not closed."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells of a row, and what is wrong with it."""

    cells: list[str]
    fault: str | None = None


def table_rows(path: Path) -> Iterator[TableRow]:
    """Read a table, its header first.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as raw:
        encoding = "utf-16" if raw.read(2) in _UTF16 else "utf-8-sig"
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        line = file.readline(_LONGEST_HEADER)
        if not line:
            return
        delimiter = _delimiter(line, path.suffix.lower())
        rows = _Rows(_again(line, file), delimiter)
        header = rows.header()
        yield header
        yield from rows.rest(len(header.cells))


def _delimiter(line: str, suffix: str) -> str:
    """What parts the header into most columns; the usual one of the suffix, if another does not part it further."""
    usual = "," if suffix == ".csv" else "\t"
    return max((usual, *_DELIMITERS), key=lambda one: len(next(csv.reader([line], delimiter=one), [])))


def _again(line: str, file: TextIO) -> Iterator[str]:
    yield line
    yield from file


class _Rows:
    """Rows over lines, with the lines of the present row at hand."""

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        self._lines, self._own = lines, list[str]()
        self._letters, self._delimiter = 0, delimiter
        self._reader = csv.reader(self._told(), delimiter=delimiter)

    def _told(self) -> Iterator[str]:
        for line in self._lines:
            self._own.append(line)
            self._letters += len(line)
            if len(self._own) > _MOST_LINES or self._letters > _MOST_LETTERS:
                raise csv.Error("it has no end; a quotation mark is not closed")
            yield line

    def header(self) -> TableRow:
        found = self._next()
        return TableRow([], "It is empty.") if found is None else found

    def rest(self, columns: int) -> Iterator[TableRow]:
        while (row := self._next()) is not None:
            lines = self._own
            if row.fault is None and len(row.cells) > columns:
                row = TableRow(
                    row.cells, f"The row has {len(row.cells)} fields and the header {columns}; quote the texts."
                )
            within = [self._plain(line) for line in lines[1:]]
            rows = [len(cells) == columns for cells in within]
            wrong = row.fault is not None or sum(line.count('"') for line in lines) % 2 == 1
            if columns > 1 and any(rows) and (wrong or all(rows)):
                yield from self._parted(lines, columns)
            elif row.cells or row.fault is not None:
                yield row

    def _next(self) -> TableRow | None:
        self._own, self._letters = [], 0
        try:
            cells = next(self._reader, None)
        except csv.Error as error:
            self._reader = csv.reader(self._told(), delimiter=self._delimiter)
            return TableRow([], f"The row cannot be read: {error}.")
        return None if cells is None else TableRow(cells)

    def _plain(self, line: str) -> list[str]:
        """A line by itself, its marks taken as letters."""
        return line.rstrip("\r\n").split(self._delimiter)

    def _parted(self, lines: list[str], columns: int) -> Iterator[TableRow]:
        """Rows that a mark took in, each by itself; the one that has the mark, too, if it has all its fields."""
        for line in lines:
            quoted = next(csv.reader([line.rstrip("\r\n")], delimiter=self._delimiter), [])
            cells = quoted if len(quoted) == columns else self._plain(line)
            if any(cells):
                whole = len(cells) == columns
                yield TableRow(
                    cells, None if whole else "A quotation mark in the row is opened and not closed; close it."
                )
