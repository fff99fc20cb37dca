"""Whether a file is truncated: decoders often return what is there without an error, but formats store lengths."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.sniff import Format
from tutti.media.sound_ends import SOUND_ENDS

_MOST_BOXES = 10_000
"""Boxes or chunks that are walked; a real file has a few dozen."""
_LONGEST_OGG_PAGE = 65_307
"""Bytes (RFC 3533, section 6)."""


def check_whole(file: BinaryIO, found: Format, name: str) -> None:
    """Refuse a file that is shorter than its own headers say, and rewind it.

    Raises:
        InputError: It is cut off.
    """
    size = file.seek(0, io.SEEK_END)
    check = _ENDS.get(found)
    end = check(file, size) if check is not None else 0
    file.seek(0)
    if end > size:
        raise InputError(
            f"{name} is cut off: its {found.name} content should go on after {size:,} bytes; get a whole copy."
        )


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box ends (ISO 14496-12, section 4.2)."""
    start = 0
    for _ in range(_MOST_BOXES):
        if start + 8 > size:
            break
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # to the end of the file
            return size
        if length < 8:  # not a box: leave it to the demuxer
            return start
        start += length
    return start


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the segment ends (RFC 8794, section 4); 0 when its length is not known, as in a live recording."""
    file.seek(4)
    length, width, _ = _ebml_size(file.read(8))
    segment = 4 + width + length
    if segment + 4 > size:
        return segment + 4
    file.seek(segment)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length, width, unknown = _ebml_size(file.read(8))
    return 0 if unknown else segment + 4 + width + length


def _ebml_size(data: bytes) -> tuple[int, int, bool]:
    if not data or data[0] == 0:
        return 0, 1, True
    width = 9 - data[0].bit_length()
    mask = (1 << 7 * width) - 1
    value = int.from_bytes(data[:width], "big") & mask
    return value, width, value == mask


def _ogg_end(file: BinaryIO, size: int) -> int:
    """Where the last page ends (RFC 3533, section 6)."""
    start = max(0, size - _LONGEST_OGG_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0:  # something long after the stream: leave it to the decoder
        return 0
    head = tail[page : page + 27]
    if len(head) < 27:
        return start + page + 27
    table = tail[page + 27 : page + 27 + head[26]]
    return start + page + 27 + head[26] + sum(table)


def _gif_end(file: BinaryIO, size: int) -> int:
    """One byte more than there is when the closing semicolon is missing; some writers pad with zeros after it."""
    file.seek(max(0, size - 4096))
    return size if file.read().rstrip(b"\0").endswith(b";") else size + 1


def _riff_end(file: BinaryIO, size: int) -> int:
    """Where the samples (WAV) or the file (WebP) end; 0 when the header was written before the length was known."""
    file.seek(0)
    head = file.read(12)
    if head[8:12] == b"WEBP":
        return 8 + int.from_bytes(head[4:8], "little")
    start = 12
    for _ in range(_MOST_BOXES):
        if start + 8 > size:
            break
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"data":
            return 0 if length >= 0xFFFFFF00 else start + 8 + int(length)
        start += 8 + length + length % 2
    return 0


def webp_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height of a WebP by its header (RFC 9649), before the decoder makes room for them; then rewind."""
    file.seek(12)
    head = file.read(18).ljust(18, b"\0")
    file.seek(0)
    if head[:4] == b"VP8X":
        return 1 + int.from_bytes(head[12:15], "little"), 1 + int.from_bytes(head[15:18], "little")
    if head[:4] == b"VP8L":
        bits = int.from_bytes(head[9:13], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(head[14:16], "little") & 0x3FFF, int.from_bytes(head[16:18], "little") & 0x3FFF


_ENDS: dict[Format, Callable[[BinaryIO, int], int]] = {
    sniff.MP4: _mp4_end,
    sniff.AVIF: _mp4_end,
    sniff.HEIC: _mp4_end,
    sniff.HEIF: _mp4_end,
    sniff.MATROSKA: _matroska_end,
    sniff.OGG: _ogg_end,
    sniff.WAV: _riff_end,
    sniff.WEBP: _riff_end,
    sniff.GIF: _gif_end,
    **SOUND_ENDS,
}
