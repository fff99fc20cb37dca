"""Media on their way to a trunk: prepared on threads, then gathered by shape, as many at once as is best for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tutti.content import Media
from tutti.processing.prompt import MediaInput

_TOKENS = 400
"""Tokens of media that go through a trunk at once: eight pictures of a ViT-B/32. With more, what lies between layers
leaves the processor's cache and is asked of the system anew for each, and an int8 trunk takes half as long again."""
_MOST = 64


def prepared(prepare: Callable[[Media], MediaInput], parts: Mapping[int, Media], threads: int) -> dict[int, MediaInput]:
    """Prepare media by so many threads: Pillow and numpy let them run at once. What `prepare` raises, comes out."""
    threads = min(len(parts), threads)
    if threads <= 1:
        return {index: prepare(part) for index, part in parts.items()}
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
    try:
        return dict(zip(parts, pool.map(prepare, parts.values()), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def batches(media: Mapping[int, MediaInput]) -> Iterator[Sequence[int]]:
    """Media that one pass computes: of one modality and shape."""
    groups: dict[object, list[int]] = {}
    for index, medium in media.items():
        shape = (medium.modality, tuple((name, array.shape) for name, array in medium.arrays.items()))
        groups.setdefault(shape, []).append(index)
    for alike in groups.values():
        yield from chunks(alike, min(_MOST, max(1, _TOKENS // max(1, media[alike[0]].tokens))))


def chunks(indices: Sequence[int], size: int = _MOST) -> Iterator[Sequence[int]]:
    """So many at a time."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
