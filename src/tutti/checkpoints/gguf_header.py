"""Headers of GGUF files, read with the standard library and believed in nothing.

Source: the format as llama.cpp documents it (`docs/gguf.md` of ggml), versions 2 and 3, all numbers little-endian:
"GGUF", version, numbers of tensors and of entries; entries, each a name, a type and a value; tensors, each a name, a
shape (columns first), a type and where its values begin; the values, aligned.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutti.checkpoints.layouts import GGUF_MAGIC
from tutti.errors import CapacityError, CheckpointError, UnsupportedConfig

_VERSIONS = (2, 3)
_NUMBERS: Mapping[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
"""Number of a type → its form in `struct`."""
_STRING, _ARRAY = 8, 9
_MAX_ENTRIES = 4096
_MAX_TENSORS = 65_536
_MAX_ITEMS = 4_194_304
"""Of one list; the largest vocabularies have some 260,000 tokens."""
_MAX_NAME_BYTES = 65_535
_MAX_TEXT_BYTES = 4_194_304
_MAX_HEADER_BYTES = 268_435_456
_MAX_AXES = 4


@dataclass(frozen=True, slots=True)
class GGUFTensor:
    """Where a tensor lies; what its bytes mean is for the library `gguf` to say."""

    name: str
    shape: tuple[int, ...]
    """Rows first, as torch has them."""
    kind: int
    """Number of its type, such as 12 for Q4_K."""
    start: int
    """Of its bytes in the file."""


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a GGUF file says before its values."""

    metadata: Mapping[str, Any]
    """Numbers, texts, and lists of either."""
    tensors: Mapping[str, GGUFTensor]
    file_bytes: int


def read_gguf(file: Path) -> GGUFHeader:
    """The header of a GGUF file; of the tensors only their places.

    Raises:
        CheckpointError: The file cannot be read, is cut off, or contradicts itself.
        UnsupportedConfig: It is of another version, or for machines of another byte order.
        CapacityError: Its header is larger than any known one.
    """
    try:
        size = file.stat().st_size
        if size < len(GGUF_MAGIC) + 4:
            raise CheckpointError(f"{file.name} has {size} bytes; expected a GGUF file: fetch it again.")
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content, file.name, size).header()
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror or error}.") from None


class _Reader:
    """Reads numbers and texts, none of them from behind the end of the file."""

    def __init__(self, content: mmap.mmap, name: str, size: int) -> None:
        self.content, self.name, self.size = content, name, size
        self.place = 0

    def header(self) -> GGUFHeader:
        if self.bytes(4) != GGUF_MAGIC:
            raise self.damaged("does not begin as a GGUF file does")
        version = self.number("I")
        if version not in _VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
            found = "is for machines of the other byte order" if swapped else f"is of version {version}"
            raise UnsupportedConfig(f"{self.name} {found}; expected version 2 or 3 of GGUF, little-endian.")
        tensors, entries = self.count("tensors", _MAX_TENSORS), self.count("entries", _MAX_ENTRIES)
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self.text(_MAX_NAME_BYTES)
            if key in metadata:
                raise self.damaged(f"has the entry {key[:80]!r} twice")
            metadata[key] = self.value(self.number("I"))
        infos = [self.tensor() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 1 <= alignment <= 65_536:
            raise self.damaged(f"has general.alignment {alignment!r}")
        begin = -(-self.place // alignment) * alignment
        placed = {one.name: GGUFTensor(one.name, one.shape, one.kind, begin + one.start) for one in infos}
        if len(placed) != len(infos):
            raise self.damaged("has two tensors of one name")
        return GGUFHeader(metadata, placed, self.size)

    def bytes(self, count: int) -> bytes:
        if self.place + count > _MAX_HEADER_BYTES:
            raise CapacityError(f"{self.name} has a header of over {_MAX_HEADER_BYTES:,} bytes; it is no model's.")
        found = self.content[self.place : self.place + count]
        if len(found) < count:
            raise self.damaged("ends in the middle of its header")
        self.place += count
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))[0]

    def count(self, what: str, most: int) -> int:
        count: int = self.number("Q")
        if count > most:
            raise self.damaged(f"claims {count:,} {what}, where at most {most:,} are read")
        return count

    def text(self, most: int = _MAX_TEXT_BYTES) -> str:
        length = self.number("Q")
        if length > most:
            raise self.damaged(f"claims a text of {length:,} bytes, where at most {most:,} are read")
        try:
            return self.bytes(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged("has a text that is not UTF-8") from None

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self.list()
        if kind not in _NUMBERS:
            raise self.damaged(f"has a value of the unknown type {kind}")
        return self.number(_NUMBERS[kind])

    def list(self) -> list[Any]:
        kind, count = self.number("I"), self.count("items of a list", _MAX_ITEMS)
        if kind == _STRING:
            return [self.text() for _ in range(count)]
        if kind not in _NUMBERS:
            raise self.damaged(f"has a list of the type {kind}, which is not read")
        form = f"<{count}{_NUMBERS[kind]}"
        return list(struct.unpack(form, self.bytes(struct.calcsize(form))))

    def tensor(self) -> GGUFTensor:
        name, axes = self.text(_MAX_NAME_BYTES), self.number("I")
        if not 1 <= axes <= _MAX_AXES:
            raise self.damaged(f"describes {name[:80]!r} with {axes} axes")
        shape = tuple(self.number("Q") for _ in range(axes))[::-1]
        if not 0 < math.prod(shape) < 2**40:
            raise self.damaged(f"describes {name[:80]!r} with the shape {list(shape)}")
        return GGUFTensor(name, shape, self.number("I"), self.number("Q"))

    def damaged(self, how: str) -> CheckpointError:
        return CheckpointError(f"{self.name} {how}; it is damaged or no GGUF file: fetch it again.")
