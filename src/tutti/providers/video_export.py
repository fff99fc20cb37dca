"""Videos as they leave the machine: copied stream by stream, or encoded, into a container that says nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

from tutti.content import Video
from tutti.errors import InputError
from tutti.media import Clip, MediaDecoder
from tutti.media.frame_sampling import EveryFrame
from tutti.media.sniff import MP4, Format

_TICKS_PER_S = 1000
_CRF = "18"
"""Quality of H.264; at 18 losses are hardly seen (FFmpeg's guide to it)."""


def remuxed(file: BinaryIO, found: Format) -> bytes:
    """The first stream of pictures and the first of sound of an MP4 or Matroska file, copied.

    Raises:
        InputError: There is neither.
    """
    import av

    form = "mp4" if found is MP4 else "matroska"
    buffer = io.BytesIO()
    with av.open(file, "r", "mov" if found is MP4 else form) as source, av.open(buffer, "w", form) as target:
        streams = [*source.streams.video[:1], *source.streams.audio[:1]]
        if not streams:
            raise InputError("no stream")
        copies = {stream.index: target.add_stream_from_template(stream) for stream in streams}
        for copy in copies.values():
            copy.metadata.clear()
        for packet in _timed(source.demux(streams)):
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
    return buffer.getvalue()


def _timed(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with times of decoding: Matroska stores none, and the parser knows none for the first of a stream."""
    waiting: dict[int, list[Any]] = {}
    known: set[int] = set()
    for packet in packets:
        index = packet.stream.index
        if packet.dts is None and packet.pts is not None and index not in known:
            waiting.setdefault(index, []).append(packet)
            continue
        if packet.dts is not None:
            known.add(index)
            early = waiting.pop(index, [])
            for before, one in enumerate(reversed(early), start=1):
                one.dts = packet.dts - before
            yield from (*early, packet)
    for packet in (one for early in waiting.values() for one in early):
        packet.dts = packet.pts
        yield packet


def encoded(part: Video, decoder: MediaDecoder) -> tuple[bytes, int]:
    """An animation or an array as MP4 with all its frames at their times, and how many those are.

    Raises:
        InputError: It cannot be read.
        CapacityError: Its frames have more pixels together than allowed.
    """
    clip = decoder.clip(part, EveryFrame())
    return _mp4(clip), len(clip.frames)


def _mp4(clip: Clip) -> bytes:
    import av

    height, width = (max(2, side - side % 2) for side in clip.frames.shape[1:3])
    ends_s = [*clip.times_s[1:], clip.duration_s]
    buffer = io.BytesIO()
    with av.open(buffer, "w", "mp4") as target:
        stream = target.add_stream("libx264", rate=_TICKS_PER_S, options={"crf": _CRF, "bf": "0", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        lasts = {round(t * _TICKS_PER_S): round((end - t) * _TICKS_PER_S)
                 for t, end in zip(clip.times_s, ends_s, strict=True)}  # fmt: skip
        packets = []
        for time_s, pixels in zip(clip.times_s, clip.frames, strict=True):
            # An odd side is no side of 4:2:0 pictures.
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(width, height, "yuv420p")
            frame.pts, frame.time_base = round(time_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode()]:
            packet.duration = lasts.get(packet.pts or 0, 0)
            target.mux(packet)
    return buffer.getvalue()
