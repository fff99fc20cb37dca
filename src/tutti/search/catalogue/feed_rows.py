"""The rows of a catalogue's file, one by one: CSV, TSV, JSONL, Parquet, and Google Merchant's XML (RSS 2.0 and Atom).

A row that is broken comes as the sentence that says why, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tutti.errors import InputError, MissingExtra
from tutti.media.text_files import json_object, stream_lines
from tutti.search.catalogue.table_rows import TableRow, table_rows
from tutti.search.table.location import arrow

FORMATS = (".csv", ".tsv", ".txt", ".jsonl", ".parquet", ".xml")
_ITEMS = ("item", "entry")
_PARTS = ("price", "country", "name", "email", "rate", "value")
"""Elements that make another one a group, such as the price within g:shipping."""
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


def _table(path: Path) -> Iterator[FeedRow]:
    rows = table_rows(path)
    first = next(rows, TableRow([]))
    header = [own_name(name) for name in first.cells]
    if first.fault is not None:
        raise InputError(f"The header of {path} cannot be read: {first.fault}")
    if len(set(header)) != len(header):
        raise InputError(f"{path} has two columns of one name; each column needs a name of its own.")
    for number, row in enumerate(rows, 1):
        named = dict(zip(header, row.cells, strict=False))
        if any("\udc80" <= letter <= "\udcff" for cell in row.cells for letter in cell):
            yield FeedRow(number, named, "The row is not UTF-8; save the file as UTF-8.")
        else:
            yield FeedRow(number, named, row.fault)


def own_name(name: str) -> str:
    """A column's name as it is compared: "image link", "g:image_link" and "Image_Link" are one."""
    return "_".join(name.rsplit("}", 1)[-1].removeprefix("g:").strip().lower().replace("-", " ").split())


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
        # Words with mark-up in them count as a whole; what has parts of its own, as g:shipping, is no cell.
        parts = "".join(child.itertext()) if not any(own_name(each.tag) in _PARTS for each in child) else ""
        text = (parts.strip() or child.get("href") or "").strip()
        length += len(text)
        cells.setdefault(own_name(child.tag), text)
    if length > _LONGEST_ITEM:
        return FeedRow(number, {"id": cells.get("id", "")[:100]}, f"The item holds {length:,} characters; shorten it.")
    return FeedRow(number, cells)
