"""Videos to the inputs of SmolVLM: frames with the times at which they show. Pictures and words are as for Idefics3.

Reference implementation: `transformers`, `SmolVLMVideoProcessor` and `SmolVLMProcessor`.
We differ in: frames are resized by Pillow, where the reference needs torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import UnsupportedConfig
from tutti.media.frame_sampling import FrameReader
from tutti.media.video import Clip
from tutti.processing.idefics3 import Idefics3Processor, TiledInput, long_side
from tutti.processing.images import resize
from tutti.processing.prompt import Decoded, Decoding, MediaInput

_SKIPPED_S = 1.0
"""Left out at both ends of a long video."""
_MOST_FRAMES = 999
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


@dataclass(frozen=True, kw_only=True)
class FramesPerSecond:
    """A rule that picks frames of a video: so many a second, at most so many, evenly from the first to the last."""

    rate: float
    """Frames a second."""
    most: int

    def moments(self, reader: FrameReader) -> NDArray[np.float64]:
        """The chosen times in ascending order, in seconds."""
        times_s, duration_s = reader.times_s, reader.duration_s
        count = max(1, min(round(self.rate * duration_s), self.most))
        first, last, skipped = 0, len(times_s) - 1, _SKIPPED_S * len(times_s) / duration_s
        if duration_s - 2 * _SKIPPED_S > self.most * self.rate and int(skipped) < int(len(times_s) - skipped):
            first, last = int(skipped), min(int(len(times_s) - skipped), last)
        numbers = np.unique(np.linspace(first, last, count, dtype=np.int64))
        return times_s[numbers]


@dataclass(frozen=True, kw_only=True)
class SquareFrames:
    """What is kept of a frame: it is brought to a long side, then to a square."""

    edge: int
    """The long side, in pixels."""
    side: int
    """S, the side of the square."""
    resample: int
    """Pillow's number of the filter."""

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Shapes: (H, W, 3) → (S, S, 3)."""
        longer = resize(frame, *long_side(frame, self.edge), self.resample)
        return resize(longer, self.side, self.side, self.resample)


@dataclass(frozen=True, eq=False)
class FilmInput(TiledInput):
    """Frames of a video, each of which stands in its own place in the prompt."""

    times_s: tuple[float, ...] = ()
    """When each frame shows, in seconds."""
    duration_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SmolVLMProcessor(Idefics3Processor):
    """Model inputs for `smolvlm`."""

    frame_choice: FramesPerSecond
    """Which frames of a video are seen."""
    frame_edge: int
    """The long side of a frame, in pixels, before it is made a square of S x S."""

    @property
    def decodings(self) -> Mapping[str, Decoding]:
        """Pictures as they are, and chosen frames of videos without their sound."""
        return {**super().decodings, "video": Decoding(frames=self.frame_choice, scale=self.frame_scale)}

    def prepare(self, modality: str, decoded: Decoded) -> MediaInput:
        """A picture, or a video."""
        return self.video(decoded) if isinstance(decoded, Clip) else super().prepare(modality, decoded)

    @property
    def frame_scale(self) -> SquareFrames:
        """What is kept of a frame."""
        return SquareFrames(edge=self.frame_edge, side=self.tile_size, resample=self.images.resample)

    def video(self, clip: Clip) -> MediaInput:
        """A video without its sound, whose frames `frame_scale` has made: {"pixel_values": (F, 3, S, S)}."""
        made = self.tiled("video", list(clip.frames))
        times_s = tuple(clip.times_s.tolist())
        return FilmInput(
            "video", made.arrays, made.tokens, made.digest, made.tiles, times_s=times_s, duration_s=clip.duration_s
        )

    def written(self, medium: MediaInput) -> tuple[str, Sequence[MediaInput]]:
        """What stands for a picture or a video in the prompt, and its tiles or frames."""
        if not isinstance(medium, FilmInput):
            return super().written(medium)
        frames = [
            f"\nFrame from {int(time_s // 60):02}:{int(time_s % 60):02}:{self.whole}" for time_s in medium.times_s
        ]
        length = timedelta(seconds=int(medium.duration_s))
        count = in_words(len(frames))
        intro = f"You are provided the following series of {count} frames from a {length} [H:MM:SS] video.\n"
        return f"{intro}{''.join(frames)}\n\n", medium.tiles


def video_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `SmolVLMProcessor` from `video_sampling` of the preprocessor settings.

    Raises:
        UnsupportedConfig: A setting is missing, unknown or out of range.
    """
    expected = {"fps", "max_frames", "video_size"}
    size = settings.get("video_size")
    edge: Any = size.get("longest_edge") if isinstance(size, Mapping) else None
    rate: Any = settings.get("fps")
    most: Any = settings.get("max_frames")
    numbers = isinstance(rate, (int, float)) and type(most) is int and type(edge) is int
    if set(settings) != expected or not (
        numbers and 0 < rate <= 1000 and 0 < most <= _MOST_FRAMES and 0 < edge <= 4096
    ):
        raise UnsupportedConfig(
            f"video_sampling is {dict(settings)!r}; expected fps, max_frames from 1 to {_MOST_FRAMES}, and video_size "
            "with a longest_edge to 4096 pixels."
        )
    return {"frame_choice": FramesPerSecond(rate=rate, most=most), "frame_edge": edge}


def in_words(number: int) -> str:
    """A number from 0 to 999 as it is said."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    return f"{_ONES[number // 100]} hundred" + (f" and {in_words(number % 100)}" if number % 100 else "")
