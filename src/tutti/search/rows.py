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
from tutti.search.colours import Palette, names_of
from tutti.search.facets import Facet
from tutti.search.walk import Source


def row_of(
    source: Source,
    part: Part | None,
    digest: str,
    size: int,
    facet: Facet,
    number: int,
    vector: NDArray[np.float32] | None,
) -> dict[str, Any]:
    """A facet of an item as a row; without a vector, it is found by its words only."""
    palette = facet.palette
    return {
        **source.columns,
        "id": hashlib.sha256(f"{source.item}\0{number}".encode()).hexdigest()[:32],
        "item": source.item,
        "path": source.path,
        "modality": part.modality if part is not None else "text",
        "kind": facet.kind,
        "start_s": facet.start_s,
        "end_s": facet.end_s,
        "shot": facet.shot,
        "words": facet.words or None,
        "origin": facet.origin or None,
        "lines": json.dumps([asdict(line) for line in facet.lines], ensure_ascii=False) if facet.lines else None,
        "colours": names_of(palette) if palette is not None else None,
        "palette": packed(palette) if palette is not None else None,
        "thumbnail": facet.thumbnail or None,
        "digest": digest,
        "stamp": source.stamp,
        "bytes": size,
        "modified": _modified(source.path),
        "indexed": _time(time.time()),
        "subject": source.subject,
        "deleted": False,
        "vector": vector,
    }


def packed(palette: Palette) -> list[float]:
    """A palette as share, L*, a*, b* of each colour in turn."""
    return [float(value) for value in np.column_stack([palette.shares, palette.lab]).ravel()]


def unpacked(values: list[float]) -> Palette:
    """The palette of such a list."""
    table = np.array(values, np.float32).reshape(-1, 4)
    return Palette(table[:, 0], table[:, 1:])


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
