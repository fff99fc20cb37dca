"""What is to be indexed: the files of a folder, in order, each with what tells whether it has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutti.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ItemSource:
    """An item to index: a file, or a row of a feed."""

    item: str
    """Its name in the database, unique in a tenant: the path, or feed and key."""
    path: str | None
    """The medium's file; None for a row of a feed that has words only."""
    stamp: str
    """Size and time of change, or a digest of the row: as long as it is unchanged, the item is not read again."""
    words: str = ""
    """Words that come with it, such as a product's title and description."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """The feed's own columns."""
    subject: str | None = None
    """Whose data it is, for deletion by subject."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An item that was not indexed, and why."""

    item: str
    reason: str


def stamp_of(path: str) -> str:
    """Size in bytes and time of change in nanoseconds.

    Raises:
        InputError: The file cannot be looked at.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None
    return f"{found.st_size}/{found.st_mtime_ns}"


def walk(folder: str | os.PathLike[str], subject: str | None = None) -> Iterator[ItemSource | Broken]:
    """The files of a folder and its folders, by name. Hidden ones and links to folders are passed over.

    Raises:
        InputError: There is no such folder, or it cannot be read.
    """
    root = Path(folder).resolve()
    if not root.exists():
        raise InputError(f"{folder} does not exist; expected a folder with media, or a CSV, JSONL or Parquet feed.")
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise InputError(f"Cannot read {folder}: {error.strerror or error}.") from None
    broken: list[Broken] = []

    def note(error: OSError) -> None:
        broken.append(Broken(str(error.filename), f"Cannot read {error.filename}: {error.strerror or error}."))

    for place, folders, names in os.walk(root, onerror=note):
        yield from broken
        broken.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)  # noqa: PTH118 - a Path for each of a million files costs seconds
            if name.startswith(".") or not os.path.isfile(path):  # noqa: PTH113
                continue
            try:
                path.encode()
                yield ItemSource(item=path, path=path, stamp=stamp_of(path), subject=subject)
            except UnicodeEncodeError:
                yield Broken(ascii(path), f"The name {path!a} is not UTF-8; rename the file.")
            except InputError as error:
                yield Broken(path, str(error))
    yield from broken
