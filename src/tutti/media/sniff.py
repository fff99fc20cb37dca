"""From content to format, by magic bytes, not by the file's name; from a bare value to a part of its modality."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np

from tutti.content import Audio, Image, Media, Modality, Part, Text, Video
from tutti.errors import InputError
from tutti.media.limits import Limits
from tutti.media.sources import opened

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
MP3, AAC = Format("MP3", "audio"), Format("AAC", "audio")
MP4, MATROSKA = Format("MP4", "video"), Format("Matroska", "video")

_PREFIXES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"fLaC", FLAC),
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


@dataclass(frozen=True, eq=False)
class _Medium(Media):
    """A medium whose modality is not known yet."""

    modality: ClassVar[Modality] = "medium"  # type: ignore[assignment]  # only its name in errors


def wrap(
    value: Any,
    *,
    sample_rate_hz: int | None = None,
    frames_per_s: float | None = None,
    limits: Limits | None = None,
) -> Part:
    """Put a path, encoded bytes, a `data:` URL or a numpy array in the part of its modality. Parts pass through.

    Files are told apart by content. An MP4 or Matroska file without moving pictures is audio; a GIF or WebP of more
    than one frame is video. Arrays: uint8 (H, W), (H, W, 3) or (H, W, 4) is an image, uint8 (F, H, W, 3) a video,
    float32 or int16 (S,) or (S, C) audio.

    Args:
        value: The medium.
        sample_rate_hz: Sample rate of an audio array, in hertz.
        frames_per_s: Frame rate of a video array, in frames a second.
        limits: Budgets; the defaults when not given.

    Raises:
        InputError: The value cannot be read or its format is not known.
        CapacityError: The file has more bytes than allowed.
    """
    if isinstance(value, (Text, Media)):
        return value
    if isinstance(value, np.ndarray):
        return _wrap_array(value, sample_rate_hz, frames_per_s)
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    if not isinstance(value, (str, os.PathLike, bytes)):
        raise InputError(
            f"A {type(value).__name__} was given as a medium; expected a path, bytes, a data: URL or a numpy array."
        )
    parts: dict[str, Part] = {"image": Image(value), "audio": Audio(value), "video": Video(value)}
    probe = _Medium(value)
    with opened(probe, limits or Limits()) as file:
        found = sniff(file)
        if found is None:
            raise InputError(
                f"{probe.name} is not a medium that Tutti reads: {describe(file)}; "
                f"expected {PICTURES}; {SOUNDS}; or {FILMS}."
            )
        return parts[_modality(file, found, probe.name)]


def _modality(file: BinaryIO, found: Format, name: str) -> Modality:
    if found in (MP4, MATROSKA):
        from tutti.media.containers import container, picture_stream

        with container(file, found, name) as opened_container:
            return "audio" if picture_stream(opened_container) is None else "video"
    if found in (GIF, WEBP):
        from tutti.media.images import is_animated

        return "video" if is_animated(file, found, name) else "image"
    return found.modality


def _wrap_array(value: np.ndarray[Any, Any], sample_rate_hz: int | None, frames_per_s: float | None) -> Part:
    if value.dtype == np.uint8 and value.ndim == 4:
        return Video(value, frames_per_s=frames_per_s)
    if value.dtype == np.uint8 and value.ndim in (2, 3):
        return Image(value)
    if value.dtype in (np.float32, np.int16) and value.ndim in (1, 2):
        return Audio(value, sample_rate_hz=sample_rate_hz)
    raise InputError(
        f"An array of {value.dtype} with shape {value.shape} is no medium that Tutti knows; "
        "expected uint8 (H, W, 3) for an image, uint8 (F, H, W, 3) for a video, or float32 (S,) for audio."
    )
