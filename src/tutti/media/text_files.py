"""Text files of others: UTF-8 with or without a byte order mark, and lines that end at line feeds and nowhere else.

`str.splitlines` also splits at U+2028, U+2029, U+0085 and six more, which JSON allows inside its strings (RFC 8259,
section 7), and text mode splits at lone carriage returns. JSON Lines ends lines at line feeds (jsonlines.org).
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from tutti.errors import CapacityError, InputError

MOST_BYTES = 512_000_000
"""Largest text file that is read whole."""
_LONGEST_LINE = 64_000_000


def read_text(path: str | PathLike[str], most_bytes: int = MOST_BYTES) -> str:
    """The text of a UTF-8 file, without its byte order mark; what ends its lines is kept.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
        CapacityError: It has more bytes than allowed.
    """
    name = fspath(path)
    try:
        with Path(name).open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"Cannot read {name}: {error.strerror or error}.") from None
    except ValueError:
        raise InputError(f"{name!r} is not a path; expected one without null characters.") from None
    if len(content) > most_bytes:
        raise CapacityError(f"{name} has more than {most_bytes:,} bytes of text; split it.")
    return decoded(content, name)


def decoded(content: bytes, name: str, *, mark: bool = True) -> str:
    """The text of bytes in UTF-8; a byte order mark at their beginning is left out unless `mark` is false.

    Raises:
        InputError: They are not UTF-8.
    """
    try:
        return content.decode("utf-8-sig" if mark else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text that hold something, with their numbers from 1, without what ends them."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def read_lines(path: str | PathLike[str], most_bytes: int = MOST_BYTES) -> Iterator[tuple[int, str]]:
    """As `lines_of`, of a file that is read at once. Errors as for `read_text`."""
    return lines_of(read_text(path, most_bytes))


def stream_lines(path: str | PathLike[str]) -> Iterator[tuple[int, str]]:
    """As `lines_of`, of a file of any size, one line in memory at a time.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
        CapacityError: A line is longer than 64 MB.
    """
    name = fspath(path)
    try:
        with Path(name).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), 1):
                if len(line) > _LONGEST_LINE:
                    raise CapacityError(f"Line {number} of {name} has more than {_LONGEST_LINE:,} bytes; split it.")
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                text = decoded(content, f"Line {number} of {name}", mark=False).removesuffix("\n").removesuffix("\r")
                if text.strip():
                    yield number, text
    except OSError as error:
        raise InputError(f"Cannot read {name}: {error.strerror or error}.") from None


def json_object(line: str) -> dict[str, Any]:
    """The JSON object on a line.

    Raises:
        InputError: It is not JSON, or no object; the message begins in lower case, for the line's number before it.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InputError(f"expected an object, found {type(value).__name__}.")
    return value
