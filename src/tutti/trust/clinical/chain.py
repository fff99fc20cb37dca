"""An append-only log whose entries each hold the digest of the one before, so that what is changed inside shows.

A chain alone does not show that its end was cut off, nor that all of it was written anew: whoever keeps what it tells
of holds that against its entries (`tutti.apps.radiology.cases`), and signatures are by keys that lie elsewhere.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tutti.errors import InputError, writing
from tutti.interfaces import Sealer

START = "0" * 64
_CONTEXT = "audit log entry"


def canonical(values: Any) -> bytes:
    """Plain values as bytes that are the same for the same values: keys in order, no spaces, UTF-8."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(values: Any) -> str:
    """SHA-256 of the canonical form, in 64 hexadecimal digits."""
    return hashlib.sha256(canonical(values)).hexdigest()


class AuditLog:
    """A log in one file, an entry a line.

    Args:
        file: Where; made with the first entry.
        sealer: Seals each line; None writes it as JSON.
    """

    def __init__(self, file: Path, sealer: Sealer | None = None) -> None:
        self.file, self.sealer = file, sealer

    def entries(self) -> list[dict[str, Any]]:
        """All entries, checked. A last line that a kill cut off was never promised, and is left out.

        Raises:
            InputError: The log was tampered with, or cannot be read; the message says where.
        """
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"Cannot read {self.file}: {error.strerror or error}.") from None
        found, before = [], START
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            entry = self._read(line, number)
            own = entry.pop("digest", None)
            if entry.get("before") != before or entry.get("number") != number or digest(entry) != own:
                raise self._tampered(number)
            before = own
            found.append({**entry, "digest": own})
        return found

    def append(self, event: dict[str, Any]) -> dict[str, Any]:
        """Add an entry; it is on the disk when this returns. The caller holds `held`.

        Raises:
            InputError: The log was tampered with, or cannot be written.
            CapacityError: The disk is full.
        """
        entries = self.entries()
        entry = {**event, "number": len(entries) + 1, "before": entries[-1]["digest"] if entries else START}
        entry["digest"] = digest(entry)
        line = canonical(entry)
        if self.sealer is not None:
            line = base64.b64encode(self.sealer.seal(line, f"{_CONTEXT} {entry['number']}"))
        with writing(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.file.open("ab+") as out:
                self._drop_torn(out)
                out.write(line + b"\n")
                out.flush()
                os.fsync(out.fileno())
        return entry

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the log, so that of two writers one waits for the other."""
        lock = self.file.with_suffix(".lock")
        with writing(lock):
            lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = lock.open("a")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _drop_torn(out: Any) -> None:
        out.seek(0)
        content = out.read()
        if content and not content.endswith(b"\n"):
            out.truncate(content.rfind(b"\n") + 1)

    def _read(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            if self.sealer is not None:
                line = self.sealer.unseal(base64.b64decode(line, validate=True), f"{_CONTEXT} {number}")
            entry = json.loads(line)
        except ValueError:
            raise self._tampered(number) from None
        if not isinstance(entry, dict):
            raise self._tampered(number)
        return entry

    def _tampered(self, number: int) -> InputError:
        sealed = "" if self.sealer is not None else " (or sealed, and no vault was given)"
        return InputError(
            f"The audit log {self.file} was changed at entry {number}{sealed}: its chain of digests does not hold; "
            "restore it from your copy, and find out who changed it."
        )
