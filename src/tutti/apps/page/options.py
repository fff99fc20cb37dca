"""What the page offers, and where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Reserve: TypeAlias = Callable[[], AbstractContextManager[None]]
"""Reserves the place of an answer among those that a server makes at once."""
MOUNTED_AT = "/ui"


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What the page offers."""

    models: Sequence[str]
    """Names that may be chosen; the first is asked by default."""
    indexes: Mapping[str, str] = field(default_factory=dict)
    """Name → folder of the databases that may be searched."""
    reports: Mapping[str, Path] = field(default_factory=dict)
    """Name → folder of a report of `tutti evaluate`."""
    applications: Mapping[str, str] = field(default_factory=dict)
    """shop, radiology, moderation → its database, folder of cases, policy."""
    feedback: Path | None = None
    """Folder for thumbs, corrections and choices; None keeps none."""
    keep_s: float = 3600.0
    """How long uploads, and conversations that nobody uses, are kept."""
    max_upload_bytes: int = 32 * 2**20
    at_once: int = 4
    """Answers of the page at once."""
