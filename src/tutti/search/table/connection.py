"""LanceDB, opened with limits on memory: rows read at once, cached metadata and indexes, what its threads keep."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tutti.errors import MissingExtra
from tutti.search.table.location import Location

_SCANNING = {"LANCE_DEFAULT_BATCH_SIZE": "256", "LANCE_DEFAULT_IO_BUFFER_SIZE": str(16 * 2**20)}
"""Rows that are read at once, and bytes ahead of them. Lance's own are 8,192 and 2 GiB, with which compacting holds all
that it compacts: docs/decisions/0059."""
_CACHED_METADATA, _CACHED_INDEXES = 64 * 2**20, 2**30
"""Bytes. Lance would keep the manifests of all versions up to 1 GiB, and 6 of indexes."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""


def connected(folder: Location) -> Any:
    """The database in a folder.

    Raises:
        MissingExtra: LanceDB is not installed.
    """
    try:
        import lancedb
    except ImportError:
        raise MissingExtra("Search", "search") from None
    session = lancedb.Session(index_cache_size_bytes=_CACHED_INDEXES, metadata_cache_size_bytes=_CACHED_METADATA)
    return lancedb.connect(folder.name, session=session)


def in_memory(name: str, schema: Any) -> Any:
    """An empty table that lies in memory alone; its indexes do, too."""
    import lancedb

    return lancedb.connect("memory://").create_table(name, schema=schema)


def bound_reading() -> None:
    """Limit what Lance reads at once; a process that only searches keeps the default, which is a little faster.

    Lance reads these variables once, at its first scan.
    """
    for name, value in _SCANNING.items():
        os.environ.setdefault(name, value)


@contextmanager
def freed_at_once() -> Iterator[None]:
    """Have malloc return large blocks once they are freed: otherwise each of Lance's threads keeps up to 64 MB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # None: another C library than glibc
    if mallopt is None:
        yield
        return
    mallopt(_M_MMAP_THRESHOLD, 2**20)
    mallopt(_M_TRIM_THRESHOLD, 2**20)
    try:
        yield
    finally:  # where glibc ends by itself, as suits tensors
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
