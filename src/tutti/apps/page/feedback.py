"""Thumbs and corrections: a line of JSON each, in a file that the person who started the page has named."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tutti.apps.page.conversations import ShownTurn
from tutti.content import Media, Text
from tutti.errors import InputError, writing


class FeedbackFile:
    """A file of verdicts on answers.

    Media are in it by digest alone. Without a file, nothing is kept, and the page says so.

    Args:
        path: The file; lines are added at its end.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, turn: ShownTurn, verdict: str, *, right: str = "", tenant: str = "") -> str:
        """Write down what a person thinks of an answer.

        Args:
            turn: The question and its answer.
            verdict: `up` or `down`.
            right: The right answer, as the person knows it.
            tenant: Whose it is.

        Returns:
            What to tell the person.

        Raises:
            InputError: The verdict is neither, or the file cannot be written.
            CapacityError: The disk is full.
        """
        if verdict not in {"up", "down"}:
            raise InputError(f"{verdict!r} is no verdict; expected up or down.")
        if self.path is None:
            return "Not kept: the page was started without --feedback FILE."
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "tenant": tenant,
            "model": turn.answer.model,
            "question": " ".join(part.text for part in turn.asked.parts if isinstance(part, Text)),
            "media": [part.digest for part in turn.asked.parts if isinstance(part, Media)],
            "answer": turn.answer.text,
            "verdict": verdict,
        }
        if right.strip():
            line["right"] = right.strip()
        with self._lock, writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return "Thank you; it is noted."
