"""What happened, for a shop's own figures: asked, shown and chosen, without pictures and without the customer's words.

One JSON object a line, written at once and synced; a line that a kill cut off is passed over.
"""

from __future__ import annotations

import base64
import datetime
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tutti.errors import writing
from tutti.interfaces import Sealer
from tutti.media.whole_files import write_whole
from tutti.search.dialogue.wishes import ShopState

_SEALED, _CONTEXT = b"sealed:", "shop event"


class EventLog:
    """The events of one tenant.

    Args:
        folder: Of all tenants.
        tenant: Whose.
        sealer: Seals each line; None writes it as it is.
    """

    def __init__(self, folder: Path, tenant: str, sealer: Sealer | None = None) -> None:
        self.file, self.tenant, self.sealer = folder / tenant / "events.jsonl", tenant, sealer

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
        for line in self._lines():
            values = self._opened(line)
            if values is not None:
                yield values

    def forget(self, session: str) -> int:
        """Remove the events of a session; how many there were."""
        if not self.file.exists():
            return 0
        token = self._token(session)
        with self.file.open("rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            lines = self._lines()
            kept = [line for line in lines if (self._opened(line) or {}).get("session") != token]
            write_whole(self.file, b"".join(line + b"\n" for line in kept))
        return len(lines) - len(kept)

    def _note(self, event: str, session: str, **values: Any) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        content = json.dumps({"event": event, "session": self._token(session), "time": now, **values}).encode()
        if self.sealer is not None:
            content = _SEALED + base64.b64encode(self.sealer.seal(content, _CONTEXT))
        with writing(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._held() as out:
                start = b"" if self._ends_whole() else b"\n"  # a kill may have cut the last line off
                out.write(start + content + b"\n")
                out.flush()
                os.fsync(out.fileno())

    def _held(self) -> Any:
        """The file as it now is, locked for appending: `forget` may replace it meanwhile."""
        while True:
            out = self.file.open("ab")
            fcntl.flock(out, fcntl.LOCK_EX)
            if self.file.exists() and _same(out, self.file):
                return out
            out.close()

    def _ends_whole(self) -> bool:
        with self.file.open("rb") as file:
            file.seek(0, os.SEEK_END)
            if not file.tell():
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _lines(self) -> list[bytes]:
        return [line for line in self.file.read_bytes().split(b"\n") if line] if self.file.exists() else []

    def _opened(self, line: bytes) -> dict[str, Any] | None:
        try:
            if line.startswith(_SEALED):
                if self.sealer is None:
                    return None
                line = self.sealer.unseal(base64.b64decode(line[len(_SEALED) :]), _CONTEXT)
            values = json.loads(line)
        except ValueError:
            return None
        return values if isinstance(values, dict) else None

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


def _same(out: Any, file: Path) -> bool:
    own, named = os.fstat(out.fileno()), file.stat()
    return (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)
