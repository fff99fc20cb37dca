"""Containers, MP3, AAC, CAF, streamed FLAC through PyAV: only the demuxer asked for, only listed codecs, no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.limits import Limits
from tutti.media.mixing import Mixer
from tutti.media.sniff import Format
from tutti.media.sources import decoding

_DEMUXERS = {
    sniff.MP4: "mov",
    sniff.MATROSKA: "matroska",
    sniff.AAC: "aac",
    sniff.MP3: "mp3",
    sniff.STREAMED_FLAC: "flac",
    sniff.CODED_CAF: "caf",
}
_PICTURE_CODECS = {
    "h264",
    "hevc",
    "av1",
    "libdav1d",
    "libaom-av1",
    "vp8",
    "vp9",
    "libvpx",
    "libvpx-vp9",
    "mpeg4",
    "mjpeg",
    "prores",
}
_SOUND_CODECS = {"aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac", "ac3", "eac3"}
_DRIFT_S = 0.05
"""A block of sound this far from where the last one ended is placed by its own time, in seconds."""
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 384_000


@contextmanager
def container(file: BinaryIO, found: Format, name: str) -> Iterator[Any]:
    """Open a container from its first byte with the one demuxer of its format.

    Raises:
        InputError: It is damaged.
    """
    file.seek(0)
    with (
        decoding(name, f"a readable {found.name} file"),
        # With a file object and no protocol allowed, a container cannot make the demuxer open anything else.
        av.open(file, mode="r", format=_DEMUXERS[found], options={"protocol_whitelist": "none"}) as opened,
    ):
        yield opened


def is_container(found: Format) -> bool:
    """Whether PyAV opens this format."""
    return found in _DEMUXERS


def picture_stream(opened: Any) -> Any | None:
    """The first stream of moving pictures; cover art does not count."""
    streams = [stream for stream in opened.streams.video if not stream.disposition & Disposition.attached_pic]
    return streams[0] if streams else None


def check_codec(stream: Any, name: str) -> None:
    """Refuse a codec that is not on the list.

    Raises:
        InputError: It is not.
    """
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    if codec not in _PICTURE_CODECS | _SOUND_CODECS and not codec.startswith("pcm_"):
        raise InputError(f"{name} is coded as {codec}, which Tutti does not read; convert it to H.264 and AAC.")


def check_rate(name: str, sample_rate_hz: int) -> None:
    """Refuse a sample rate that no recording has.

    Raises:
        InputError: It is out of range.
    """
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise InputError(
            f"{name} claims {sample_rate_hz:,} samples a second; expected {LOWEST_RATE_HZ:,} to {HIGHEST_RATE_HZ:,}."
        )


def read_sound(
    file: BinaryIO, found: Format, name: str, limits: Limits, zero_s: float | None
) -> tuple[NDArray[np.float32], int] | None:
    """Decode the first sound track, as a mono mix on the container's clock.

    Args:
        file: The open container.
        found: Its format.
        name: What to call it in errors.
        limits: Budgets of seconds and bytes.
        zero_s: The container's time, in seconds, at which the first sample stands: earlier sound is dropped, silence
            fills what lies before the first sound. None takes the track's own start.

    Returns:
        (S,) float32 and the sample rate in hertz; None when there is no sound track.

    Raises:
        InputError: It is damaged.
        CapacityError: It is longer than allowed.
    """
    with container(file, found, name) as opened:
        if not opened.streams.audio:
            return None
        stream = opened.streams.audio[0]
        check_codec(stream, name)
        if stream.duration is not None:
            limits.check_seconds(name, float(stream.duration * stream.time_base))
        track = _Track(name, limits, zero_s)
        for frame in opened.decode(stream):
            track.add(channels_of(frame), frame.sample_rate, frame.time)
        if found is sniff.MP3 and stream.duration is not None:
            _check_whole_mp3(track, float(stream.duration * stream.time_base), name)
        return track.whole()


def _check_whole_mp3(track: _Track, announced_s: float, name: str) -> None:
    """The count of frames in an MP3's first frame is the only sign that the file is cut off."""
    decoded_s = track.count / max(1, track.rate_hz)
    if decoded_s < 0.95 * announced_s - 0.1:
        raise InputError(
            f"{name} is cut off: it announces {announced_s:,.1f} s and has {decoded_s:,.1f} s; get a whole copy."
        )


class _Track:
    """Blocks of sound put where their times say."""

    def __init__(self, name: str, limits: Limits, zero_s: float | None) -> None:
        self.name, self.limits, self.zero_s = name, limits, zero_s
        self.mixer = Mixer(1)
        self.samples, self.rate_hz, self.count = bytearray(), 0, 0  # bytes grow in place; arrays would be copied

    def add(self, channels: NDArray[np.float32], rate_hz: int, time_s: float | None) -> None:
        if not self.rate_hz:
            check_rate(self.name, rate_hz)
            self.rate_hz, self.mixer = rate_hz, Mixer(rate_hz)
        if rate_hz != self.rate_hz:
            raise InputError(f"The sound of {self.name} changes its sample rate on the way; convert it to one rate.")
        block = self.mixer(channels)
        if self.zero_s is None:
            self.zero_s = time_s or 0.0
        place = self.count
        if time_s is not None:
            by_time = round((time_s - self.zero_s) * rate_hz)
            if self.count == 0 or abs(by_time - place) > _DRIFT_S * rate_hz:
                place = by_time
        self.limits.check_seconds(self.name, (place + len(block)) / rate_hz)
        if place < self.count:
            block = block[self.count - place :]
            place = self.count
        if not len(block):
            return
        self.limits.check_sound(self.name, place + len(block))
        self.samples += bytes(4 * (place - self.count))
        self.samples += block.tobytes()
        self.count = place + len(block)

    def whole(self) -> tuple[NDArray[np.float32], int] | None:
        return (np.frombuffer(self.samples, np.float32), self.rate_hz) if self.count else None


def channels_of(frame: Any) -> NDArray[np.float32]:
    """The channels of a decoded block: (S, C) float32 in [-1, 1]."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype == np.uint8:
        scaled = (data.astype(np.float32) - 128) / 128
    elif data.dtype.kind == "i":
        scaled = data.astype(np.float32) / np.float32(-float(np.iinfo(data.dtype).min))
    else:
        scaled = data.astype(np.float32)
    return np.ascontiguousarray(scaled.T)
