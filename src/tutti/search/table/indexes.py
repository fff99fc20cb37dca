"""Indexes of the table: full text over words, and one over vectors once an exact scan would take too long."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.search.table.store import Store

EXACT_ROWS = 100_000
"""Up to so many rows every query is an exact scan; beyond, cells are scanned. By measurement: docs/decisions/0056."""
_ROWS_A_CELL = 1000
_FILTERED = ("kind", "deleted", "modality")
_PROBED = 24
"""Cells that a query looks into."""
_REFINE = 4
"""Times as many candidates as asked for are compared by their whole vectors."""


def tune(store: Store) -> None:
    """Make the indexes that the size of the table asks for; `compact` brings old ones up to date."""
    from lancedb.index import Bitmap, IvfSq

    tune_words(store)
    rows = store.count()
    # What is sealed is rebuilt in memory at each opening, and an exact scan there costs less than cells would.
    if not store.sealed and not _has_index(store, "vector") and rows > EXACT_ROWS:
        cells = max(16, rows // _ROWS_A_CELL)
        store.table.create_index("vector", config=IvfSq(distance_type="cosine", num_partitions=cells))
        for column in _FILTERED:  # otherwise each query scans these columns for its filter
            store.table.create_index(column, config=Bitmap())


def tune_words(store: Store) -> None:
    """Make the index of full text, where there are words and none yet."""
    from lancedb.index import FTS

    if not _has_index(store, "words") and store.count("words IS NOT NULL"):
        store.table.create_index("words", config=FTS())


def _has_index(store: Store, column: str) -> bool:
    return any(index.columns == [column] for index in store.table.list_indices())


def nearest(store: Store, vector: NDArray[np.float32]) -> Any:
    """A query for the nearest rows by cosine: exact on a small table, through the index on a large one."""
    query = store.table.search(vector, vector_column_name="vector").distance_type("cosine")
    if _has_index(store, "vector"):
        query = query.nprobes(_PROBED).refine_factor(_REFINE)
    return query
