"""Long media piece by piece: key frames and windows of sound, in memory that does not grow with their length.

A key frame decodes without its neighbours, and encoders put one where the scene changes, so that decoding key
frames only samples a film at its cuts, at the cost of one frame in a few hundred. Where something new comes in
between, the coded size of a frame leaps; a number of such frames is decoded, too.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO

import av
import numpy as np
import soxr
from av.codec.context import Flags
from numpy.typing import NDArray

from tutti.content import Audio, Media, Video
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.containers import channels_of, check_codec, check_rate, container, is_container
from tutti.media.limits import Limits
from tutti.media.mixing import Mixer
from tutti.media.orientation import upright
from tutti.media.sndfile import SNDFILE_FORMATS, sound_file
from tutti.media.sniff import Format, describe
from tutti.media.sources import opened
from tutti.media.video_stream import no_frames, pictures_of, size_of, time_of, timed_packets

Shown = tuple[float, NDArray[np.uint8]]
Window = tuple[float, NDArray[np.float32]]
_LEAP = 4.0
"""A frame of this many times the median size of its predecessors shows something new."""
_LEAP_BYTES = 200
"""And at least so many bytes above it."""
_APART_S = 1.0
"""Leaps closer than this to the one before are passed over, in seconds."""
_LEAPS_PER_S = 0.1
_GAP_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
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


def sampled_frames(part: Video, limits: Limits, plan: Plan, short_side: int = 256) -> Iterator[Shown]:
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
    wanted, last = set(plan.leaps), dict(plan.stretches)
    with opened(part, limits) as file, container(file, _film(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        base, codec = float(stream.time_base), stream.codec_context
        stream.thread_type = "AUTO"
        codec.flags |= Flags.output_corrupt  # so says H.264 of a key that is no reset, when nothing was before it
        until: int | None = None
        for packet in film.demux(stream):
            time = time_of(packet)
            if packet.is_keyframe and time is not None:
                until = last.get(time, time)
                wanted.add(time)
            elif packet.size and until is None:
                continue
            frames = packet.decode()
            if until is not None and time == until:
                # What the decoder has not shown it shows now, and it forgets: else it takes frames that were left out
                # for lost, and drops a key that is no reset, as encoders make at a cut soon after a cut.
                until, frames = None, [*frames, *codec.decode(None)]
                codec.flush_buffers()
            for frame in frames:
                if frame.pts in wanted:
                    wanted.discard(frame.pts)
                    size = size_of(frame, stream, part.name, limits)
                    yield max(0.0, frame.pts * base - plan.zero_s), _shrunk(frame, size, short_side)


def plan_frames(part: Video, limits: Limits) -> Plan:
    """Read the packets of a film without decoding any.

    Raises:
        InputError: It is damaged, has no frames, or is of another format.
        CapacityError: It lasts longer, or its frames are larger, than allowed.
    """
    keys, first, last = 0, float("inf"), float("-inf")
    with opened(part, limits) as file, container(file, _film(file, part), part.name) as film:
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
    return Plan(first * base, duration_s, tuple(time for time, _ in chosen), stretches, keys)


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


def _shrunk(frame: Any, shown: tuple[int, int], short_side: int) -> NDArray[np.uint8]:
    scale = min(1.0, short_side / min(shown))
    return upright(frame, (max(1, round(shown[0] * scale)), max(1, round(shown[1] * scale))), "AREA")


def _film(file: BinaryIO, part: Media) -> Format:
    found = sniff.sniff(file)
    if found not in (sniff.MP4, sniff.MATROSKA):
        raise InputError(f"{part.name} is not a film in a container: {describe(file)}; expected MP4, MOV, WebM or MKV.")
    return found


def sound_windows(
    part: Audio | Video, limits: Limits, *, rate_hz: int, window_s: float, hop_s: float, zero_s: float | None = None
) -> Iterator[Window]:
    """Overlapping windows of a sound track, as (start in seconds, (S,) float32 mono at `rate_hz`).

    Args:
        part: A recording, or a video whose sound is heard; a video without sound has no windows.
        limits: Budget of seconds.
        rate_hz: Sample rate that is wanted, in hertz.
        window_s: Length of a window, in seconds; the last may be shorter.
        hop_s: From the start of one to the start of the next, in seconds.
        zero_s: The container's time that counts as zero; None takes the track's own start.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: It lasts longer than allowed.
    """
    window, hop = round(window_s * rate_hz), round(hop_s * rate_hz)
    blocks, count, start = [np.zeros(0, np.float32)], 0, 0
    for block in _resampled(part, limits, rate_hz, zero_s):
        blocks.append(block)
        count += len(block)
        if count < window:
            continue
        held = np.concatenate(blocks)
        while len(held) >= window:
            yield start / rate_hz, held[:window]
            held, start = held[hop:], start + hop
        blocks, count = [held], len(held)
    held = np.concatenate(blocks)
    # After a window, less than a quarter second more says nothing new.
    if len(held) >= (window - hop + rate_hz // 4 if start else 1):
        yield start / rate_hz, held


def _resampled(
    part: Audio | Video, limits: Limits, rate_hz: int, zero_s: float | None
) -> Iterator[NDArray[np.float32]]:
    resampler, count = None, 0
    for given_hz, block in _blocks(part, limits, zero_s):
        count += len(block)
        limits.check_seconds(part.name, count / given_hz)
        if not np.isfinite(block).all():
            raise InputError(f"The sound of {part.name} holds values that are not numbers; export it again.")
        if given_hz == rate_hz:
            yield block
            continue
        resampler = resampler or soxr.ResampleStream(given_hz, rate_hz, 1, dtype="float32", quality="HQ")
        yield np.clip(resampler.resample_chunk(block), -1, 1)
    if resampler is not None:
        yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1, 1)


def _blocks(part: Audio | Video, limits: Limits, zero_s: float | None) -> Iterator[tuple[int, NDArray[np.float32]]]:
    with opened(part, limits) as file:
        found = sniff.sniff(file)
        if found in SNDFILE_FORMATS:
            yield from _libsndfile_blocks(file, found, part.name)
        elif found is not None and is_container(found):
            yield from _container_blocks(file, found, part.name, zero_s)
        else:
            raise InputError(f"{part.name} is not a recording that Tutti reads: {describe(file)}.")


def _libsndfile_blocks(file: BinaryIO, found: Format, name: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
    with sound_file(file, found, name) as sound:
        mixer = Mixer(sound.samplerate)
        while len(block := sound.read(sound.samplerate, dtype="float32", always_2d=True)):
            yield sound.samplerate, mixer(block)


def _container_blocks(
    file: BinaryIO, found: Format, name: str, zero_s: float | None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Blocks on the container's clock: silence fills gaps, and what lies before zero is dropped."""
    with container(file, found, name) as opened_container:
        if not opened_container.streams.audio:
            return
        stream = opened_container.streams.audio[0]
        check_codec(stream, name)
        place, mixer = 0, None
        for frame in opened_container.decode(stream):
            rate_hz = frame.sample_rate
            check_rate(name, rate_hz)
            mixer = mixer or Mixer(rate_hz)
            block = mixer(channels_of(frame))
            if frame.time is not None:
                zero_s = frame.time if zero_s is None else zero_s
                ahead = round((frame.time - zero_s) * rate_hz) - place
                if ahead < 0 and place == 0:
                    block = block[-ahead:]
                elif ahead > _GAP_S * rate_hz:
                    yield from (
                        (rate_hz, np.zeros(min(rate_hz, ahead - at), np.float32)) for at in range(0, ahead, rate_hz)
                    )
                    place += ahead
            place += len(block)
            if len(block):
                yield rate_hz, block


def sound_between(
    part: Audio | Video, limits: Limits, start_s: float, end_s: float, rate_hz: int
) -> NDArray[np.float32]:
    """The sound of a stretch, from a seek near to it. Shapes: (S,) float32 mono; empty when there is none.

    Args:
        part: A recording or a video.
        limits: Budget of bytes; the stretch must be within the budget of seconds.
        start_s: Its start, in seconds from the start of the medium.
        end_s: Its end.
        rate_hz: Sample rate that is wanted.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: The stretch lasts longer than allowed.
    """
    limits.check_seconds(part.name, end_s - start_s)
    zero_s = plan_zero(part, limits) if isinstance(part, Video) else None
    with opened(part, limits) as file:
        found = sniff.sniff(file)
        if found in SNDFILE_FORMATS:
            with sound_file(file, found, part.name) as sound:
                sound.seek(min(sound.frames, round(start_s * sound.samplerate)))
                block = sound.read(round((end_s - start_s) * sound.samplerate), dtype="float32", always_2d=True)
                samples, given_hz = Mixer(sound.samplerate)(block), sound.samplerate
        elif found is not None and is_container(found):
            samples, given_hz = _container_stretch(file, found, part.name, zero_s, (start_s, end_s))
        else:
            raise InputError(f"{part.name} is not a recording that Tutti reads: {describe(file)}.")
    if given_hz != rate_hz:
        samples = soxr.resample(samples, given_hz, rate_hz)
    return np.asarray(np.clip(samples, -1, 1), np.float32)


def frame_at(part: Video, limits: Limits, time_s: float) -> NDArray[np.uint8]:
    """The frame shown at a time, decoded from the key frame before it. Shapes: (H, W, 3) uint8.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: Its frames are larger than allowed.
    """
    zero_s = plan_zero(part, limits)
    with opened(part, limits) as file, container(file, _film(file, part), part.name) as film:
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


def plan_zero(part: Video, limits: Limits) -> float:
    """The container's time of the first frame, in seconds."""
    with opened(part, limits) as file, container(file, _film(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        times = (time for time, _ in timed_packets(film, stream, part.name, limits))
        return float(min(islice(times, 32)) * stream.time_base)


def _container_stretch(
    file: BinaryIO, found: Format, name: str, zero_s: float | None, span: tuple[float, float]
) -> tuple[NDArray[np.float32], int]:
    with container(file, found, name) as medium:
        if not medium.streams.audio:
            return np.zeros(0, np.float32), 1
        stream = medium.streams.audio[0]
        check_codec(stream, name)
        zero_s = zero_s if zero_s is not None else float((stream.start_time or 0) * stream.time_base)
        start_s, end_s = span[0] + zero_s, span[1] + zero_s
        medium.seek(max(0, int((start_s - 0.2) / stream.time_base)), stream=stream, backward=True)
        blocks, rate_hz, mixer = [], 1, None
        for frame in medium.decode(stream):
            rate_hz, time_s = frame.sample_rate, frame.time or 0.0
            if time_s >= end_s:
                break
            mixer = mixer or Mixer(rate_hz)
            block = mixer(channels_of(frame))
            low, high = round((start_s - time_s) * rate_hz), round((end_s - time_s) * rate_hz)
            blocks.append(block[max(0, low) : max(0, high)])
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), rate_hz


def duration_of(path: str) -> float:
    """What a recording or video announces as its length, in seconds; 0 when it announces none or is something else."""
    try:
        with Path(path).open("rb") as file:
            found = sniff.sniff(file)
            if found in SNDFILE_FORMATS:
                with sound_file(file, found, path) as sound:
                    return float(sound.frames / sound.samplerate)
            if found is None or not is_container(found):
                return 0.0
            with container(file, found, path) as medium:
                return float(medium.duration or 0) / av.time_base
    except (OSError, InputError):
        return 0.0  # whoever reads it says what is wrong with it
