"""Headers of CTranslate2's `model.bin`, read with the standard library and believed in nothing.

Source: the format as CTranslate2 writes it (`python/ctranslate2/specs/model_spec.py`, binary version 6), all numbers
little-endian: version; name and revision of the specification; variables, each with a name, a shape, a type, its number
of bytes and those bytes; aliases, each with a name and that of its variable.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tutti.checkpoints.headers import DTYPE_BYTES, Entry
from tutti.errors import CheckpointError, UnsupportedConfig

_VERSION = 6
_TYPES = ("F32", "I8", "I16", "I32", "F16", "BF16")
"""Number of a type → its safetensors name."""
_MAX_VARIABLES = 100_000
_MAX_AXES = 8


@dataclass(frozen=True, slots=True)
class Contents:
    """What a `model.bin` holds."""

    specification: str
    """Which model it is, such as "WhisperSpec"."""
    revision: int
    variables: Mapping[str, Entry]
    """Name → where its values lie in the file."""
    aliases: Mapping[str, str]
    """Further names of variables."""


def read_contents(file: Path) -> Contents:
    """The header of a `model.bin`; of the values only their places.

    Raises:
        CheckpointError: The file cannot be read, is cut off, or contradicts itself.
        UnsupportedConfig: It is of another version of the format.
    """
    try:
        with file.open("rb") as stream:
            return _read(_Reader(stream, file, file.stat().st_size))
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror}.") from None


class _Reader:
    """Reads numbers and names, none of them from behind the end of the file."""

    def __init__(self, stream: BinaryIO, file: Path, size: int) -> None:
        self.stream, self.file, self.size = stream, file, size

    def bytes(self, count: int) -> bytes:
        found = self.stream.read(count)
        if len(found) < count:
            raise self.damaged("ends in the middle of its header")
        return found

    def number(self, form: str) -> int:
        """One number in a form of `struct`."""
        value: int = struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))[0]
        return value

    def name(self) -> str:
        """A name: its length with the zero byte at its end, at most 65,535, then its bytes."""
        found = self.bytes(self.number("H"))
        if not found.endswith(b"\0") or not found[:-1].isascii() or b"\0" in found[:-1]:
            raise self.damaged(f"has {found[:20]!r} where a name should be")
        return found[:-1].decode("ascii")

    def count(self, what: str) -> int:
        """How many of something follow."""
        count = self.number("I")
        if count > _MAX_VARIABLES:
            raise self.damaged(f"claims {count:,} {what}, where at most {_MAX_VARIABLES:,} are read")
        return count

    def damaged(self, how: str) -> CheckpointError:
        return CheckpointError(f"{self.file.name} {how}; it is damaged or not CTranslate2's: fetch it again.")


def _read(reader: _Reader) -> Contents:
    if (version := reader.number("I")) != _VERSION:
        raise UnsupportedConfig(
            f"{reader.file.name} is of version {version} of CTranslate2's format, or no file of CTranslate2's at all; "
            f"expected version {_VERSION}, which CTranslate2 writes since its release 3."
        )
    specification, revision = reader.name(), reader.number("I")
    variables: dict[str, Entry] = {}
    for _ in range(reader.count("variables")):
        entry = _variable(reader)
        if entry.name in variables:
            raise reader.damaged(f"names {entry.name!r} twice")
        variables[entry.name] = entry
    aliases: dict[str, str] = {}
    for _ in range(reader.count("aliases")):
        alias, name = reader.name(), reader.name()
        if alias in variables or alias in aliases or name not in variables:
            raise reader.damaged(f"gives {name!r} the further name {alias!r}, which cannot be")
        aliases[alias] = name
    if rest := reader.size - reader.stream.tell():
        raise reader.damaged(f"has {rest:,} bytes behind its end")
    return Contents(specification, revision, variables, aliases)


def _variable(reader: _Reader) -> Entry:
    """The place of a variable; its values are passed over, once the file is known to hold them."""
    name, axes = reader.name(), reader.number("B")
    if axes > _MAX_AXES:
        raise reader.damaged(f"describes {name!r} with {axes} axes")
    shape = tuple(reader.number("I") for _ in range(axes))
    kind, count = reader.number("B"), reader.number("I")
    if kind >= len(_TYPES):
        raise reader.damaged(f"describes {name!r} with the unknown type {kind}")
    if (needed := math.prod(shape) * DTYPE_BYTES[_TYPES[kind]]) != count:
        raise reader.damaged(
            f"describes {name!r} as {_TYPES[kind]} of shape {list(shape)}, which needs {needed:,} bytes, in {count:,}"
        )
    start = reader.stream.tell()
    if start + count > reader.size:
        raise reader.damaged(f"has {reader.size - start:,} of the {count:,} bytes of {name!r}")
    reader.stream.seek(count, 1)
    return Entry(name, _TYPES[kind], shape, reader.file, start, start + count)
