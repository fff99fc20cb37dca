"""Lines that are only added to: JSON objects, written at once and synced, each sealed where there is a key.

A line that a kill cut off is passed over. Lines are removed under the lock that others add under, so that none is lost.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.media.whole_files import write_whole

_SEALED = b"sealed:"


class SealedLog:
    """A file of such lines; several processes may share it.

    Args:
        file: Made at the first line, for its owner only.
        context: What a line is, which a sealed one is bound to.
        sealer: Seals each line; None writes it as it is.
        skip_foreign: Pass over lines that the key does not open; otherwise one is an error.
    """

    def __init__(self, file: Path, context: str, sealer: Sealer | None = None, *, skip_foreign: bool = False) -> None:
        self.file, self._context, self._sealer, self._skip_foreign = file, context, sealer, skip_foreign

    def add(self, values: Mapping[str, Any]) -> None:
        """Add a line, on the disk when this returns.

        Raises:
            InputError: It cannot be written.
            CapacityError: The disk is full.
        """
        content = json.dumps(values).encode()
        if self._sealer is not None:
            content = _SEALED + base64.b64encode(self._sealer.seal(content, self._context))
        with writing(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._held() as out:
                start = b""
                if out.seek(0, os.SEEK_END):
                    out.seek(-1, os.SEEK_END)
                    start = b"" if out.read(1) == b"\n" else b"\n"  # a kill cut the last line off
                out.write(start + content + b"\n")
                out.flush()
                os.fsync(out.fileno())

    def read(self) -> Iterator[dict[str, Any] | None]:
        """All lines, the oldest first; None for one that is cut off, or that cannot be opened.

        Raises:
            InputError: One is sealed with another key, or was changed, and `skip_foreign` is not set.
        """
        return map(self._opened, self._lines())

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """Remove the lines whose values are not wanted; how many. What is not opened stays. Errors as for `read`."""
        if not self.file.exists():
            return 0
        with self._held():
            lines = self._lines()
            kept = [line for line in lines if (row := self._opened(line)) is None or wanted(row)]
            if len(kept) < len(lines):
                write_whole(self.file, b"".join(line + b"\n" for line in kept))
        return len(lines) - len(kept)

    @contextlib.contextmanager
    def _held(self) -> Iterator[BinaryIO]:
        """The file as it now is, locked: `keep` may have replaced it while the lock was waited for."""
        while True:
            with self.file.open("ab+") as out:
                fcntl.flock(out, fcntl.LOCK_EX)
                if self.file.exists() and _is(out, self.file):
                    yield out
                    return

    def _lines(self) -> list[bytes]:
        return [line for line in self.file.read_bytes().split(b"\n") if line] if self.file.exists() else []

    def _opened(self, line: bytes) -> dict[str, Any] | None:
        try:
            if line.startswith(_SEALED):
                if self._sealer is None:
                    return None
                line = self._sealer.unseal(base64.b64decode(line[len(_SEALED) :]), self._context)
            values = json.loads(line)
        except ValueError:
            return None
        except InputError:
            if not self._skip_foreign:
                raise
            return None
        return values if isinstance(values, dict) else None


def _is(out: BinaryIO, file: Path) -> bool:
    return os.path.samestat(os.fstat(out.fileno()), file.stat())
