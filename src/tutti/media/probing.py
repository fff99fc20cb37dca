"""How large a medium is, by its header, before any of it is decoded. Headers lie, so decoding checks again."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from tutti.content import Document, Image, Media
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.containers import container, is_container, picture_stream
from tutti.media.documents import measure_document
from tutti.media.images import decode_image, picture, upright_size
from tutti.media.limits import Limits
from tutti.media.orientation import shown_size
from tutti.media.sndfile import sound_file
from tutti.media.sniff import describe
from tutti.media.sources import array_of, opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a header says."""

    bytes: int
    """Encoded."""
    width: int = 0
    """Of a picture, of one frame or of one page, in pixels: upright, and once pixels are square."""
    height: int = 0
    pages: int = 1
    """Of a document."""
    seconds: float = 0.0
    """Of a recording or video; 0 where the header does not say."""

    @property
    def pixels(self) -> int:
        """Of a picture, of one frame, or of all pages."""
        return self.width * self.height * self.pages


def measure(part: Media, limits: Limits) -> Size:
    """Read a medium's header.

    Args:
        part: Encoded: a path, bytes or a `data:` URL; or a picture as an array.
        limits: Budgets of bytes, pixels and seconds that the header is held to.

    Raises:
        InputError: It is missing, damaged, or of a format that is not read.
        CapacityError: The header says more than allowed.
    """
    array = array_of(part)
    if array is not None and isinstance(part, Image):
        height, width = decode_image(part, limits).shape[:2]
        return Size(bytes=array.nbytes, width=width, height=height)
    with opened(part, limits) as file:
        size = file.seek(0, io.SEEK_END)
        found = sniff.sniff(file)
        if found is None:
            raise InputError(f"{part.name} is not a medium that Tutti reads: {describe(file)}.")
        if found is sniff.DICOM:
            return _of_dicom(part, limits, size)
        if isinstance(part, Image) or found.modality == "image":
            with picture(file, part, limits) as (image, _):
                width, height = upright_size(image)
                return Size(bytes=size, width=width, height=height)
        if isinstance(part, Document) or found == sniff.PDF:
            pages, width, height = measure_document(Document(part.source), limits)
            return Size(bytes=size, width=width, height=height, pages=pages)
        if is_container(found):
            return _of_container(file, found, part, limits, size)
        with sound_file(file, found, part.name) as sound:
            seconds = sound.frames / sound.samplerate
        limits.check_seconds(part.name, seconds)
        return Size(bytes=size, seconds=seconds)


def _of_dicom(part: Media, limits: Limits, size: int) -> Size:
    from tutti.media.dicom import read_dicom_header

    header = read_dicom_header(Image(part.source), limits)
    return Size(bytes=size, width=header.columns, height=header.rows)


def _of_container(file: BinaryIO, found: sniff.Format, part: Media, limits: Limits, size: int) -> Size:
    with container(file, found, part.name) as opened_container:
        streams = [*opened_container.streams.video, *opened_container.streams.audio]
        seconds = max((float(one.duration * one.time_base) for one in streams if one.duration is not None), default=0.0)
        limits.check_seconds(part.name, seconds)
        stream = picture_stream(opened_container)
        if stream is None:
            return Size(bytes=size, seconds=seconds)
        width, height = shown_size(stream, stream.codec_context.width, stream.codec_context.height)
        limits.check_pixels(part.name, width, height)
        return Size(bytes=size, width=width, height=height, seconds=seconds)
