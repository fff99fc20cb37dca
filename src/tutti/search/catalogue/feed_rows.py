"""The rows of a catalogue's file, one by one: CSV, TSV, JSONL, Parquet, and Google Merchant's XML (RSS 2.0 and Atom).

A row that is broken comes as the sentence that says why, and the rest goes on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tutti.errors import InputError, MissingExtra
from tutti.media.text_files import json_object, stream_lines
from tutti.search.table.location import arrow

FORMATS = (".csv", ".tsv", ".txt", ".jsonl", ".parquet", ".xml")
_ITEMS = ("item", "entry")
_LONGEST_ITEM = 1_000_000
"""Characters of one item of XML; a longer one is broken."""


class FeedRow(NamedTuple):
    """A row, or what is wrong with it."""

    number: int
    """From 1, without the header."""
    cells: dict[str, Any]
    """Column → cell; columns as `own_name` writes them."""
    fault: str | None = None


def feed_rows(path: Path) -> Iterator[FeedRow]:
    """Read a file.

    Raises:
        InputError: It cannot be read at all, or has no format that is known.
        MissingExtra: Its format needs an extra.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise InputError(f"{path} is no catalogue; expected one of {', '.join(FORMATS)}.")
    readers = {".jsonl": _json, ".parquet": _parquet, ".xml": _xml}
    try:
        yield from readers.get(kind, _table)(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None


def own_name(name: str) -> str:
    """A column's name as it is compared: "image link", "g:image_link" and "Image_Link" are one."""
    return "_".join(name.rsplit("}", 1)[-1].removeprefix("g:").strip().lower().replace("-", " ").split())


def _table(path: Path) -> Iterator[FeedRow]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter="," if path.suffix.lower() == ".csv" else "\t")
        header = [own_name(name) for name in next(rows, [])]
        if len(set(header)) != len(header):
            raise InputError(f"{path} has two columns of one name; each column needs a name of its own.")
        number = 0
        while True:
            number += 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield FeedRow(number, {}, f"The row cannot be read: {error}.")
                continue
            if cells is None:
                return
            if cells:
                yield _of_cells(number, header, cells)


def _of_cells(number: int, header: list[str], cells: list[str]) -> FeedRow:
    named = dict(zip(header, cells, strict=False))
    if len(cells) > len(header):
        return FeedRow(number, named, f"The row has {len(cells)} fields and the header {len(header)}; quote the texts.")
    if any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell):
        return FeedRow(number, named, "The row is not UTF-8; save the file as UTF-8.")
    return FeedRow(number, named)


def _json(path: Path) -> Iterator[FeedRow]:
    for number, line in stream_lines(path):
        try:
            cells = json_object(line)
        except InputError:
            yield FeedRow(number, {}, "The line is not a JSON object; expected one a line.")
            continue
        yield FeedRow(number, {own_name(name): cell for name, cell in cells.items()})


def _parquet(path: Path) -> Iterator[FeedRow]:
    pa = arrow()
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                for cells in batch.to_pylist():
                    number += 1
                    yield FeedRow(number, {own_name(name): cell for name, cell in cells.items()})
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


def _xml(path: Path) -> Iterator[FeedRow]:
    """Items of a merchant feed. What stands outside of `item` and `entry` belongs to the channel."""
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, iterparse
    except ImportError:
        raise MissingExtra("Reading feeds in XML", "shop") from None
    number = 0
    try:
        root = None
        for event, element in iterparse(path, ("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            if event == "end" and own_name(element.tag) in _ITEMS:
                number += 1
                yield _of_element(number, element)
                root.clear()
    except DefusedXmlException:
        raise InputError(
            f"{path} declares entities or a document type, which a feed has no need of; refused."
        ) from None
    except ParseError as error:
        if not number:
            raise InputError(f"{path} is not XML: {error}; expected RSS 2.0 or Atom with items.") from None
        yield FeedRow(
            number + 1, {}, f"The file breaks off or is damaged here ({error}); the items before it are read."
        )


def _of_element(number: int, element: Any) -> FeedRow:
    cells: dict[str, Any] = {}
    length = 0
    for child in element:
        text = (child.text or child.get("href") or "").strip()
        length += len(text)
        cells.setdefault(own_name(child.tag), text)
    if length > _LONGEST_ITEM:
        return FeedRow(number, {"id": cells.get("id", "")[:100]}, f"The item holds {length:,} characters; shorten it.")
    return FeedRow(number, cells)
