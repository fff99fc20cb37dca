"""The sound of long media in memory that does not grow with their length: windows, and single stretches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from tutti.content import Audio, Video
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.containers import channels_of, check_codec, check_rate, container, is_container
from tutti.media.key_frames import start_of_pictures
from tutti.media.limits import Limits
from tutti.media.mixing import Mixer
from tutti.media.sndfile import SNDFILE_FORMATS, sound_file
from tutti.media.sniff import Format, describe
from tutti.media.sources import opened

Window = tuple[float, NDArray[np.float32]]
_GAP_S = 0.05
"""A gap of more than so many seconds between two blocks is filled with silence."""


def sound_windows(
    part: Audio | Video, limits: Limits, *, rate_hz: int, window_s: float, hop_s: float, zero_s: float | None = None
) -> Iterator[Window]:
    """Overlapping windows of a sound track, as (start in seconds, (S,) float32 mono at `rate_hz`).

    Args:
        part: A recording, or a video, of which the sound is read; a video without sound has no windows.
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
    # A rest of less than a quarter second beyond the last window adds nothing.
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
    """Blocks on the container's clock: gaps are filled with silence, and what lies before zero is dropped."""
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
    zero_s = start_of_pictures(part, limits) if isinstance(part, Video) else None
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
        return 0.0  # whoever decodes it reports the error
