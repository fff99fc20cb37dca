"""Input from pipes: `-` and what is no file but can be read once, such as /dev/stdin, a FIFO or `<(command)`.

Media are looked into at several places, so a pipe is read once, within the budget of bytes, and held in memory.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import BinaryIO

from tutti.errors import CapacityError, InputError

STDIN = "-"


def given(text: str) -> str | bytes:
    """A path or `data:` URL as it is; the content of a pipe.

    Raises:
        InputError: The pipe is empty or was read before, or standard input is a terminal.
        CapacityError: It gives more bytes than allowed.
    """
    if text == STDIN:
        if sys.stdin.isatty():
            raise InputError("Standard input is a terminal; expected a medium, as in: cat photo.jpg | tutti ask … -")
        return _content(sys.stdin.buffer, "Standard input")
    if not is_pipe(text):
        return text
    try:
        with Path(text).open("rb") as pipe:
            return _content(pipe, text)
    except OSError as error:
        raise InputError(f"Cannot read {text}: {error.strerror or error}.") from None


def is_pipe(text: str) -> bool:
    """Whether a path leads to a pipe or a socket rather than to a file."""
    if text == STDIN:
        return True
    try:
        mode = Path(text).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _content(pipe: BinaryIO, name: str) -> bytes:
    from tutti.settings import read_settings

    most = read_settings().max_bytes
    content = pipe.read(most + 1)
    if len(content) > most:
        raise CapacityError(
            f"{name} gives more than {most:,} bytes: write it to a file and cut it, or raise TUTTI_MAX_BYTES."
        )
    if not content:
        raise InputError(f"{name} gave nothing; expected a medium, and a pipe can be read only once.")
    return content
