"""Decisions of a tenant on disk: one JSON object a line, written at once and synced, sealed where there is a vault.

A line that a kill cut off is passed over, so that the next run decides anew on that medium alone.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutti.errors import InputError
from tutti.interfaces import Sealer
from tutti.trust.vault.sealed_log import SealedLog

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
        self._log = SealedLog(self.file, "moderation decision", sealer, skip_foreign=True)
        self.sealed_elsewhere = 0
        """Lines that the last reading could not open."""

    def note(self, event: str, **values: Any) -> None:
        """Add a line, on the disk when this returns.

        Raises:
            InputError: It cannot be written.
            CapacityError: The disk is full.
        """
        self._log.add({"event": event, "time": _now().isoformat(timespec="seconds"), **values})

    def read(self) -> Iterator[dict[str, Any]]:
        """All lines, the oldest first."""
        self.sealed_elsewhere = 0
        for row in self._log.read():
            if row is None:
                self.sealed_elsewhere += 1
            elif {"event", "time"} <= set(row):
                yield row

    def state(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """What `decided` and `verdicts` return, in one reading of the file."""
        decided: dict[str, dict[str, Any]] = {}
        verdicts: dict[str, dict[str, Any]] = {}
        for row in self.read():
            if row["event"] == "decided":
                decided[row["id"]] = row
            elif row["event"] == "judged":
                verdicts[row["key"]] = row
        return decided, verdicts

    def decided(self) -> dict[str, dict[str, Any]]:
        """Id of a decision → the decision, with its `key`."""
        return self.state()[0]

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Key of a medium → what a person last said of it."""
        return self.state()[1]

    def purge(self, days: int | None) -> int:
        """Remove what is older than so many days; how many lines. Verdicts go with the rest."""
        if days is None:
            return 0
        before = (_now() - datetime.timedelta(days=days)).isoformat(timespec="seconds")
        return self._log.keep(lambda row: row.get("time", before) >= before)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
