"""What the page keeps between requests: conversations, each tenant's for itself, and files; both for a stated time."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutti.content import Answer, Message

_MOST = 1000
"""Conversations that are kept at most; the one unused for longest goes."""


@dataclass
class ShownTurn:
    """A question and its answer."""

    asked: Message
    answer: Answer
    files: tuple[str, ...] = ()
    """Paths of its media, for the page to show again."""
    error: str = ""
    """A sentence in the place of an answer."""


@dataclass
class KeptDialogue:
    """One person's conversation."""

    id: str
    turns: list[ShownTurn] = field(default_factory=list)
    used: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end what is under way."""
    previewed: set[str] = field(default_factory=set)
    """Digests of what was shown before it would be sent elsewhere."""
    shown: dict[str, Any] = field(default_factory=dict)
    """Tab → what it showed last, for when the page is loaded again."""
    busy: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while a question is answered."""

    def messages(self) -> list[Message]:
        """What a model is sent: the turns that were answered."""
        return [
            message for turn in self.turns if not turn.error for message in (turn.asked, Message.answered(turn.answer))
        ]


class Dialogues:
    """Conversations by tenant and id. An id that is not known, or is another tenant's, begins a new one.

    Args:
        keep_s: How long one is kept that nobody uses.
        clock: Tells the time, in seconds.
    """

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.keep_s, self._clock = keep_s, clock
        self._held: dict[tuple[str, str], KeptDialogue] = {}
        self._lock = threading.Lock()

    def get(self, tenant: str, known: object = None) -> KeptDialogue:
        """The conversation of an id, or a new one."""
        with self._lock:
            self._sweep()
            key = (tenant, known if isinstance(known, str) else "")
            dialogue = self._held.pop(key, None) or KeptDialogue(secrets.token_urlsafe(24))
            dialogue.used = self._clock()
            self._held[tenant, dialogue.id] = dialogue
            return dialogue

    def shown(self, tenant: str, known: object, tab: str) -> Any:
        """What a tab showed last to whom an id belongs; None where that is nobody, or nothing."""
        with self._lock:
            dialogue = self._held.get((tenant, str(known)))
        return None if dialogue is None else dialogue.shown.get(tab)

    def forget(self, tenant: str, known: object) -> None:
        """Drop a conversation, and end what it has under way."""
        with self._lock:
            dialogue = self._held.pop((tenant, str(known)), None)
        if dialogue is not None:
            dialogue.stop.set()

    def __len__(self) -> int:
        return len(self._held)

    def _sweep(self) -> None:
        last = self._clock() - self.keep_s
        for key in [key for key, one in self._held.items() if one.used < last and not one.busy.locked()]:
            del self._held[key]
        while len(self._held) >= _MOST:
            del self._held[next(iter(self._held))]


def sweep_files(folder: Path, keep_s: float, now: float | None = None) -> int:
    """Remove the files of a folder that are older than a time, and folders that are empty then.

    Args:
        folder: Of the page's files alone.
        keep_s: In seconds.
        now: By the system's clock; that of this moment if None.

    Returns:
        How many files were removed.
    """
    last = (time.time() if now is None else now) - keep_s
    removed = 0
    for place, folders, names in os.walk(folder, topdown=False):
        for name in names:
            file = Path(place, name)
            try:
                status = file.lstat()
                if max(status.st_mtime, status.st_ctime) < last:
                    file.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        for name in folders:
            _remove_empty(Path(place, name), last)
    return removed


def _remove_empty(folder: Path, last: float) -> None:
    try:
        if folder.lstat().st_mtime < last or not any(folder.iterdir()):
            folder.rmdir()
    except OSError:  # not empty, or gone already
        return
