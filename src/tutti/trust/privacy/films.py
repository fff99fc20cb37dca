"""Films: faces and words found in a first pass over the frames, covered in a second one, and all of it encoded anew.

What is written is H.264 and AAC in MP4 with nothing beside them: one track of pictures and one of sound, no tags, no
tracks of places or times, no covers, no chapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from tutti.content import Image, Video
from tutti.media import Limits
from tutti.media.ahead import ahead
from tutti.media.video_stream import no_frames
from tutti.trust.pieces import Box
from tutti.trust.privacy.covering import Cover, covered
from tutti.trust.privacy.faces import FaceDetector
from tutti.trust.privacy.film_faces import FilmFaces
from tutti.trust.privacy.film_frames import CLOCK, frames_of_film, rate_of_film
from tutti.trust.privacy.mp4 import BITEXACT, aac_stream, encode_sound, plain_mp4, without_supplements
from tutti.trust.privacy.tracking import Track, boxes_by_frame

_READ_EVERY_S = 2.0
"""Seconds between two frames whose text is read."""
_CRF, _PRESET = "20", "veryfast"
_FRAMES_AHEAD = 8
"""Frames that are decoded and covered while those before them are encoded."""


class _Covered(NamedTuple):
    time_s: float
    pixels: NDArray[np.uint8]


class FilmFindings(NamedTuple):
    """What is to be covered in a film."""

    boxes: dict[int, list[Box]]
    """Frame → boxes."""
    spans: list[tuple[str, Box, float, float]]
    """What, where first, from when and to when."""
    frames: int
    duration_s: float


WordFinder = Callable[[Image], Sequence[tuple[str, Box]]]
"""Picture → kinds of words and their boxes."""


def find_in_film(
    part: Video,
    limits: Limits,
    detector: FaceDetector | None,
    words: WordFinder | None,
    progress: Callable[[float], None] | None = None,
) -> FilmFindings:
    """Look at every frame, and find what is to be covered.

    Args:
        part: The film.
        limits: Its budgets.
        detector: Finds faces; None looks for none.
        words: Finds words; None reads none.
        progress: Told the time in the film that was reached, in seconds.
    """
    faces = FilmFaces(detector, rate_of_film(part, limits)) if detector is not None else None
    times: list[float] = []
    texts: list[tuple[float, list[tuple[str, Box]]]] = []
    tracks: list[Track] = []
    with closing(faces) if faces is not None else nullcontext():
        for index, shown in enumerate(frames_of_film(part, limits)):
            times.append(shown.time_s)
            if faces is not None:
                faces.add(index, shown)
            if words is not None and (not texts or shown.time_s - texts[-1][0] >= _READ_EVERY_S):
                texts.append((shown.time_s, list(words(Image(shown.pixels)))))
            if progress is not None:
                progress(shown.time_s)
        if faces is not None:
            tracks = faces.tracks()
    if not times:
        raise no_frames(part.name)
    duration_s = times[-1] + (times[-1] - times[0]) / max(1, len(times) - 1)
    boxes = boxes_by_frame(tracks)
    spans = [_span_of(track, times) for track in tracks]
    spans += _cover_texts(boxes, texts, times, duration_s)
    return FilmFindings(boxes, spans, len(times), duration_s)


def _span_of(track: Track, times: Sequence[float]) -> tuple[str, Box, float, float]:
    first, last = min(track.boxes), max(track.boxes)
    return "face", track.boxes[first], times[first], times[last]


def _cover_texts(
    boxes: dict[int, list[Box]],
    texts: Sequence[tuple[float, list[tuple[str, Box]]]],
    times: Sequence[float],
    duration_s: float,
) -> list[tuple[str, Box, float, float]]:
    """Add to `boxes` those of words, each from the frame that was read before it to the one that was read after it.

    When words came and went between them is not known.
    """
    spans: list[tuple[str, Box, float, float]] = []
    if not texts:
        return spans
    ends = [*(time_s for time_s, _ in texts[1:]), duration_s]
    for (since, found), until in zip(texts, ends, strict=True):
        for kind, box in found:
            begin = max(0.0, since - _READ_EVERY_S)
            spans.append((kind, box, begin, until))
            for index, time_s in enumerate(times):
                if begin <= time_s <= until:
                    boxes.setdefault(index, []).append(box)
    return spans


def write_film(
    part: Video,
    target: Path,
    limits: Limits,
    findings: FilmFindings,
    sound: tuple[NDArray[np.float32], int] | None,
    cover: Cover = "solid",
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write the film with its boxes covered.

    Args:
        part: The film.
        target: A file that is made.
        limits: Its budgets.
        findings: Of `find_in_film`.
        sound: (S, C) float32 in [-1, 1] from the first frame on, and the rate in hertz; None writes no sound.
        cover: What is put over the boxes.
        progress: Told the time in the film that was reached, in seconds.
    """
    with target.open("w+b") as file, plain_mp4(file) as output:
        frames = ahead(_covered_frames(part, limits, findings, cover), most=_FRAMES_AHEAD)
        first = next(frames)
        height, width = (max(2, side - side % 2) for side in first.pixels.shape[:2])
        coder = VideoReformatter()  # one, which keeps its tables from frame to frame
        stream = output.add_stream("libx264", rate=CLOCK, options={"crf": _CRF, "preset": _PRESET})
        stream.codec_context.flags |= BITEXACT
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
        track = aac_stream(output, sound[1], sound[0].shape[1]) if sound is not None else None
        plain = without_supplements(stream)
        for shown in chain((first,), frames):
            frame = coder.reformat(av.VideoFrame.from_ndarray(shown.pixels, "rgb24"), width, height, "yuv420p")
            frame.pts, frame.time_base = round(shown.time_s * CLOCK), Fraction(1, CLOCK)
            for packet in stream.encode(frame):
                output.mux(plain.filter(packet))
            if progress is not None:
                progress(shown.time_s)
        for packet in (*stream.encode(), None):
            output.mux(plain.filter(packet))
        if track is not None and sound is not None:
            encode_sound(output, track, *sound)


def _covered_frames(part: Video, limits: Limits, findings: FilmFindings, cover: Cover) -> Iterator[_Covered]:
    for index, shown in enumerate(frames_of_film(part, limits)):
        yield _Covered(shown.time_s, covered(shown.pixels, findings.boxes.get(index, ()), cover))
