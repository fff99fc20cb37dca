"""Readers of what an audit is made on: FairFace's CSV, COCO-style annotations, packs, and any table with columns."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tutti.content import Image
from tutti.errors import InputError

_FILE_COLUMNS = ("file", "image", "path", "file_name", "filename", "img")
_LABEL_COLUMNS = ("label", "class", "profession", "category", "target", "caption")
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class AuditRow:
    """One picture of an audit."""

    name: str
    label: str
    """What it shows, by the table; empty where the table has no labels."""
    groups: Mapping[str, str]
    """Attribute → group, such as gender → female."""
    open: Callable[[], Image]
    """The picture."""


def read_table(
    path: str | Path, by: Sequence[str], *, label: str | None = None, media: Path | None = None
) -> list[AuditRow]:
    """The rows of a table; those that lack all of the attributes are left out.

    Args:
        path: A CSV or TSV with a header, JSON lines, a COCO-style JSON, or a pack (a folder with index.jsonl).
        by: Attributes that make groups.
        label: The column of labels; one of the usual names when not given.
        media: Where paths of pictures begin; the table's folder when not given.

    Raises:
        InputError: The table cannot be read, or lacks an attribute or the column of files or labels.
    """
    table = Path(path)
    if not table.exists():
        raise InputError(f"{table}: no such table; expected a CSV, JSON lines, a COCO-style JSON or a pack's folder.")
    records = list(_records(table))
    if not records:
        raise InputError(f"{table} has no rows; expected one a picture.")
    columns = list(dict.fromkeys(name for record in records for name in record))
    missing = [name for name in by if name not in columns]
    if missing:
        raise InputError(f"{table} has no column {missing[0]!r}; it has: {', '.join(columns)}.")
    file = _column(columns, None, _FILE_COLUMNS, "file", table)
    label_column = _column(columns, label, _LABEL_COLUMNS, "label", table)
    opens = _opener(table, media)
    rows = [
        AuditRow(
            name=str(record[file]),
            label=str(record.get(label_column, "")).strip(),
            groups={name: str(record.get(name) or _none_of(name)).strip() for name in by},
            open=partial(opens, str(record[file])),
        )
        for record in records
        if record.get(file) and any(record.get(name) for name in by) and record.get(label_column)
    ]
    if not rows:
        raise InputError(f"No row of {table} has a file, a label and one of {', '.join(by)}.")
    return rows


def _none_of(attribute: str) -> str:
    """The group of rows that do not say: an emoji without a tone has the default one."""
    return "default" if attribute == "skin_tone" else _UNKNOWN


def _column(columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, table: Path) -> str:
    if wanted is not None:
        if wanted not in columns:
            raise InputError(f"{table} has no column {wanted!r}; it has: {', '.join(columns)}.")
        return wanted
    found = next((name for name in usual if name in columns), None)
    if found is None:
        raise InputError(f"{table} has no column of {what}s; it has: {', '.join(columns)}; name one with --{what}.")
    return found


def _records(table: Path) -> Iterator[dict[str, Any]]:
    index = table / "index.jsonl" if table.is_dir() else table
    if not index.is_file():
        raise InputError(f"{table} is a folder without index.jsonl; expected a pack, or name the table itself.")
    try:
        text = index.read_text(encoding="utf-8-sig")
        if index.suffix == ".json":
            yield from _coco(json.loads(text), index)
        elif index.suffix == ".jsonl":
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
        else:
            delimiter = "\t" if index.suffix == ".tsv" else ","
            yield from csv.DictReader(io.StringIO(text), delimiter=delimiter)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise InputError(f"{index} cannot be read: {error}; expected CSV, TSV, JSON lines or COCO's JSON.") from None


def _coco(value: Any, table: Path) -> Iterator[dict[str, Any]]:
    """A record per picture: its file, its categories or captions as label, and its annotations' attributes."""
    if not isinstance(value, dict) or not isinstance(value.get("images"), list):
        raise InputError(f"{table} is no COCO-style file; expected an object with images and annotations.")
    categories = {one["id"]: one["name"] for one in value.get("categories", ())}
    by_image: dict[Any, dict[str, Any]] = {}
    for one in value.get("annotations", ()):
        record = by_image.setdefault(one.get("image_id"), {})
        record |= {name: text for name, text in (one.get("attributes") or {}).items() if isinstance(text, (str, int))}
        record |= {name: one[name] for name in ("gender", "race", "age", "skin_tone") if one.get(name)}
        if one.get("category_id") in categories:
            record.setdefault("label", categories[one["category_id"]])
        if one.get("caption"):
            record.setdefault("caption", one["caption"])
    for image in value["images"]:
        yield {"file": image["file_name"], **by_image.get(image["id"], {})}


def _opener(table: Path, media: Path | None) -> Callable[[str], Image]:
    if table.is_dir() and (table / "data.zip").is_file():
        return partial(_from_zip, table / "data.zip")
    root = media if media is not None else (table if table.is_dir() else table.parent)
    return partial(_from_folder, root)


def _from_zip(archive: Path, name: str) -> Image:
    with zipfile.ZipFile(archive) as opened:
        try:
            return Image(opened.read(name))
        except KeyError:
            raise InputError(f"{archive} holds no {name}; the pack's index names it.") from None


def _from_folder(root: Path, name: str) -> Image:
    path = root / name
    if not path.is_file():
        raise InputError(f"{path}: no such file; name the folder of the pictures with --media.")
    return Image(path)
