"""Where the samples of a recording end by its own headers, for the formats whose decoders keep silent of a cut.

Each takes an open file and its size, and returns a position in bytes; 0 where the length was not known when the header
was written.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from tutti.media import sniff
from tutti.media.sniff import Format

_MOST_CHUNKS = 10_000
_UNKNOWN = 0xFFFFFFFF
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


def rf64_end(file: BinaryIO, _size: int) -> int:
    """RF64 and BW64: 64-bit lengths stand in the chunk `ds64` (EBU Tech 3306, section 3)."""
    start, whole = 12, 0
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(24)
        if len(head) < 8:
            return 0
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"ds64" and len(head) == 24:
            whole = int.from_bytes(head[16:24], "little")
        if head[:4] == b"data":
            length = whole if length == _UNKNOWN else length
            return start + 8 + length if length else 0
        start += 8 + length + length % 2
    return 0


def w64_end(file: BinaryIO, _size: int) -> int:
    """Wave64: chunks of a GUID and a 64-bit length that counts both, at multiples of eight bytes."""
    start = 40
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(24)
        if len(head) < 24:
            return 0
        length = int.from_bytes(head[16:], "little")
        if head[:16] == _W64_DATA:
            return start + length
        start += max(24, length + -length % 8)
    return 0


def aiff_end(file: BinaryIO, _size: int) -> int:
    """AIFF and AIFF-C: the chunk SSND (Apple, Audio Interchange File Format 1.3)."""
    start = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            return 0
        kind, length = struct.unpack(">4sI", head)
        if kind == b"SSND":
            return start + 8 + int(length) if length not in (0, _UNKNOWN) else 0
        start += 8 + length + length % 2
    return 0


def au_end(file: BinaryIO, size: int) -> int:
    """AU: where the samples begin, and how many bytes they take."""
    file.seek(4)
    head = file.read(8)
    if len(head) < 8:
        return size + 1
    begin, length = struct.unpack(">II", head)
    return 0 if length == _UNKNOWN else int(begin + length)


def caf_end(file: BinaryIO, _size: int) -> int:
    """CAF: the chunk `data`, whose length may be -1 in the last chunk (Apple, Core Audio Format, Audio Data Chunk)."""
    start = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(12)
        if len(head) < 12:
            return 0
        kind, length = struct.unpack(">4sq", head)
        if kind == b"data":
            return 0 if length < 0 else start + 12 + int(length)
        if length < 0:
            return 0
        start += 12 + length
    return 0


SOUND_ENDS: dict[Format, Callable[[BinaryIO, int], int]] = {
    sniff.RF64: rf64_end,
    sniff.W64: w64_end,
    sniff.AIFF: aiff_end,
    sniff.AU: au_end,
    sniff.CAF: caf_end,
    sniff.CODED_CAF: caf_end,
}
