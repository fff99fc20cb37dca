"""Decisions of a tenant on disk: one JSON object a line, written at once and synced, sealed where there is a vault.

A line that a kill cut off is passed over, so that the next run decides anew on that medium alone.
"""

from __future__ import annotations

import base64
import datetime
import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.media.whole_files import write_whole

_SEALED, _CONTEXT = b"sealed:", "moderation decision"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class DecisionJournal:
    """Decisions and verdicts of one tenant.

    Args:
        folder: Of all tenants.
        tenant: Whose.
        sealer: Seals each line; None writes it as it is.

    Raises:
        InputError: The tenant's name is none.
    """

    def __init__(self, folder: Path, tenant: str = "default", sealer: Sealer | None = None) -> None:
        if not _TENANT.fullmatch(tenant):
            raise InputError(f"The tenant {tenant!r} was named; expected up to 64 letters, digits, dots, - and _.")
        self.file, self.sealer = folder / tenant / "decisions.jsonl", sealer
        self.sealed_elsewhere = 0
        """Lines that the last reading could not open."""

    def note(self, event: str, **values: Any) -> None:
        """Add a line, on the disk when this returns.

        Raises:
            InputError: It cannot be written.
            CapacityError: The disk is full.
        """
        content = json.dumps({"event": event, "time": _now().isoformat(timespec="seconds"), **values}).encode()
        if self.sealer is not None:
            content = _SEALED + base64.b64encode(self.sealer.seal(content, _CONTEXT))
        with writing(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.file.open("ab+") as out:
                fcntl.flock(out, fcntl.LOCK_EX)
                if out.seek(0, os.SEEK_END):
                    out.seek(-1, os.SEEK_END)
                    if out.read(1) != b"\n":
                        out.write(b"\n")  # a kill cut the last line off
                out.write(content + b"\n")
                out.flush()
                os.fsync(out.fileno())

    def read(self) -> Iterator[dict[str, Any]]:
        """All lines, the oldest first."""
        self.sealed_elsewhere = 0
        for line in self._lines():
            values = self._opened(line)
            if values is not None:
                yield values

    def decided(self) -> dict[str, dict[str, Any]]:
        """Id of a decision → the decision, with its `key`."""
        return {row["id"]: row for row in self.read() if row["event"] == "decided"}

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Key of a medium → what a person last said of it."""
        return {row["key"]: row for row in self.read() if row["event"] == "judged"}

    def purge(self, days: int | None) -> int:
        """Remove what is older than so many days; how many lines. Verdicts go with the rest."""
        if days is None or not self.file.exists():
            return 0
        before = (_now() - datetime.timedelta(days=days)).isoformat(timespec="seconds")
        lines = self._lines()
        kept = [line for line in lines if (self._opened(line) or {"time": before})["time"] >= before]
        if len(kept) < len(lines):
            write_whole(self.file, b"".join(line + b"\n" for line in kept))
        return len(lines) - len(kept)

    def _lines(self) -> list[bytes]:
        return [line for line in self.file.read_bytes().split(b"\n") if line] if self.file.exists() else []

    def _opened(self, line: bytes) -> dict[str, Any] | None:
        try:
            if line.startswith(_SEALED):
                if self.sealer is None:
                    self.sealed_elsewhere += 1
                    return None
                line = self.sealer.unseal(base64.b64decode(line[len(_SEALED) :]), _CONTEXT)
            values = json.loads(line)
        except (ValueError, InputError):
            self.sealed_elsewhere += 1
            return None
        return values if isinstance(values, dict) and {"event", "time"} <= set(values) else None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
