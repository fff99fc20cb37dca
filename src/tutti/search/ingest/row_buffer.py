"""Rows before they are written: beyond some hundreds, in a file, so that memory does not grow with a film's length."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any

from tutti.errors import CapacityError

_IN_MEMORY = 512
"""Rows. A commit of pictures has fewer, so that only long media come to lie in a file."""


class RowBuffer:
    """Rows in order, which can be iterated more than once.

    Args:
        rows: The first ones.
        spilling: Whether they may lie in a file; those of an encrypted database may not.
    """

    __slots__ = ("__weakref__", "_count", "_file", "_last", "spilling")

    def __init__(self, rows: Iterable[dict[str, Any]] = (), *, spilling: bool = True) -> None:
        self.spilling = spilling
        self._last: list[dict[str, Any]] = []
        self._file: IO[bytes] | None = None
        self._count = 0
        for row in rows:
            self.append(row)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._file is not None:
            self._file.seek(0)
            for _ in range((self._count - len(self._last)) // _IN_MEMORY):
                yield from pickle.load(self._file)  # noqa: S301 - a file without a name, that only we have written
        yield from self._last

    def append(self, row: dict[str, Any]) -> None:
        """Add a row at the end.

        Raises:
            CapacityError: The disk is full.
        """
        self._last.append(row)
        self._count += 1
        if self.spilling and len(self._last) == _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody holds the rows
                weakref.finalize(self, _close, self._file)
            self._file.seek(0, 2)
            pickle.dump(self._last, self._file)
            self._file.flush()
        except OSError as error:
            raise CapacityError(
                f"There is no room for the rows of a long medium in {tempfile.gettempdir()}: {error.strerror}; free "
                "some, or name another folder in TMPDIR."
            ) from None
        self._last = []


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # what a full disk did not take is of no use any more
        file.close()
