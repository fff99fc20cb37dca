"""MP4 files that hold their tracks and nothing else, and sound as AAC in them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from tutti.media.sources import decoding

BITEXACT = 1 << 23
"""FFmpeg's AV_CODEC_FLAG_BITEXACT: encoders leave out their names."""


@contextmanager
def plain_mp4(file: BinaryIO, form: str = "mp4") -> Iterator[Any]:
    """An MP4 that is written without tags: FFmpeg's `bitexact` leaves out its own name and the box for it."""
    with decoding("The copy", "written"), av.open(file, "w", form, options={"fflags": "+bitexact"}) as output:
        yield output
    remove_user_data(file)


def remove_user_data(file: BinaryIO) -> None:
    """Take the boxes `udta` and `meta` out of a film whose `moov` lies at its end; FFmpeg writes them though empty.

    Args:
        file: Open for reading and writing; positions of samples do not change, since they lie before.
    """
    size = file.seek(0, io.SEEK_END)
    start = 0
    while start < size:
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        length = length or size - start
        if head[4:8] == b"moov" and start + length == size:
            file.seek(start)
            kept = _without(file.read(length))
            file.seek(start)
            file.write(kept)
            file.truncate()
            return
        start += max(8, length)


def _without(box: bytes) -> bytes:
    """A box without `udta` and `meta` in it or in its tracks (ISO 14496-12, sections 8.10.1 and 8.11.1)."""
    made, start = [], 8
    while start + 8 <= len(box):
        length = int.from_bytes(box[start : start + 4], "big")
        kind, inner = box[start + 4 : start + 8], box[start : start + max(8, length)]
        if kind not in (b"udta", b"meta"):
            made.append(_without(inner) if kind == b"trak" else inner)
        start += max(8, length)
    content = b"".join(made)
    return (len(content) + 8).to_bytes(4, "big") + box[4:8] + content


def without_supplements(stream: Any) -> BitStreamFilterContext:
    """What takes out of H.264 what is not needed to decode it (SEI): x264 writes its name and options there.

    Args:
        stream: Of the container that is written.
    """
    return BitStreamFilterContext("filter_units=remove_types=6", stream)


def aac_stream(output: Any, rate_hz: int, channels: int) -> Any:
    """A track for AAC, at the nearest rate that AAC has."""
    rates = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
    rate = min(rates, key=lambda one: (one < min(rate_hz, 48000), abs(one - rate_hz)))
    stream = output.add_stream("aac", rate=rate, layout="mono" if channels == 1 else "stereo")
    stream.codec_context.flags |= BITEXACT
    stream.bit_rate = 64_000 * min(channels, 2) + 32_000
    return stream


def encode_sound(output: Any, stream: Any, samples: NDArray[np.float32], rate_hz: int) -> None:
    """Encode samples into a track.

    Args:
        output: The open container.
        stream: Its track.
        samples: (S, C) float32; more than two channels are mixed to two by the encoder's own matrix.
        rate_hz: Samples a second.
    """
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(samples.shape[1])
    if layout is None:
        samples, layout = samples.mean(1, keepdims=True), "mono"
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=context.sample_rate, frame_size=context.frame_size or 1024
    )
    step = rate_hz
    for start in range(0, len(samples), step):
        block = np.ascontiguousarray(samples[start : start + step].T)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        for ready in resampler.resample(frame):
            for packet in stream.encode(ready):
                output.mux(packet)
    for ready in resampler.resample(None):
        for packet in stream.encode(ready):
            output.mux(packet)
    for packet in stream.encode():
        output.mux(packet)
