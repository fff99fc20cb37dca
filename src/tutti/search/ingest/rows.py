"""From facets to rows of the table."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Part
from tutti.search.ingest.facets import Facet
from tutti.search.ingest.walk import ItemSource
from tutti.search.query.colours import names_of, packed
from tutti.search.table.schema import Row


def row_of(
    source: ItemSource,
    part: Part | None,
    digest: str,
    size: int,
    facet: Facet,
    number: int,
    vector: NDArray[np.float32] | None,
) -> dict[str, Any]:
    """A facet of an item as a row; without a vector, it is found by its words only."""
    palette = facet.palette
    row = Row(
        id=hashlib.sha256(f"{source.item}\0{number}".encode()).hexdigest()[:32],
        item=source.item,
        path=source.path,
        modality=part.modality if part is not None else "text",
        kind=facet.kind,
        start_s=facet.start_s,
        end_s=facet.end_s,
        shot=facet.shot,
        page=facet.page,
        words=facet.words or None,
        origin=facet.origin or None,
        lines=json.dumps([asdict(line) for line in facet.lines], ensure_ascii=False) if facet.lines else None,
        colours=names_of(palette) if palette is not None else None,
        palette=packed(palette) if palette is not None else None,
        thumbnail=facet.thumbnail or None,
        digest=digest,
        stamp=source.stamp,
        bytes=size,
        modified=_modified(source.path),
        indexed=_time(time.time()),
        subject=source.subject,
        deleted=False,
        vector=vector,
    )
    return {**source.columns, **row.to_dict()}


def _time(seconds: float) -> str:
    """As ISO 8601 in UTC, so that the order of texts is that of times: modified > '2026-01-31'."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _modified(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return _time(Path(path).stat().st_mtime)
    except OSError:
        return None
