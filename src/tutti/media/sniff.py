"""From content to format, by magic bytes, not by the file's name."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from tutti.content import Modality

PICTURES = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC or DICOM"
SOUNDS = "WAV, FLAC, OGG, AIFF, AU, CAF, MP3, M4A or AAC"
DOCUMENTS = "PDF"
FILMS = "MP4, MOV, WebM, MKV, or animated GIF, WebP or AVIF"


@dataclass(frozen=True, slots=True)
class Format:
    """A format that Tutti reads."""

    name: str
    modality: Modality
    """The modality when nothing more is known; containers and animations are looked into by `wrap`."""


JPEG, PNG, WEBP = Format("JPEG", "image"), Format("PNG", "image"), Format("WebP", "image")
GIF, BMP, TIFF = Format("GIF", "image"), Format("BMP", "image"), Format("TIFF", "image")
AVIF, HEIC, HEIF = Format("AVIF", "image"), Format("HEIC", "image"), Format("HEIF", "image")
DICOM = Format("DICOM", "image")
PDF = Format("PDF", "document")
ANIMATIONS = (GIF, WEBP, AVIF)
"""Pictures that may hold several frames, each with its time."""
WAV, FLAC, OGG = Format("WAV", "audio"), Format("FLAC", "audio"), Format("OGG", "audio")
RF64, W64 = Format("RF64", "audio"), Format("Wave64", "audio")
"""WAV for more than 4 GB: of the EBU (Tech 3306), as BW64 of the ITU (BS.2088), and of Sony."""
AIFF, AU, CAF = Format("AIFF", "audio"), Format("AU", "audio"), Format("CAF", "audio")
CODED_CAF = Format("CAF", "audio")
"""CAF coded as AAC or Opus, which libsndfile does not read."""
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
    (b"riff\x2e\x91\xcf\x11", W64),
    (b".snd", AU),
    (b"\x1aE\xdf\xa3", MATROSKA),
    (b"%PDF-", PDF),
)
_IFF_SOUNDS = {
    (b"RIFF", b"WAVE"): WAV,
    (b"RF64", b"WAVE"): RF64,
    (b"BW64", b"WAVE"): RF64,
    (b"FORM", b"AIFF"): AIFF,
    (b"FORM", b"AIFC"): AIFF,
}
"""First and third word of a file in chunks."""
_PLAIN_CAF = {b"lpcm", b"alac", b"ulaw", b"alaw"}
_QUICKTIME_ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_STILL_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),  # AV1 Image File Format, section 6
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC),
    **dict.fromkeys((b"avci", b"avcs", b"j2ki", b"j2is", b"jpeg", b"jpgs", b"vvic", b"vvis"), HEIF),
}
"""Brands of pictures in the container of MP4 (ISO 23008-12, annexes B, E, H and L)."""
_GENERAL_STILL_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"}
"""Those that leave the codec to the brands after them."""
_UNREAD = {
    b"\0\0\0\x0cJXL \r\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "a Photoshop document",
}
"""Beginnings of well-known formats that are not read, for error messages."""
_MOST_BOXES = 10_000
"""Boxes of a container that are walked; a real file has a few dozen."""


def sniff(file: BinaryIO) -> Format | None:
    """The format of an open file by its content; None where Tutti does not read it. The file is rewound."""
    if _is_dicom(file):  # first, as its first 128 bytes may be the beginning of another format
        return DICOM
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
    if (sound := _sound(head)) is not None:
        return sound
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] in _QUICKTIME_ATOMS:
        return None if _unread(head) else _iso_media(file, head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return BMP
    return _mpeg_audio(head)


def _is_dicom(file: BinaryIO) -> bool:
    """Whether DICM follows 128 bytes that may be anything: often those of a TIFF file, too (PS3.10, section 7.1)."""
    file.seek(128)
    found = file.read(4) == b"DICM"
    file.seek(0)
    return found


def _iso_media(file: BinaryIO, head: bytes) -> Format:
    """A film or a still picture, by the brands of the file (ISO 14496-12, section 4.3) and by its boxes."""
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *_compatible_brands(file, int.from_bytes(head[:4], "big"))]
        if brands[0] in _STILL_BRANDS:
            return _STILL_BRANDS[brands[0]]
        if brands[0] in _GENERAL_STILL_BRANDS:
            return next((_STILL_BRANDS[brand] for brand in brands if brand in _STILL_BRANDS), HEIF)
    items = _still_items(file)
    if items is None:
        return MP4
    return AVIF if b"av01" in items else HEIC if b"hvc1" in items else HEIF


def _compatible_brands(file: BinaryIO, length: int) -> list[bytes]:
    file.seek(16)
    names = file.read(max(0, min(length, 1024) - 16))
    file.seek(0)
    return [names[at : at + 4] for at in range(0, len(names) - 3, 4)]


def _still_items(file: BinaryIO) -> bytes | None:
    """The box that lists still pictures, of a file whose brand is not theirs; None where it describes a film."""
    size, start, items = file.seek(0, io.SEEK_END), 0, None
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] in (b"moov", b"moof"):
            items = None
            break
        if head[4:8] == b"meta":
            file.seek(start)
            content = file.read(min(length or size, 1 << 16))
            items = content if b"pict" in content[:64] else items  # its handler comes first
        if length < 8 or start + length >= size:
            break
        start += length
    file.seek(0)
    return items


def _unread(head: bytes) -> str | None:
    if head[4:12] == b"ftypcrx ":
        return "a Canon raw picture (CR3)"
    return next((name for start, name in _UNREAD.items() if head.startswith(start)), None)


def _sound(head: bytes) -> Format | None:
    if head[:4] == b"fLaC":  # the count of samples has 36 bits, zero when it was not known (RFC 9639, section 8.2)
        return FLAC if int.from_bytes(head[21:26], "big") % 2**36 else STREAMED_FLAC
    if head[:6] == b"caff\0\x01":  # its first chunk says how it is coded
        return CAF if head[8:12] == b"desc" and head[28:32] in _PLAIN_CAF else CODED_CAF
    return _IFF_SOUNDS.get((head[:4], head[8:12]))


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
    if unread := _unread(head):
        return f"its content is {unread}"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return "its content is of an unknown format"
    plain = all(character.isprintable() or character.isspace() for character in text)
    return "its content is plain text" if text and plain else "its content is of an unknown format"
