"""Readers of frames: of a container (PyAV), an animated picture (Pillow), an array. Each is a `FrameReader`."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Video
from tutti.errors import InputError
from tutti.media.containers import container
from tutti.media.frame_sampling import TimedFrame
from tutti.media.images import picture
from tutti.media.limits import Limits
from tutti.media.orientation import upright
from tutti.media.sniff import Format
from tutti.media.sources import decoding, quiet
from tutti.media.transparency import WHITE, ground_for, rgb
from tutti.media.video_stream import no_frames, pictures_of, size_of, timed_packets

_THUMBNAIL = 16


class ContainerReader:
    """Frames of an MP4, MOV, WebM or MKV. The packets' times are read first, without decoding."""

    def __init__(self, file: BinaryIO, found: Format, name: str, limits: Limits) -> None:
        self._file, self._found, self._name, self._limits = file, found, name, limits
        self._pts, self._keys, self._shown_pts = self._index()
        self._first = self._pts[0]
        limits.check_seconds(name, self.duration_s)  # the last frame counts, too: it may claim any length

    def _index(self) -> tuple[list[int], list[int], int]:
        pts: list[int] = []
        keys: list[int] = []
        last_length = 0
        with container(self._file, self._found, self._name) as opened:
            stream = self._stream(opened)
            if stream.duration is not None:
                self._limits.check_seconds(self._name, float(stream.duration * stream.time_base))
            self._time_base = float(stream.time_base)
            latest: int | None = None
            for time, packet in timed_packets(opened, stream, self._name, self._limits):
                pts.append(time)
                if packet.is_keyframe:
                    keys.append(time)
                if latest is None or time >= latest:
                    latest, last_length = time, packet.duration or 0
        pts.sort()
        if not last_length:
            last_length = (pts[-1] - pts[0]) // (len(pts) - 1) if len(pts) > 1 else round(0.04 / self._time_base)
        return pts, sorted(keys), pts[-1] + max(1, last_length)

    def _stream(self, opened: Any) -> Any:
        stream = pictures_of(opened, self._name, self._limits)
        stream.thread_type = "AUTO"
        return stream

    @property
    def zero_s(self) -> float:
        """The container's time of the first frame, in seconds."""
        return self._first * self._time_base

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last, in seconds."""
        return (self._shown_pts - self._first) * self._time_base

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame first shows, in seconds from the first one."""
        return np.array([self._seconds(pts) for pts in self._pts])

    def thumbnails(self) -> Iterator[TimedFrame]:
        """All frames, small."""
        with container(self._file, self._found, self._name) as opened:
            for frame in opened.decode(self._stream(opened)):
                if frame.pts is None:
                    continue
                self._limits.check_pixels(self._name, frame.width, frame.height)
                small = frame.to_ndarray(format="rgb24", width=_THUMBNAIL, height=_THUMBNAIL)
                yield self._seconds(frame.pts), small

    def shown_at(self, moments: NDArray[np.float64]) -> Iterator[TimedFrame]:
        """The frame shown at each of the ascending `moments`, all of the size of the first one kept."""
        size: tuple[int, int] | None = None
        with container(self._file, self._found, self._name) as opened:
            stream = self._stream(opened)
            for frame in self._walk(opened, stream, [self._wanted(time_s) for time_s in moments]):
                shown = size_of(frame, stream, self._name, self._limits)
                size = size or shown
                yield self._seconds(frame.pts), upright(frame, size)

    def _wanted(self, time_s: float) -> int:
        place = bisect.bisect_right(self._pts, self._first + time_s / self._time_base + 1e-6) - 1
        return self._pts[max(0, place)]

    def _seconds(self, pts: int) -> float:
        return max(0.0, (pts - self._first) * self._time_base)

    def _walk(self, opened: Any, stream: Any, wanted: list[int]) -> Iterator[Any]:
        """Decode forwards, jumping to the last key frame before a wanted time where that saves decoding."""
        frames = opened.decode(stream)
        shown: Any = None  # the latest frame at or before the wanted time
        ahead: Any = None  # the one after it, already decoded
        for target in wanted:
            place = bisect.bisect_right(self._keys, target) - 1
            position = ahead.pts if ahead is not None else self._first
            if place > 0 and self._keys[place] > position:
                opened.seek(self._keys[place], stream=stream, backward=True)
                frames, landed = opened.decode(stream), shown
                shown, ahead = None, None
                ahead = next((frame for frame in frames if frame.pts is not None), None)
                if ahead is None or ahead.pts > target:  # the index is wrong or lacks the entry: start anew
                    opened.seek(min(0, self._first), stream=stream, backward=True)
                    frames, shown, ahead = opened.decode(stream), landed, None
            while ahead is None or ahead.pts <= target:
                if ahead is not None:
                    shown = ahead
                ahead = next((frame for frame in frames if frame.pts is not None), None)
                if ahead is None:
                    break
            if shown is None and ahead is None:
                raise no_frames(self._name)
            yield shown if shown is not None else ahead


class AnimationReader:
    """Frames of an animated GIF, WebP or AVIF, each shown for its own time."""

    zero_s = 0.0

    def __init__(self, file: BinaryIO, part: Video, limits: Limits) -> None:
        self._file, self._part, self._limits = file, part, limits
        self._starts, self._end, self._ground = [], 0.0, WHITE
        for start_s, end_s, image in self._frames():
            if self._ground == WHITE and image.has_transparency_data:  # one ground for all, or they would flicker
                self._ground = ground_for(image)
            self._starts.append(start_s)
            self._end = end_s

    def _frames(self) -> Iterator[tuple[float, float, pillow.Image]]:
        self._file.seek(0)
        end_s, place, name = 0.0, 0, self._part.name
        with picture(self._file, self._part, self._limits) as (image, found):
            while True:
                with decoding(name, f"a readable {found.name} animation"):
                    try:
                        with quiet():
                            image.seek(place)
                    except EOFError:
                        return
                    self._limits.check_pixels(name, *image.size)
                    image.load()
                milliseconds = image.info.get("duration", 0)
                # Browsers show a frame of no length for a tenth of a second, and so do we.
                start_s, end_s = end_s, end_s + (milliseconds / 1000 if milliseconds > 10 else 0.1)
                self._limits.check_seconds(name, end_s)
                yield start_s, end_s, image
                place += 1

    def _rgb(self, image: pillow.Image) -> NDArray[np.uint8]:
        return rgb(image, self._part.name, self._ground)

    @property
    def duration_s(self) -> float:
        """Length of one round, in seconds."""
        return self._end

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame first shows, in seconds."""
        return np.array(self._starts)

    def thumbnails(self) -> Iterator[TimedFrame]:
        """All frames, small."""
        for start_s, _, image in self._frames():
            whole = pillow.fromarray(self._rgb(image))
            yield start_s, np.asarray(whole.resize((_THUMBNAIL, _THUMBNAIL)))

    def shown_at(self, moments: NDArray[np.float64]) -> Iterator[TimedFrame]:
        """The frame shown at each of the ascending `moments`."""
        wanted = [max(0, bisect.bisect_right(self._starts, time_s + 1e-9) - 1) for time_s in moments]
        size: tuple[int, ...] = ()
        for place, (start_s, _, image) in enumerate(self._frames()):
            repeats = wanted.count(place)
            if repeats:
                array = self._rgb(image)
                size = size or array.shape
                if array.shape != size:
                    raise InputError(f"{self._part.name} changes its size on the way; expected frames of one size.")
                yield from [(start_s, array)] * repeats


class ArrayReader:
    """Frames given as an array, at a steady rate."""

    zero_s = 0.0

    def __init__(self, array: NDArray[np.generic], frames_per_s: float | None, limits: Limits) -> None:
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or array.size == 0:
            raise InputError(
                f"A video array of {array.dtype} with shape {array.shape} was given; "
                "expected uint8 with shape (F, H, W, 3)."
            )
        if not frames_per_s or not 0 < frames_per_s < float("inf"):
            raise InputError("A video array was given without its frame rate; set frames_per_s.")
        self._array, self._rate, self._limits = array.astype(np.uint8, copy=False), frames_per_s, limits
        limits.check_seconds("video array", self.duration_s)

    @property
    def duration_s(self) -> float:
        """Length, in seconds."""
        return len(self._array) / self._rate

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame first shows, in seconds."""
        return np.arange(len(self._array)) / self._rate

    def thumbnails(self) -> Iterator[TimedFrame]:
        """All frames, small."""
        for place, frame in enumerate(self._array):
            yield place / self._rate, np.asarray(pillow.fromarray(frame).resize((_THUMBNAIL, _THUMBNAIL)))

    def shown_at(self, moments: NDArray[np.float64]) -> Iterator[TimedFrame]:
        """The frame shown at each of the ascending `moments`."""
        for time_s in moments:
            place = min(len(self._array) - 1, int(time_s * self._rate + 1e-9))
            yield place / self._rate, self._array[place]
