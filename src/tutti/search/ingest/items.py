"""From a file, or a row of a feed, to an item: its content decoded or ready to be, and its facets as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tutti.content import Document, Media, Part, Text, Video
from tutti.errors import InputError
from tutti.media import wrap
from tutti.media.sniff import sniff
from tutti.search.ingest.facets import Facet, Tools, facets, is_animation, passages, text_of
from tutti.search.ingest.row_buffer import RowBuffer
from tutti.search.ingest.walk import ItemSource

_SMALL = 8_000_000
"""Files up to so many bytes are decoded by threads that run ahead; larger ones, and films, piece by piece."""
_TEXTS = frozenset({".txt", ".md", ".rst", ".text"})
_MEDIA = frozenset(
    (
        ".jpg .jpeg .png .webp .gif .bmp .tif .tiff .avif .heic .heif .hif .wav .rf64 .bw64 .w64 .aif .aiff .aifc .au "
        ".snd .caf .flac .ogg .oga .opus .mp3 .m4a .aac .mp4 .m4v .mov .webm .mkv .pdf"
    ).split()
)


@dataclass(kw_only=True, eq=False)
class Item:
    """An item on its way: its facets, and how many of them still wait to be embedded."""

    source: ItemSource
    part: Part | None
    digest: str
    size: int
    facets: Iterator[Facet]
    rows: RowBuffer = field(default_factory=RowBuffer)
    waiting: int = 0
    whole: bool = False
    error: str | None = None


def read_item(source: ItemSource, tools: Tools, unless: str | None = None) -> Item | None:
    """Read a source; None when it is of no kind that can be indexed. Small media are decoded, long ones prepared.

    Args:
        source: A file, or a row of a feed.
        tools: What decoding may use.
        unless: A digest; content of this one is not decoded.

    Raises:
        InputError: It cannot be read.
        CapacityError: It is over a budget.
    """
    described = passages(source.words, "text", tools) if source.words else iter(())
    if source.path is None:
        if not source.words:
            raise InputError("The row has neither a medium nor words.")
        digest = Text(source.words).digest
        return Item(source=source, part=None, digest=digest, size=0, facets=described)
    part = _part(source.path)
    if part is None:
        return None
    found = _both(facets(part, tools), described)
    size, digest = _size(source.path), part.digest
    if digest != unless and size <= _SMALL and not _is_long(part, tools):
        found = iter(list(found))
        part = replace(part, source=source.path) if isinstance(part, Media) else part  # its content is used up
    return Item(source=source, part=part, digest=digest, size=size, facets=found)


def _is_long(part: Part, tools: Tools) -> bool:
    if isinstance(part, Video):
        return not is_animation(part, tools.streaming)
    return isinstance(part, Document)


def _part(path: str) -> Part | None:
    suffix = Path(path).suffix.lower()
    if suffix in _TEXTS:
        return text_of(path)
    if suffix not in _MEDIA:
        with Path(path).open("rb") as file:
            if sniff(file) is None:
                return None
    return wrap(path, keep=True)


def _both(one: Iterator[Facet], other: Iterator[Facet]) -> Iterator[Facet]:
    yield from one
    yield from other


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None
