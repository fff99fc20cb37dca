"""Answers to deterministic requests, kept in a folder so that nobody pays twice for the same."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tutti.content import Answer, ToolCall, Usage
from tutti.errors import InputError
from tutti.interfaces import Sealer

_KEPT = ("text", "model", "finish_reason", "seconds")


class AnswerCache:
    """A folder of answers, a file each, readable by the owner only. Safe to share between processes.

    Args:
        folder: Made when it is first needed.
        sealer: Encrypts the files; without one they are plain JSON.
    """

    def __init__(self, folder: Path, sealer: Sealer | None = None) -> None:
        self.folder, self._sealer = folder, sealer
        self.hits = self.misses = 0

    def get(self, key: str) -> Answer | None:
        """The answer kept under a fingerprint; None where there is none or its file is damaged."""
        try:
            content = (self.folder / f"{key}.json").read_bytes()
            values: dict[str, Any] = json.loads(
                self._sealer.unseal(content, _context(key)) if self._sealer else content
            )
            usage = Usage(**values.pop("usage"))
            calls = tuple(ToolCall(**call) for call in values.get("tool_calls", ()))
            answer = Answer(usage=usage, tool_calls=calls, **{name: values[name] for name in _KEPT})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, InputError):
            self.misses += 1
            return None
        self.hits += 1
        return answer

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, whole or not at all; one that was paid for is not lost because it cannot be kept."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self.folder)
            try:
                content = json.dumps(asdict(answer)).encode()
                with os.fdopen(handle, "wb") as file:
                    file.write(self._sealer.seal(content, _context(key)) if self._sealer else content)
                Path(name).replace(self.folder / f"{key}.json")
            finally:
                Path(name).unlink(missing_ok=True)


def _context(key: str) -> str:
    return f"answer {key}"
