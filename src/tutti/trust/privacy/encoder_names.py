"""Names and versions of encoders taken out of recordings: their libraries write them, and cannot be told not to.

Bytes are replaced in place, so that no position in a file changes: Ogg pages (RFC 3533, section 6) with Vorbis' comment
header (Vorbis I, section 5.2), FLAC's metadata blocks (RFC 9639, section 8), and the tag of LAME in MP3's first frame
(http://gabriel.mp3-tech.org/mp3infotag.html). What decoders need of the last stays: delay, padding, and its letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

_OGG_HEADER, _OGG_CRC, _OGG_SEGMENTS = 27, 22, 26
_COMMENTS = b"\x03vorbis"
_STREAMINFO, _PADDING, _SEEKTABLE = 0, 1, 3
_LAME, _LAME_LETTERS = b"LAME", 4
_LAME_TAG = 36
"""Bytes of the tag, the last two of which are a checksum of all of the frame before them."""


def remove_encoder_names(file: BinaryIO, suffix: str) -> None:
    """Take the name of its encoder out of a recording that was just written.

    Args:
        file: Open for reading and writing.
        suffix: How it is coded; files of kinds without such names are left as they are.
    """
    how = _HOW.get(suffix)
    if how is None:
        return
    file.seek(0)
    content = bytearray(file.read())
    how(content)
    file.seek(0)
    file.write(content)


def _ogg(content: bytearray) -> None:
    """Leave a comment header that says nothing, filled up with zeros."""
    page = 0
    while (page := content.find(b"OggS", page)) >= 0 and page + _OGG_HEADER <= len(content):
        sizes = content[page + _OGG_HEADER : page + _OGG_HEADER + content[page + _OGG_SEGMENTS]]
        start = page + _OGG_HEADER + len(sizes)
        end = start + sum(sizes)
        if content.startswith(_COMMENTS, start) and end <= len(content):
            last = next((place for place, size in enumerate(sizes) if size < 255), len(sizes) - 1)
            length = sum(sizes[: last + 1]) - len(_COMMENTS)
            # No vendor, no comments, and the bit that ends the header.
            empty = bytes(8) + b"\x01"
            content[start + len(_COMMENTS) : start + len(_COMMENTS) + length] = empty + bytes(length - len(empty))
            content[page + _OGG_CRC : page + _OGG_CRC + 4] = bytes(4)
            content[page + _OGG_CRC : page + _OGG_CRC + 4] = _ogg_crc(content[page:end]).to_bytes(4, "little")
            return
        page = max(end, page + 4)


def _flac(content: bytearray) -> None:
    """Make padding of every block but those by which samples are found."""
    place, last = 4, False
    while not last and place + 4 <= len(content):
        last, kind = bool(content[place] & 128), content[place] & 127
        length = int.from_bytes(content[place + 1 : place + 4], "big")
        if kind not in (_STREAMINFO, _SEEKTABLE):
            content[place] = _PADDING | (128 if last else 0)
            content[place + 4 : place + 4 + length] = bytes(min(length, max(0, len(content) - place - 4)))
        place += 4 + length


def _mp3(content: bytearray) -> None:
    """Leave LAME's letters without its version, and set the checksum of its tag anew.

    LAME also fills frames up with its name; what stands in their ends is heard by nobody.
    """
    tag = content.find(_LAME, 0, 512)
    for found in list(re.finditer(rb"LAME\d\.\d+", content)):
        kept = _LAME_LETTERS if found.start() == tag else 0
        content[found.start() + kept : found.end()] = bytes(found.end() - found.start() - kept)
    if 0 <= tag <= len(content) - _LAME_TAG:
        end = tag + _LAME_TAG - 2
        content[end : end + 2] = _crc16(content[:end]).to_bytes(2, "big")


def _ogg_crc(page: bytes | bytearray) -> int:
    """The checksum of RFC 3533: polynomial 0x04c11db7, bits from the left, from zero."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _crc16(content: bytes | bytearray) -> int:
    """CRC-16 with the polynomial 0x8005, bits from the right, from zero."""
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


_HOW: dict[str, Callable[[bytearray], None]] = {".ogg": _ogg, ".flac": _flac, ".mp3": _mp3}
