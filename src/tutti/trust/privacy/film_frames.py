"""The frames of films, one after another; what is made of one is made only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from tutti.content import Video
from tutti.errors import InputError
from tutti.media import Limits
from tutti.media.containers import container
from tutti.media.frame_readers import AnimationReader, ArrayReader
from tutti.media.orientation import turn_of, turned, upright
from tutti.media.sniff import ANIMATIONS, MATROSKA, MP4, describe, sniff
from tutti.media.sources import array_of, opened
from tutti.media.truncation import check_whole
from tutti.media.video_stream import no_frames, pictures_of, size_of
from tutti.trust.privacy.faces import opencv

CLOCK = 90_000
"""Ticks a second of what is written (MPEG's own)."""
_USUAL_RATE = 25.0


class Shown(Protocol):
    """A decoded frame."""

    time_s: float
    """When it first shows."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, upright."""
        ...

    def grey(self, longest: int) -> tuple[NDArray[np.uint8], float]:
        """A small grey picture, (h, w) uint8, whose longer side has so many pixels at most, and its scale."""
        ...


class _Whole:
    """A frame of pixels."""

    def __init__(self, time_s: float, pixels: NDArray[np.uint8]) -> None:
        self.time_s, self.pixels = time_s, pixels

    def grey(self, longest: int) -> tuple[NDArray[np.uint8], float]:
        cv = opencv()
        height, width = self.pixels.shape[:2]
        scale = _scale(height, width, longest)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv.resize(cv.cvtColor(self.pixels, cv.COLOR_RGB2GRAY), size, interpolation=cv.INTER_AREA), scale


class _Coded:
    """A frame as its decoder gives it."""

    def __init__(self, time_s: float, frame: Any, size: tuple[int, int], coder: VideoReformatter) -> None:
        self.time_s, self._frame, self._size, self._coder = time_s, frame, size, coder

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return upright(self._frame, self._size)

    def grey(self, longest: int) -> tuple[NDArray[np.uint8], float]:
        width, height = self._size
        scale = _scale(height, width, longest)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(
            self._coder.reformat(self._frame, *size, "gray", interpolation="AREA").to_ndarray(), np.uint8
        )
        return turned(small[..., None], *turn_of(self._frame))[..., 0], scale


def _scale(height: int, width: int, longest: int) -> float:
    return min(1.0, longest / max(height, width))


def frames_of_film(part: Video, limits: Limits) -> Iterator[Shown]:
    """All frames, one at a time, each of the size of the first.

    Raises:
        InputError: It is missing, damaged, without frames or of another format.
        CapacityError: It has more bytes, seconds or pixels a frame than allowed.
    """
    array = array_of(part)
    if array is not None:
        yield from _of_reader(ArrayReader(array, part.frames_per_s, limits))
        return
    with opened(part, limits.streaming()) as file:
        found = sniff(file)
        if found in ANIMATIONS:
            yield from _of_reader(AnimationReader(file, part, limits))
            return
        if found is None or found not in (MP4, MATROSKA):
            raise InputError(f"{part.name} is not a video that Tutti reads: {describe(file)}.")
        check_whole(file, found, part.name)
        with container(file, found, part.name) as source:
            yield from _of_container(source, part.name, limits)


def _of_reader(reader: ArrayReader | AnimationReader) -> Iterator[Shown]:
    for time_s, pixels in reader.shown_at(reader.times_s):
        yield _Whole(time_s, pixels)


def _of_container(source: Any, name: str, limits: Limits) -> Iterator[Shown]:
    stream = pictures_of(source, name, limits)
    stream.thread_type = "AUTO"
    size, first, last = None, None, -1.0
    coder = VideoReformatter()  # one, which keeps its tables from frame to frame
    for frame in source.decode(stream):
        if frame.pts is None:
            continue
        seconds = float(frame.pts * stream.time_base)
        first = seconds if first is None else first
        limits.check_seconds(name, seconds - first)
        size = size or size_of(frame, stream, name, limits)
        limits.check_pixels(name, frame.width, frame.height)
        last = max(last + 1 / CLOCK, seconds - first)  # times that go backwards are an error of the file
        yield _Coded(last, frame, size, coder)
    if first is None:
        raise no_frames(name)


def rate_of_film(part: Video, limits: Limits) -> float:
    """About how many frames a second a film has.

    Errors as for `frames_of_film`.
    """
    if array_of(part) is not None:
        return part.frames_per_s or _USUAL_RATE
    with opened(part, limits.streaming()) as file:
        found = sniff(file)
        if found in (MP4, MATROSKA):
            with container(file, found, part.name) as source:
                return float(pictures_of(source, part.name, limits).average_rate or _USUAL_RATE)
    return _USUAL_RATE
