"""Media and what was written beside them: files, folders, and tables or folders with labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tutti.content import Part, Text
from tutti.errors import InputError
from tutti.media import wrap
from tutti.media.text_files import lines_of, read_text

BENIGN = ("", "benign", "allow", "none")
"""Labels of what breaks no rule."""
_TEXTS = (".txt", ".md")
_MOST_TEXT = 2_000_000
_COLUMNS = {"file", "label", "caption"}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Labelled:
    """A medium of which a person says what it is."""

    file: str
    part: Part
    label: str
    """Name of a category; "" for what breaks no rule."""
    caption: str = ""


def part_of(path: Path) -> Part:
    """The medium or text in a file.

    Raises:
        InputError: It cannot be read.
        CapacityError: It is too large.
    """
    if path.suffix.lower() in _TEXTS:
        return Text(read_text(str(path), _MOST_TEXT))
    return wrap(path)


def caption_of(path: Path) -> str:
    """What stands in `NAME.EXT.txt` beside a file; "" where there is none."""
    beside = path.with_name(path.name + ".txt")
    return read_text(str(beside), _MOST_TEXT).strip() if beside.is_file() else ""


def files_in(path: Path) -> Iterator[Path]:
    """A file, or the files of a folder and its folders by name; captions and hidden ones are left out.

    Raises:
        InputError: There is no such file.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a picture, film, recording, text or a folder of them.")
    if not path.is_dir():
        yield path
        return
    for each in sorted(path.rglob("*")):
        hidden = any(name.startswith(".") for name in each.relative_to(path).parts)
        captions = each.suffix == ".txt" and each.with_suffix("").is_file()
        if each.is_file() and not hidden and not captions:
            yield each


def read_labels(path: Path) -> list[Labelled]:
    """Labelled media of a table (CSV, TSV, JSONL: file, label, caption) or of a folder with a folder a label.

    Files of a table lie beside it. Labels of what breaks no rule are empty or "benign".

    Raises:
        InputError: It cannot be read, or lacks a column.
    """
    if path.is_dir():
        found = [
            (each, folder.name, caption_of(each))
            for folder in sorted(path.iterdir())
            if folder.is_dir()
            for each in files_in(folder)
        ]
    else:
        found = [(path.parent / file, label, caption) for file, label, caption in _rows(path)]
    if not found:
        raise InputError(f"{path} has no examples; expected a table with file and label, or a folder for each label.")
    return [
        Labelled(file=str(file), part=part_of(file), label="" if label in BENIGN else label, caption=caption)
        for file, label, caption in found
    ]


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    import csv
    import io
    import json

    if not path.is_file():
        raise InputError(
            f"{path} does not exist; expected a table of labels, or a folder with a folder for each label."
        )
    text = read_text(str(path), 100 * _MOST_TEXT)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        try:
            rows = [json.loads(line) for _, line in lines_of(text)]
        except ValueError as error:
            raise InputError(f"{path} is no JSON lines: {error}.") from None
    else:
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not {"file", "label"} <= set(row):
            raise InputError(f"{path}, row {number}: expected the columns {', '.join(sorted(_COLUMNS))}.")
        yield str(row["file"]), str(row["label"] or ""), str(row.get("caption") or "")
