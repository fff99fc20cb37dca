"""Frames of long films in memory that does not grow with their length: key frames, and frames that show something new.

A key frame decodes without the frames around it, and encoders put one where the scene changes. Decoding only key
frames therefore samples a film at its cuts, at the cost of one frame in a few hundred. Where something new appears
between two cuts, the coded size of a frame is much larger than that of the frames before it; some of those are decoded
as well.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any, BinaryIO

import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from tutti.content import Media, Video
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.containers import container
from tutti.media.frame_sampling import TimedFrame
from tutti.media.limits import Limits
from tutti.media.orientation import upright
from tutti.media.sniff import Format, describe
from tutti.media.sources import opened
from tutti.media.video_stream import no_frames, pictures_of, size_of, time_of, timed_packets

_LEAP = 4.0
"""A frame of this many times the median coded size of those before it shows something new."""
_LEAP_BYTES = 200
"""It must also exceed that median by so many bytes."""
_APART_S = 1.0
"""Seconds after such a frame in which others are ignored."""
_LEAPS_PER_S = 0.1
"""Most such frames per second of film."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Where to look into a film, from its packets alone."""

    zero_s: float
    """The container's time of the first frame, in seconds."""
    duration_s: float
    """Length of the moving pictures, in seconds."""
    leaps: tuple[int, ...]
    """Times of frames between key frames, in units of the stream, ascending."""
    stretches: tuple[tuple[int, int], ...]
    """What has to be decoded for them: from which key frame, to which leap."""
    keys: int
    """How many key frames there are."""


def sampled_frames(part: Video, limits: Limits, plan: FramePlan, short_side: int = 256) -> Iterator[TimedFrame]:
    """Key frames, and frames whose coded size leaps, as (seconds from the first frame, (H, W, 3) uint8), in order.

    Args:
        part: A video file in a container.
        limits: Budget of pixels, for one frame, as no more are held.
        plan: From `plan_frames`.
        short_side: Frames are shrunk to this short side, in pixels.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: Its frames are larger than allowed.
    """
    wanted, ends = set(plan.leaps), dict(plan.stretches)
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        base, decoder = float(stream.time_base), stream.codec_context
        stream.thread_type = "AUTO"
        # H.264 has key frames that do not reset the decoder ("recovery points"). When one is the first frame that a
        # decoder is given, it marks it as corrupt, although it is complete: so frames marked corrupt are wanted, too.
        decoder.flags |= Flags.output_corrupt
        end: int | None = None  # the last frame to decode from the latest key frame on; None: skip to the next one
        for packet in film.demux(stream):
            time = time_of(packet)
            if packet.is_keyframe and time is not None:
                end = ends.get(time, time)
                wanted.add(time)
            elif packet.size and end is None:
                continue
            frames = packet.decode()
            if end is not None and time == end:
                # The frames that follow are left out. Drain and reset the decoder, or it would treat them as lost and
                # then drop the next key frame if that is a recovery point, as at a cut soon after another.
                end, frames = None, [*frames, *decoder.decode(None)]
                decoder.flush_buffers()
            for frame in frames:
                if frame.pts in wanted:
                    wanted.discard(frame.pts)
                    size = size_of(frame, stream, part.name, limits)
                    yield max(0.0, frame.pts * base - plan.zero_s), shrunk(frame, size, short_side)


def plan_frames(part: Video, limits: Limits) -> FramePlan:
    """Read the packets of a film without decoding any.

    Raises:
        InputError: It is damaged, has no frames, or is of another format.
        CapacityError: It lasts longer, or its frames are larger, than allowed.
    """
    keys, first, last = 0, float("inf"), float("-inf")
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        base = float(stream.time_base)
        leaps = _Leaps(base)
        for time, packet in timed_packets(film, stream, part.name, limits):
            first, last = min(first, time), max(last, time)
            keys += packet.is_keyframe
            leaps.add(time, packet.size, packet.is_keyframe)
    duration_s = (last - first) * base
    strongest = heapq.nlargest(2 + int(duration_s * _LEAPS_PER_S), leaps.found)
    chosen = sorted((time, key) for _, time, key in strongest)
    stretches = tuple({key: time for time, key in chosen}.items())
    return FramePlan(first * base, duration_s, tuple(time for time, _ in chosen), stretches, keys)


class _Leaps:
    """Frames that are coded in many more bytes than those before them."""

    def __init__(self, base: float) -> None:
        self.base = base
        self.found: list[tuple[float, int, int]] = []
        """(how many times the usual size, its time, that of the key frame before it), times in units of the stream."""
        self._key: int | None = None
        self._sizes: deque[int] = deque(maxlen=48)
        self._chosen_s = -_APART_S

    def add(self, time: int, size: int, is_key: bool) -> None:
        if is_key:
            self._key = time
        if is_key or self._key is None:
            return
        usual = median(self._sizes) if len(self._sizes) >= 4 else float("inf")
        if size > max(_LEAP * usual, usual + _LEAP_BYTES) and time * self.base - self._chosen_s >= _APART_S:
            self._chosen_s = time * self.base
            self.found.append((size / max(1.0, usual), time, self._key))
        self._sizes.append(size)


def shrunk(frame: Any, shown: tuple[int, int], short_side: int) -> NDArray[np.uint8]:
    """A decoded frame upright, of a short side of at most so many pixels. Shapes: (H, W, 3) uint8."""
    scale = min(1.0, short_side / min(shown))
    return upright(frame, (max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))), "AREA")


def film_format(file: BinaryIO, part: Media) -> Format:
    """The format of a film in a container. Raises `InputError` if it is anything else."""
    found = sniff.sniff(file)
    if found not in (sniff.MP4, sniff.MATROSKA):
        raise InputError(f"{part.name} is not a film in a container: {describe(file)}; expected MP4, MOV, WebM or MKV.")
    return found


def frame_at(part: Video, limits: Limits, time_s: float) -> NDArray[np.uint8]:
    """The frame shown at a time, decoded from the key frame before it. Shapes: (H, W, 3) uint8.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: Its frames are larger than allowed.
    """
    zero_s = start_of_pictures(part, limits)
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        wanted = time_s + zero_s + 1e-6
        film.seek(max(0, int(wanted / stream.time_base)), stream=stream, backward=True)
        shown = None
        for frame in film.decode(stream):
            limits.check_pixels(part.name, frame.width, frame.height)
            if shown is not None and (frame.time or 0.0) > wanted:
                break
            shown = frame
        if shown is None:
            raise no_frames(part.name)
        return upright(shown, size_of(shown, stream, part.name, limits))


def start_of_pictures(part: Video, limits: Limits) -> float:
    """The container's time of the first frame, in seconds."""
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        times = (time for time, _ in timed_packets(film, stream, part.name, limits))
        return float(min(islice(times, 32)) * stream.time_base)
