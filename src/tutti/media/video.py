"""Videos: chosen frames and the sound track, on one clock whose zero is the first frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tutti.content import Video
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.audio import Sound, finished
from tutti.media.containers import read_sound
from tutti.media.frame_readers import AnimationReader, ArrayReader, ContainerReader
from tutti.media.frame_sampling import FrameChoice, TimedFrame, UniformFrames
from tutti.media.limits import Limits
from tutti.media.sniff import FILMS, describe
from tutti.media.sources import array_of, opened
from tutti.media.truncation import check_whole


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """Chosen frames of a video, and its sound."""

    frames: NDArray[np.uint8]
    """(F, H, W, 3) uint8, red, green, blue."""
    times_s: NDArray[np.float64]
    """(F,) float64: when each frame first shows, in seconds from the first frame of the video."""
    duration_s: float
    """Length of the moving pictures, in seconds."""
    sound: Sound | None
    """The sound track; its sample 0 stands at time 0 of the pictures. None when there is none."""


Scale = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""What becomes of a frame as it is decoded: (H, W, 3) uint8 → the same of another height and width."""


def decode_video(
    part: Video, limits: Limits, choice: FrameChoice | None = None, *, scale: Scale | None = None, sound: bool = True
) -> Clip:
    """Decode chosen frames of a video and its sound. Rotation is applied.

    Args:
        part: The video, or an animated GIF, WebP or AVIF.
        limits: Budgets of bytes, seconds, and pixels of all kept frames together.
        choice: Which frames to keep; eight at equal distances when not given.
        scale: What is kept of a frame, so that large ones need not be held; it must pickle for decoding in a worker.
        sound: Whether the sound is wanted. Without it, a film may be as long as one that is read piece by piece.

    Returns:
        The clip.

    Raises:
        InputError: It is missing, damaged, cut off, without frames, or of another format.
        CapacityError: It has more bytes, seconds or pixels than allowed.
    """
    choice = choice or UniformFrames()
    if not sound:
        limits = limits.streaming()

    def clip_of(reader: ContainerReader | AnimationReader | ArrayReader) -> Clip:
        moments = choice.moments(reader)
        shown = _scaled(reader.shown_at(moments), len(moments), scale, part.name, limits)
        times_s = np.array([time_s for time_s, _ in shown], dtype=np.float64)
        return Clip(np.stack([frame for _, frame in shown]), times_s, reader.duration_s, sound=None)

    array = array_of(part)
    if array is not None:
        return clip_of(ArrayReader(array, part.frames_per_s, limits))
    with opened(part, limits) as file:
        found = sniff.sniff(file)
        if found in sniff.ANIMATIONS:
            return clip_of(AnimationReader(file, part, limits))
        if found is None or found not in (sniff.MP4, sniff.MATROSKA):
            raise InputError(f"{part.name} is not a video that Tutti reads: {describe(file)}; expected {FILMS}.")
        check_whole(file, found, part.name)
        reader = ContainerReader(file, found, part.name, limits)
        clip = clip_of(reader)
        track = read_sound(file, found, part.name, limits, zero_s=reader.zero_s) if sound else None
        return replace(clip, sound=finished(*track, part.name)) if track is not None else clip


def _scaled(
    frames: Iterable[TimedFrame], count: int, scale: Scale | None, name: str, limits: Limits
) -> list[TimedFrame]:
    """What is kept of `count` frames, refused by the first one if that makes too many pixels."""
    kept: list[TimedFrame] = []
    for time_s, frame in frames:
        small = frame if scale is None else scale(frame)
        if not kept:
            limits.check_pixels(name, small.shape[1], small.shape[0], frames=count)
        kept.append((time_s, small))
    return kept
