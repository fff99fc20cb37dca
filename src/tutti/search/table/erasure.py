"""Deletion by subject, with a check that nothing is left: neither a row, nor the bytes of one, nor a cached copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutti.errors import InputError, TuttiError
from tutti.search.table.location import Location
from tutti.search.table.schema import vectors_of
from tutti.search.table.store import Store, quoted


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was removed, and the check of it."""

    subject: str
    items: int
    rows: int
    caches: int
    """Cached indexes of long media."""
    checked_bytes: int
    """Bytes of files that were searched for what should be gone."""


def forget(store: Store, subject: str, cache: Path) -> Forgotten:
    """Remove all of a subject, and check that it is gone.

    Args:
        store: The table; the caller holds its lock.
        subject: Whose.
        cache: Folder of cached indexes.

    Raises:
        InputError: There is nothing of the subject.
        TuttiError: The check found something that was left.
    """
    mine = f"subject = {quoted(subject)}"
    table = store.table.search().where(mine).select(["item", "digest", "vector", "thumbnail"]).to_arrow()
    if not table.num_rows:
        raise InputError(f"There is nothing of the subject {subject!r} in the database; check the name.")
    digests = set(table["digest"].to_pylist())
    others = store.table.search().where(f"NOT ({mine}) OR subject IS NULL").select(["digest", "vector"]).to_arrow()
    traces = store.traces(mine) | _traces(
        table, set(others["digest"].to_pylist()), {row.tobytes() for row in vectors_of(others)}
    )
    caches = [folder for digest in digests if (folder := cache / "moments" / store.name_of(digest)[:32]).is_dir()]
    for folder in caches:
        shutil.rmtree(folder)
    store.delete(mine)
    if store.count(mine):
        raise TuttiError(f"Rows of the subject {subject!r} are still there after their deletion; run it again.")
    checked = _search_files(store.folder, traces)
    return Forgotten(
        subject=subject,
        items=len(set(table["item"].to_pylist())),
        rows=table.num_rows,
        caches=len(caches),
        checked_bytes=checked,
    )


def _traces(table: object, kept_digests: set[str], kept_vectors: set[bytes]) -> set[bytes]:
    """Bytes whose presence shows that data is left: digests and starts of vectors that no other subject has."""
    traces = {digest.encode() for digest in set(table["digest"].to_pylist()) - kept_digests}  # type: ignore[index]
    for vector in vectors_of(table):
        if vector.any() and vector.tobytes() not in kept_vectors:  # zeros stand for a row that has none
            traces.add(np.ascontiguousarray(vector[:8]).tobytes())
    return traces


def _search_files(folder: Location, traces: Iterable[bytes]) -> int:
    """Look for bytes in every file of a folder.

    Raises:
        TuttiError: Some are there.
    """
    traces, total = list(traces), 0
    for file, content in folder.files():
        total += len(content)
        if any(trace in content for trace in traces):
            raise TuttiError(f"{file} still holds data that was to be deleted; run the deletion again.")
    return total
