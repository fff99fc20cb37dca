"""Films: faces and words found in a first pass over the frames, covered in a second one, and all of it encoded anew.

What is written is H.264 and AAC in MP4 with nothing beside them: one track of pictures and one of sound, no tags, no
tracks of places or times, no covers, no chapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from tutti.content import Image, Video
from tutti.errors import InputError
from tutti.media import Limits
from tutti.media.containers import container
from tutti.media.frame_readers import AnimationReader, ArrayReader
from tutti.media.orientation import upright
from tutti.media.sniff import ANIMATIONS, MATROSKA, MP4, describe, sniff
from tutti.media.sources import array_of, opened
from tutti.media.truncation import check_whole
from tutti.media.video_stream import no_frames, pictures_of, size_of
from tutti.trust.pieces import Box
from tutti.trust.privacy.covering import Cover, covered
from tutti.trust.privacy.faces import FaceDetector
from tutti.trust.privacy.mp4 import BITEXACT, aac_stream, encode_sound, plain_mp4
from tutti.trust.privacy.tracking import FaceTracker, Track, boxes_by_frame

_LOOK_EVERY_S, _HELD_S = 0.4, 2.0
"""Seconds between two looks of the detector, and for how long a face is covered before and after it was found."""
_READ_EVERY_S = 2.0
"""Seconds between two frames whose text is read."""
_CRF, _PRESET = "20", "veryfast"
_CLOCK = 90_000
"""Ticks a second of what is written (MPEG's own)."""


class Shown(NamedTuple):
    """A decoded frame."""

    time_s: float
    pixels: NDArray[np.uint8]
    """(H, W, 3) uint8, upright."""


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


def frames_of_film(part: Video, limits: Limits) -> Iterator[Shown]:
    """All frames, one at a time, each of the size of the first.

    Raises:
        InputError: It is missing, damaged, without frames or of another format.
        CapacityError: It has more bytes, seconds or pixels a frame than allowed.
    """
    array = array_of(part)
    if array is not None:
        yield from _of_reader(ArrayReader(array, part.frames_per_s, limits))
        return
    with opened(part, limits.streaming()) as file:
        found = sniff(file)
        if found in ANIMATIONS:
            yield from _of_reader(AnimationReader(file, part, limits))
            return
        if found is None or found not in (MP4, MATROSKA):
            raise InputError(f"{part.name} is not a video that Tutti reads: {describe(file)}.")
        check_whole(file, found, part.name)
        with container(file, found, part.name) as source:
            yield from _of_container(source, part.name, limits)


def _of_reader(reader: ArrayReader | AnimationReader) -> Iterator[Shown]:
    for time_s, pixels in reader.shown_at(reader.times_s):
        yield Shown(time_s, pixels)


def _of_container(source: Any, name: str, limits: Limits) -> Iterator[Shown]:
    stream = pictures_of(source, name, limits)
    stream.thread_type = "AUTO"
    size, first, last = None, None, -1.0
    for frame in source.decode(stream):
        if frame.pts is None:
            continue
        seconds = float(frame.pts * stream.time_base)
        first = seconds if first is None else first
        limits.check_seconds(name, seconds - first)
        size = size or size_of(frame, stream, name, limits)
        limits.check_pixels(name, frame.width, frame.height)
        last = max(last + 1 / _CLOCK, seconds - first)  # times that go backwards are an error of the file
        yield Shown(last, upright(frame, size))
    if first is None:
        raise no_frames(name)


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
    tracker, looked, read = None, -1e9, -1e9
    times: list[float] = []
    texts: list[tuple[float, list[tuple[str, Box]]]] = []
    for index, shown in enumerate(frames_of_film(part, limits)):
        times.append(shown.time_s)
        if detector is not None:
            tracker = tracker or FaceTracker(_held_frames(part, limits))
            cut = tracker.advance(index, _grey(shown.pixels))
            if cut or shown.time_s - looked >= _LOOK_EVERY_S:
                tracker.found(index, detector.faces(shown.pixels, quick=True))
                looked = shown.time_s
        if words is not None and shown.time_s - read >= _READ_EVERY_S:
            texts.append((shown.time_s, list(words(Image(shown.pixels)))))
            read = shown.time_s
        if progress is not None:
            progress(shown.time_s)
    if not times:
        raise no_frames(part.name)
    duration_s = times[-1] + (times[-1] - times[0]) / max(1, len(times) - 1)
    tracks = tracker.tracks if tracker is not None else []
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


def _held_frames(part: Video, limits: Limits) -> int:
    rate = 25.0
    if array_of(part) is not None:
        rate = part.frames_per_s or rate
    else:
        with opened(part, limits.streaming()) as file:
            found = sniff(file)
            if found in (MP4, MATROSKA):
                with container(file, found, part.name) as source:
                    rate = float(pictures_of(source, part.name, limits).average_rate or rate)
    return max(1, min(240, round(rate * _HELD_S)))


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from tutti.trust.privacy.faces import opencv

    cv = opencv()
    made: NDArray[np.uint8] = cv.cvtColor(pixels, cv.COLOR_RGB2GRAY)
    return made


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
        frames = frames_of_film(part, limits)
        first = next(frames)
        height, width = (max(2, side - side % 2) for side in first.pixels.shape[:2])
        stream = output.add_stream("libx264", rate=_CLOCK, options={"crf": _CRF, "preset": _PRESET})
        stream.codec_context.flags |= BITEXACT
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
        track = aac_stream(output, sound[1], sound[0].shape[1]) if sound is not None else None
        shown: Shown | None = first
        index = 0
        while shown is not None:
            pixels = covered(shown.pixels, findings.boxes.get(index, ()), cover)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(width, height, "yuv420p")
            frame.pts, frame.time_base = round(shown.time_s * _CLOCK), Fraction(1, _CLOCK)
            for packet in stream.encode(frame):
                output.mux(packet)
            if progress is not None:
                progress(shown.time_s)
            index, shown = index + 1, next(frames, None)
        for packet in stream.encode():
            output.mux(packet)
        if track is not None and sound is not None:
            encode_sound(output, track, *sound)
