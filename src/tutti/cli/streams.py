"""Standard streams, set up once before any command: what cannot be encoded, written or read ends in one sentence.

A stream that is closed is /dev/null from here on, so that no file that is opened later gets its number and with it
what libraries print (POSIX: the lowest free number is given out; Git does the same in `sanitize_stdfds`).
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import Any

from tutti.errors import InputError

_NEAREST = {"–": "-", "—": "-", "−": "-", "×": "x", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "·": "-"}
"""What stands for the signs of our own messages where an encoding lacks them."""


class ReaderGone(Exception):
    """Whoever read standard output has closed it, as `head` does."""


class _Output(io.FileIO):
    """Standard output: a failed write is an error of its own kind, unlike those of other files."""

    def write(self, content: Any) -> int:
        """Write some of the content, as `io.FileIO`."""
        try:
            return super().write(content)
        except BrokenPipeError:
            discard(self.fileno())
            raise ReaderGone from None
        except OSError as error:
            discard(self.fileno())
            raise InputError(
                f"Standard output cannot be written: {error.strerror}; the result is lost: direct it to a place with "
                "room and run the command again."
            ) from None


class _Notes(io.FileIO):
    """Standard error: notes that nobody can read do not end the work."""

    def write(self, content: Any) -> int:
        """Write some of the content, or drop it."""
        try:
            return super().write(content)
        except OSError:
            discard(self.fileno())
            return len(content)


def set_up() -> None:
    """Set the three streams up; call it once, before anything is printed."""
    codecs.register_error("tutti", _nearest)
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            _null(number, mode)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = _text(_Output(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Notes(2, "w", closefd=False), sys.stderr, lines=True)


def finish() -> None:
    """Write what is left; a failure here comes after another one that was reported."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ReaderGone, InputError):
            stream.flush()


def discard(number: int) -> None:
    """Let what is still to be written to a stream go nowhere."""
    _null(number, os.O_WRONLY)


def _null(number: int, mode: int) -> None:
    opened = os.open(os.devnull, mode)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _text(raw: io.FileIO, before: Any, *, lines: bool = False) -> io.TextIOWrapper:
    """A text stream in the encoding that was chosen for it, by the locale or PYTHONIOENCODING."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="tutti", line_buffering=lines or raw.isatty(), write_through=lines
    )


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_NEAREST.get(sign) or _escaped(sign) for sign in missing), error.end


def _escaped(sign: str) -> str:
    """A character as JSON would write it, a pair of surrogates for what lies beyond 16 bits."""
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
