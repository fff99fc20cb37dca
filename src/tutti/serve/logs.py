"""The log: one JSON object a line on stderr. Never a prompt, an answer, a medium, a path or a message made of them."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

_LOGGER = logging.getLogger("tutti.serve")


class _AsJson(logging.Formatter):
    """Warnings of other libraries are logged by their place in the code: their text may hold content."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name == _LOGGER.name
        fields = getattr(record, "fields", {}) if ours else {"logger": record.name, "line": record.lineno}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage() if ours else "library",
        }
        return json.dumps({**head, **fields}, ensure_ascii=False)


def configure() -> None:
    """Send the log of this process to stderr, as JSON; once, however often it is called."""
    root = logging.getLogger()
    if any(isinstance(one.formatter, _AsJson) for one in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_AsJson())
    root.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)


def log_event(event: str, **fields: Any) -> None:
    """Log something that happened. Fields are numbers and names, never content."""
    _LOGGER.info(event, extra={"fields": {name: value for name, value in fields.items() if value is not None}})


def log_bug(error: Exception, **fields: Any) -> None:
    """Log where a bug of ours is: the kind of error and its frames, but not its message, which may hold content."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    fields |= {"error": type(error).__name__, "frames": frames[-12:]}
    _LOGGER.error("bug", extra={"fields": fields})
