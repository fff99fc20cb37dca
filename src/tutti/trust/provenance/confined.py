"""Runs C2PA's library in a process of its own, which may crash, hang or grow without anyone else noticing."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

from tutti.errors import CapacityError, MissingExtra

_LARGEST_HEAD = 1 << 16
_GROWTH = 1 << 24
"""Most bytes that a reply may have beyond those of the job."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one file may take."""

    seconds: float = 30.0
    cpu_seconds: int = 30
    memory_bytes: int = 2**30
    """Beyond four times the file's size."""


class Refused(Exception):
    """The library's own error.

    Args:
        kind: Its name in the library, such as ManifestNotFound.
        message: What it says.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def run(job: dict[str, Any], content: bytes, budget: Budget) -> bytes:
    """Do a job on a file's content.

    Raises:
        Refused: The library reports an error.
        CapacityError: The process crashed, hung, or took more than it may.
        MissingExtra: The extra `provenance` is not installed.
    """
    if importlib.util.find_spec("c2pa") is None:
        raise MissingExtra("Provenance", "provenance")
    memory = budget.memory_bytes + 4 * len(content)
    code = f"from tutti.trust.provenance.worker import main; main({budget.cpu_seconds}, {memory})"
    head = json.dumps(job).encode()
    process = subprocess.Popen(  # noqa: S603 - our own code, in our own interpreter
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/nonexistent"},
        start_new_session=True,
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(budget.seconds, end)
    feeder = threading.Thread(target=_fed, args=(process, len(head).to_bytes(8, "little") + head, content))
    timer.start()
    feeder.start()
    try:
        assert process.stdout is not None  # noqa: S101 - opened as a pipe
        reply = process.stdout.read(8 + _LARGEST_HEAD + len(content) + _GROWTH)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        feeder.join()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
    return _parsed(reply, late.is_set(), budget)


def _fed(process: subprocess.Popen[bytes], head: bytes, content: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - opened as a pipe
    with contextlib.suppress(OSError):
        process.stdin.write(head)
        process.stdin.write(content)
        process.stdin.close()


def _parsed(reply: bytes, late: bool, budget: Budget) -> bytes:
    size = int.from_bytes(reply[:8], "little")
    if late:
        raise CapacityError(f"its parser took more than {budget.seconds:g} s")
    try:
        if len(reply) < 8 or not 0 < size <= _LARGEST_HEAD:
            raise ValueError
        fields = json.loads(reply[8 : 8 + size])
        kind, message = fields.get("error"), str(fields.get("message", ""))[:500]
    except (ValueError, AttributeError):
        raise CapacityError("its parser crashed, or took more memory or time than it may") from None
    if kind == "memory":
        raise CapacityError(f"its parser was stopped: {message}")
    if kind is not None:
        raise Refused(str(kind), message)
    return reply[8 + size :]
