"""From content to format, by magic bytes, not by the file's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from tutti.content import Modality

PICTURES = "JPEG, PNG, WebP, GIF, BMP or TIFF"
SOUNDS = "WAV, FLAC, OGG, MP3, M4A or AAC"
FILMS = "MP4, MOV, WebM, MKV, animated GIF or animated WebP"


@dataclass(frozen=True, slots=True)
class Format:
    """A format that Tutti reads."""

    name: str
    modality: Modality
    """The modality when nothing more is known; containers and animations are looked into by `wrap`."""


JPEG, PNG, WEBP = Format("JPEG", "image"), Format("PNG", "image"), Format("WebP", "image")
GIF, BMP, TIFF = Format("GIF", "image"), Format("BMP", "image"), Format("TIFF", "image")
WAV, FLAC, OGG = Format("WAV", "audio"), Format("FLAC", "audio"), Format("OGG", "audio")
STREAMED_FLAC = Format("streamed FLAC", "audio")
"""FLAC written before its length was known, which libsndfile does not read."""
MP3, AAC = Format("MP3", "audio"), Format("AAC", "audio")
MP4, MATROSKA = Format("MP4", "video"), Format("Matroska", "video")

_PREFIXES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"OggS", OGG),
    (b"\x1aE\xdf\xa3", MATROSKA),
)
_QUICKTIME_ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}


def sniff(file: BinaryIO) -> Format | None:
    """Tell the format of an open file by its first bytes, and rewind it. None means that it is none Tutti reads."""
    file.seek(0)
    head = file.read(32)
    if head[:3] == b"ID3" and len(head) >= 10:  # a tag before the sound: its length has seven bits a byte
        length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(10 + length)
        head = file.read(32)
    file.seek(0)
    for prefix, found in _PREFIXES:
        if head.startswith(prefix):
            return found
    if head[:4] == b"fLaC":  # the count of samples has 36 bits, zero when it was not known (RFC 9639, section 8.2)
        return FLAC if int.from_bytes(head[21:26], "big") % 2**36 else STREAMED_FLAC
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"WEBP"):
        return WAV if head[8:12] == b"WAVE" else WEBP
    if head[4:8] in _QUICKTIME_ATOMS:
        return MP4
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return BMP
    return _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> Format | None:
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:  # ADTS: layer bits are zero
        return AAC
    layer_three = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    return MP3 if layer_three and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C else None


def describe(file: BinaryIO) -> str:
    """What an open file holds, in words for an error message, and rewind it."""
    found = sniff(file)
    if found is not None:
        return f"its content is {found.name}"
    head = file.read(512)
    file.seek(0)
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return "its content is of an unknown format"
    plain = all(character.isprintable() or character.isspace() for character in text)
    return "its content is plain text" if text and plain else "its content is of an unknown format"
