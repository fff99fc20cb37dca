"""What happened, for a shop's own figures: asked, shown and chosen, without pictures and without the customer's words.

One JSON object a line, written at once and synced; a line that a kill cut off is passed over.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tutti.interfaces import Sealer
from tutti.search.dialogue.wishes import ShopState
from tutti.trust.vault.sealed_log import SealedLog


class EventLog:
    """The events of one tenant.

    Args:
        folder: Of all tenants.
        tenant: Whose.
        sealer: Seals each line; None writes it as it is.
    """

    def __init__(self, folder: Path, tenant: str, sealer: Sealer | None = None) -> None:
        self.file, self.tenant = folder / tenant / "events.jsonl", tenant
        self._log = SealedLog(self.file, "shop event", sealer)

    def asked(self, session: str, state: ShopState, questions: int) -> None:
        """Note what is wanted after a turn."""
        wishes = [{name: value for name, value in wish.to_dict().items() if name != "said"} for wish in state.wishes]
        self._note("asked", session, turn=state.turn, wishes=wishes, photo=state.photo is not None, questions=questions)

    def shown(self, session: str, turn: int, offers: Sequence[str], alternatives: Sequence[str]) -> None:
        """Note what was shown."""
        self._note("shown", session, turn=turn, offers=list(offers), alternatives=list(alternatives))

    def chosen(self, session: str, turn: int, product: str) -> None:
        """Note what the customer takes."""
        self._note("chosen", session, turn=turn, product=product)

    def read(self) -> Iterator[dict[str, Any]]:
        """All events, the oldest first."""
        return (row for row in self._log.read() if row is not None)

    def forget(self, session: str) -> int:
        """Remove the events of a session; how many there were."""
        token = self._token(session)
        return self._log.keep(lambda row: row.get("session") != token)

    def _note(self, event: str, session: str, **values: Any) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._log.add({"event": event, "session": self._token(session), "time": now, **values})

    def _token(self, session: str) -> str:
        return hashlib.sha256(f"{self.tenant}\0{session}".encode()).hexdigest()[:16]


def figures(events: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
    """What a shop asks of its events: sessions, turns, those without an offer, asked back, and the share that chose."""
    sessions: set[str] = set()
    chose: set[str] = set()
    turns = empty = asked_back = 0
    for event in events:
        sessions.add(event["session"])
        turns += event["event"] == "asked"
        asked_back += event["event"] == "asked" and event["questions"] > 0
        empty += event["event"] == "shown" and not event["offers"]
        if event["event"] == "chosen":
            chose.add(event["session"])
    return {
        "sessions": len(sessions),
        "turns": turns,
        "turns_without_offer": empty,
        "turns_asked_back": asked_back,
        "sessions_that_chose": len(chose),
        "conversion": len(chose) / len(sessions) if sessions else None,
    }
