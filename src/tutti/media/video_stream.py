"""The moving pictures of an open container: their stream, its packets in order, and how large its frames are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tutti.errors import InputError
from tutti.media.containers import check_codec, picture_stream
from tutti.media.limits import Limits
from tutti.media.orientation import shown_size


def pictures_of(opened: Any, name: str, limits: Limits) -> Any:
    """The stream of pictures, within the budget of pixels as far as its header says.

    Raises:
        InputError: There is none, or its codec is not read.
        CapacityError: Its frames are larger than allowed.
    """
    stream = picture_stream(opened)
    if stream is None:
        raise InputError(f"{name} has sound but no moving pictures; expected a video.")
    check_codec(stream, name)
    limits.check_pixels(name, stream.codec_context.width, stream.codec_context.height)
    return stream


def timed_packets(opened: Any, stream: Any, name: str, limits: Limits) -> Iterator[tuple[int, Any]]:
    """The packets that hold a frame, each with the time at which it is shown, in units of the stream; none is decoded.

    Raises:
        InputError: There is none.
        CapacityError: They span more seconds than allowed.
    """
    first = last = None
    for packet in opened.demux(stream):
        time = time_of(packet)
        if time is None or not packet.size or packet.is_discard:
            continue
        first, last = (time, time) if first is None or last is None else (min(first, time), max(last, time))
        limits.check_seconds(name, (last - first) * float(stream.time_base))
        yield time, packet
    if first is None:
        raise no_frames(name)


def time_of(packet: Any) -> int | None:
    """When a packet is shown, or if it does not say, decoded, in units of its stream."""
    found: int | None = packet.pts if packet.pts is not None else packet.dts
    return found


def size_of(frame: Any, stream: Any, name: str, limits: Limits) -> tuple[int, int]:
    """Width and height of a decoded frame once its pixels are square, before it is turned upright.

    Raises:
        CapacityError: It is larger than allowed.
    """
    limits.check_pixels(name, frame.width, frame.height)
    size = shown_size(stream, frame.width, frame.height)
    limits.check_pixels(name, *size)
    return size


def no_frames(name: str) -> InputError:
    """What to raise where a stream of pictures holds none."""
    return InputError(f"{name} holds no frames; expected a video with moving pictures.")
