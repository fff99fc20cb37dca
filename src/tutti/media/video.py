"""Videos: chosen frames and the sound track, on one clock whose zero is the first frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tutti.content import Video
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.audio import Sound, finished
from tutti.media.containers import read_sound
from tutti.media.frames import FrameChoice, UniformFrames
from tutti.media.framing import check_whole
from tutti.media.limits import Limits
from tutti.media.reels import AnimationReel, ArrayReel, ContainerReel
from tutti.media.sniff import FILMS, describe
from tutti.media.sources import array_of, opened


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


def decode_video(part: Video, limits: Limits, choice: FrameChoice | None = None) -> Clip:
    """Decode chosen frames of a video and its sound. Rotation is applied.

    Args:
        part: The video, or an animated GIF or WebP.
        limits: Budgets of bytes, seconds, and pixels of all kept frames together.
        choice: Which frames to keep; eight at equal distances when not given.

    Returns:
        The clip.

    Raises:
        InputError: It is missing, damaged, cut off, without frames, or of another format.
        CapacityError: It has more bytes, seconds or pixels than allowed.
    """
    choice = choice or UniformFrames()
    array = array_of(part)
    if array is not None:
        return _clip(ArrayReel(array, part.frames_per_s, limits), choice)
    if limits.workers is not None:
        return limits.workers.clip(part, limits, choice)
    with opened(part, limits) as file:
        found = sniff.sniff(file)
        if found in (sniff.GIF, sniff.WEBP):
            return _clip(AnimationReel(file, part, limits), choice)
        if found is None or found not in (sniff.MP4, sniff.MATROSKA):
            raise InputError(f"{part.name} is not a video that Tutti reads: {describe(file)}; expected {FILMS}.")
        check_whole(file, found, part.name)
        reel = ContainerReel(file, found, part.name, limits)
        clip = _clip(reel, choice)
        track = read_sound(file, found, part.name, limits, zero_s=reel.zero_s)
        return replace(clip, sound=finished(*track, part.name)) if track is not None else clip


def _clip(reel: ContainerReel | AnimationReel | ArrayReel, choice: FrameChoice) -> Clip:
    """The chosen frames, without sound."""
    shown = list(reel.shown_at(choice.moments(reel)))
    times_s = np.array([time_s for time_s, _ in shown], dtype=np.float64)
    return Clip(np.stack([frame for _, frame in shown]), times_s, reel.duration_s, sound=None)
