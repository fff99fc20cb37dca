"""Product feeds: CSV, JSONL or Parquet files with a row an item and a column that names its picture."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tutti.errors import InputError
from tutti.media.text_files import json_object, stream_lines
from tutti.search.ingest.feed_columns import Columns, columns_of
from tutti.search.ingest.walk import Broken, ItemSource, stamp_of
from tutti.search.table.location import arrow
from tutti.search.table.schema import COLUMNS

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_MEDIA = ("image", "image_path", "image_link", "picture", "photo", "file", "path", "media", "audio", "video")
_KEYS = ("id", "sku", "key", "product_id", "gtin")


def is_feed(path: Path) -> bool:
    """Whether a path is a feed rather than a folder."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def read_feed(
    path: Path,
    *,
    media_column: str | None = None,
    key_column: str | None = None,
    subject_column: str | None = None,
    remark: Callable[[str], None] = lambda _: None,
) -> Iterator[ItemSource | Broken]:
    """The rows of a feed as items. All text of a row can be found; paths of media are relative to the feed.

    Args:
        path: The feed.
        media_column: Which column names the medium; guessed when not given.
        key_column: Which column tells rows apart; guessed when not given, and else the row's number.
        subject_column: Which column says whose data a row is.
        remark: Called, before the first row, with what should be known of the columns.

    Raises:
        InputError: The feed cannot be read, has no rows, or lacks a column.
        MissingExtra: It is a Parquet file, and PyArrow is not installed.
    """
    first = next(_rows(path), None)
    if first is None:
        raise InputError(f"{path} has no rows; expected a header and at least one.")
    columns = columns_of(_rows(path))
    for sentence in columns.remarks:
        remark(sentence)
    media_column = _column(path, first, media_column, _MEDIA, "--media-column")
    key_column = _column(path, first, key_column, _KEYS, "--key-column")
    subject_column = _column(path, first, subject_column, (), "--subject-column")
    seen: set[str] = set()
    for number, row in enumerate(_rows(path), start=1):
        key = str(row.get(key_column) if key_column else number)
        item = f"{path.resolve()}#{key}"
        if item in seen:
            yield Broken(item, f"The key {key!r} stands in {path} twice; keys tell rows apart.")
            continue
        seen.add(item)
        try:
            yield _source(path, row, item, media_column, subject_column, columns)
        except InputError as error:
            yield Broken(item, str(error))


def _source(
    path: Path, row: Mapping[str, Any], item: str, media_column: str | None, subject_column: str | None, read: Columns
) -> ItemSource:
    columns = {
        _own_name(name): read.read(name, value)
        for name, value in row.items()
        if name not in (media_column, subject_column)
    }
    named = row.get(media_column) if media_column else None
    medium = str((path.parent / str(named)).resolve()) if named else None
    if medium is not None and not Path(medium).is_relative_to(path.parent.resolve()):
        raise InputError(f"The row names {named!r}, which lies outside the feed's folder; put it beside the feed.")
    words = " . ".join(value for value in columns.values() if isinstance(value, str) and not value.isdigit())
    content = json.dumps([columns, named], sort_keys=True, default=str).encode()
    stamp = hashlib.sha256(content).hexdigest()[:32] + (f"/{stamp_of(medium)}" if medium else "")
    subject = row.get(subject_column) if subject_column else None
    return ItemSource(
        item=item,
        path=medium,
        stamp=stamp,
        words=words,
        columns=columns,
        subject=str(subject) if subject is not None else None,
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix.lower() == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix.lower() == ".jsonl":
            yield from _json_rows(path)
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","):
                    if None in row:
                        raise InputError(f"{path} has a row with more fields than its header; quote commas in texts.")
                    yield row
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a feed in UTF-8: {error}.") from None


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in stream_lines(path):
        try:
            row = json_object(line)
        except InputError:
            raise InputError(f"Line {number} of {path} is not a JSON object; expected one a line.") from None
        yield row


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    pa = arrow()
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


def _column(path: Path, row: Mapping[str, Any], asked: str | None, usual: tuple[str, ...], option: str) -> str | None:
    if asked is not None and asked not in row:
        raise InputError(f"{path} has no column {asked!r} for {option}; it has: {', '.join(map(str, row))}.")
    return asked or next((name for name in row if name.lower() in usual), None)


def _own_name(name: str) -> str:
    """The column's name in the database; one that the database has itself gets `feed_` before it."""
    if not name.strip() or "`" in name or "." in name:
        raise InputError(f"The feed has a column named {name!r}; expected a name without dots and back quotes.")
    return f"feed_{name}" if name in COLUMNS else name
