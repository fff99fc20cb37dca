"""From a file to its facets: what is seen, heard and read in it, each with its place in time and ready to be embedded.

A picture has one facet; a recording one for each window in which something new is heard; a film one or two for each
frame that shows something new, and those of its sound, on one clock; a text one for each passage. Long media come piece
by piece.
"""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Audio, Document, Image, Part, Segment, Text, TextLine, Video
from tutti.errors import InputError
from tutti.interfaces import TextBounded, TextReader, Transcriber
from tutti.media import InProcess, Limits, SceneChanges, decode_image, decode_video, document_decoder
from tutti.media.ahead import ahead
from tutti.media.documents import PAGE_SIDE
from tutti.media.key_frames import FramePlan, plan_frames, sampled_frames
from tutti.media.sniff import ANIMATIONS, sniff
from tutti.media.sound_windows import sound_windows
from tutti.media.sources import opened
from tutti.media.text_files import read_text
from tutti.search.ingest.loudness import Loudness, alike, loudness
from tutti.search.ingest.passages import passages_of
from tutti.search.ingest.speech_pieces import SpeechPieces, lasts_s
from tutti.search.query.colours import Palette, dominant
from tutti.search.table.schema import HOP_S, MIDDLE, WINDOW_S, FacetKind

RATE_HZ = 16_000
DECODED_SIDE, LEAST_SIDE = 512, 256
"""Pictures are decoded to at least this short side, in pixels, where a model does not tell what it takes; and where it
does, for colours and thumbnails."""
SHOT_CHANGE, FRAME_CHANGE = 0.10, 0.015
"""Mean change between thumbnails, as a share of the full range, that makes a new shot, or one more frame of it."""
_WIDE = 1.5
"""Frames this many times as wide as high, or as high as wide, are looked at twice."""
VERSION = 6
"""Of what is taken from a medium; kept indexes of long media that another one made are made anew."""
_THUMBNAIL = 160
_PAGES_AT_ONCE = 8
_LONGEST_TEXT = 20_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Facet:
    """One thing that can be found: something seen, heard or read, at a place in a medium."""

    kind: FacetKind
    part: Part
    """What is embedded; media as arrays."""
    start_s: float | None = None
    end_s: float | None = None
    shot: int | None = None
    """Number of the shot in a film."""
    page: int | None = None
    """Number of the page in a document, from 1."""
    words: str = ""
    """What full-text search reads."""
    origin: str = ""
    """Where the words come from: "text", "read in the picture" or "said"; of what is seen: `MIDDLE`, or all of it."""
    lines: tuple[TextLine, ...] = ()
    palette: Palette | None = None
    thumbnail: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What decoding may use."""

    limits: Limits
    streaming: Limits
    """For media that are read piece by piece."""
    picture_side: int = DECODED_SIDE
    """Pictures are decoded to at least this short side, in pixels."""
    bounds: TextBounded | None = None
    """What counts the tokens of passages; None where the model does not state how many it reads."""
    reader: TextReader | None = None
    transcriber: Transcriber | None = None
    longest_speech_s: float | None = None
    """Longer recordings and films are not written down; None is any."""
    every_sound: bool = False
    """Write down all that sounds, where a word that is missed costs more than time."""

    def writes_down(self, part: Audio | Video) -> bool:
        """Whether the speech of a recording or a film is written down: it can be, and is not too long for that."""
        longest_s = self.longest_speech_s
        return self.transcriber is not None and (longest_s is None or lasts_s(part) <= longest_s)


def facets(part: Part, tools: Tools) -> Iterator[Facet]:
    """Everything that can be found in a medium.

    Raises:
        InputError: It cannot be read.
        CapacityError: It is over a budget.
    """
    if isinstance(part, Text):
        yield from passages(part.text, "text", tools)
    elif isinstance(part, Image):
        yield from _of_picture(part, tools)
    elif isinstance(part, Video):
        yield from _of_film(part, tools)
    elif isinstance(part, Audio):
        yield from heard(part, tools, zero_s=None)
    elif isinstance(part, Document):
        yield from _of_document(part, tools)
    else:
        raise InputError(f"{part.modality} cannot be indexed; expected text, image, audio, video or a document.")


def passages(text: str, origin: str, tools: Tools, **place: Any) -> Iterator[Facet]:
    """A text in passages that one vector holds, each with the end of the one before."""
    for start, end in passages_of(text, tools.bounds):
        passage = " ".join(text[start:end].split())
        yield Facet(kind="words", part=Text(passage), words=passage, origin=origin, **place)


def text_of(path: str) -> Text:
    """A text file.

    Raises:
        InputError: It cannot be read, is empty, or not UTF-8.
        CapacityError: It is too long.
    """
    text = read_text(path, _LONGEST_TEXT)
    if not text.strip():
        raise InputError(f"{path} is empty; expected words.")
    return Text(text)


def picture_facet(pixels: NDArray[np.uint8], *, start_s: float | None = None, shot: int | None = None) -> Facet:
    """What is seen in a picture. Shapes: (H, W, 3) uint8."""
    return Facet(
        kind="picture",
        part=Image(pixels),
        start_s=start_s,
        shot=shot,
        palette=dominant(pixels),
        thumbnail=thumbnail_of(pixels),
    )


def thumbnail_of(pixels: NDArray[np.uint8]) -> bytes:
    """A small JPEG."""
    small = pillow.fromarray(pixels)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), pillow.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=75)
    return out.getvalue()


def _of_picture(part: Image, tools: Tools) -> Iterator[Facet]:
    reading = tools.reader is not None
    pixels = decode_image(part, tools.limits, at_least=None if reading else tools.picture_side)
    yield picture_facet(pixels)
    yield from _read(pixels, tools)


def _of_document(part: Document, tools: Tools) -> Iterator[Facet]:
    """Each page: what it shows, and its text; where it has none and there is a reader, what is read in its picture.

    Pages are decoded a few at a time, so that a long document takes no more memory than a short one.
    """
    decoder = document_decoder(InProcess(tools.limits))
    total = decoder.size(part).pages
    for first in range(1, total + 1, _PAGES_AT_ONCE):
        numbers = range(first, min(first + _PAGES_AT_ONCE, total + 1))
        for page in decoder.document(part, numbers, side=PAGE_SIDE):
            if page.picture is not None:
                yield replace(picture_facet(page.picture), page=page.number)
            if page.text:
                yield from passages(page.text, "text", tools, page=page.number)
            elif page.picture is not None:
                yield from (replace(facet, page=page.number) for facet in _read(page.picture, tools))


def _read(pixels: NDArray[np.uint8], tools: Tools, start_s: float | None = None) -> Iterator[Facet]:
    """The text in a picture or a frame, where there is a reader and text. Shapes: (H, W, 3) uint8."""
    if tools.reader is not None and (lines := tuple(tools.reader.read(Image(pixels)))):
        text = "\n".join(line.text for line in lines)
        ends = list(accumulate(len(line.text) + 1 for line in lines))
        for start, end in passages_of(text, tools.bounds):
            inside = slice(bisect_right(ends, start), bisect_left(ends, end) + 1)
            yield Facet(
                kind="words",
                part=Text(text[start:end]),
                words=text[start:end],
                origin="read in the picture",
                lines=lines[inside],
                start_s=start_s,
            )


def heard(part: Audio | Video, tools: Tools, zero_s: float | None) -> Iterator[Facet]:
    """Windows of a sound track in which something new is heard, each with the time until the next, and what is said."""
    before: Loudness | None = None
    waiting: Facet | None = None
    writes = tools.transcriber if tools.writes_down(part) else None
    speech = None if writes is None else SpeechPieces(writes, everything=tools.every_sound)
    for start_s, samples in sound_windows(
        part, tools.streaming, rate_hz=RATE_HZ, window_s=WINDOW_S, hop_s=HOP_S, zero_s=zero_s
    ):
        end_s = start_s + len(samples) / RATE_HZ
        now = loudness(samples)
        if waiting is not None and before is not None and alike(now, before):
            waiting = _lasting(waiting, end_s)
        else:
            if waiting is not None:
                yield waiting
            sound = Audio(samples, sample_rate_hz=RATE_HZ)
            before, waiting = now, Facet(kind="sound", part=sound, start_s=start_s, end_s=end_s)
        if speech is not None:
            yield from _said(speech.take(start_s, samples), tools)
    if waiting is not None:
        yield waiting
    if speech is not None:
        yield from _said(speech.finish(), tools)


def _said(segments: Iterator[Segment], tools: Tools) -> Iterator[Facet]:
    for segment in segments:
        yield from passages(segment.text, "said", tools, start_s=segment.start_s, end_s=segment.end_s)


def _of_film(part: Video, tools: Tools) -> Iterator[Facet]:
    if is_animation(part, tools.streaming):
        clip = decode_video(part, tools.limits, SceneChanges(8))
        ends = [*clip.times_s[1:].tolist(), clip.duration_s]
        for shot, (frame, start_s, end_s) in enumerate(zip(clip.frames, clip.times_s.tolist(), ends, strict=True)):
            yield _lasting(picture_facet(frame, start_s=start_s, shot=shot), end_s)
        return
    plan = plan_frames(part, tools.streaming)
    # Pictures and sound are decoded at the same time, each in its thread.
    yield from merge(
        ahead(seen(part, tools, plan)), ahead(heard(part, tools, plan.zero_s)), key=lambda facet: facet.start_s or 0.0
    )


def is_animation(part: Video, limits: Limits) -> bool:
    """Whether a film is an animated picture, or an array, which are held in memory as a whole."""
    if isinstance(part.source, np.ndarray):
        return True
    with opened(part, limits) as file:
        return sniff(file) in ANIMATIONS


def seen(part: Video, tools: Tools, plan: FramePlan) -> Iterator[Facet]:
    """The frames of a film that show something new, each with the time until the next: in one view or two, and read."""
    before: NDArray[np.int16] | None = None
    waiting: list[Facet] = []
    shot, last_s = 0, 0.0
    for time_s, frame in sampled_frames(part, tools.streaming, plan):
        now = np.asarray(pillow.fromarray(frame).resize((16, 16), pillow.Resampling.BOX), np.int16)
        change = 1.0 if before is None else float(np.abs(now - before).mean()) / 255
        last_s = time_s
        if change < FRAME_CHANGE:
            continue
        shot += before is not None and change >= SHOT_CHANGE
        before = now
        yield from (_lasting(facet, time_s) for facet in waiting)
        waiting = [*views(frame, start_s=time_s, shot=shot), *_read(frame, tools, time_s)]
    yield from (_lasting(facet, max(plan.duration_s, last_s)) for facet in waiting)


def views(frame: NDArray[np.uint8], *, start_s: float, shot: int) -> list[Facet]:
    """What is seen in a frame: all of it, and of a wide one its middle square, too. Shapes: (H, W, 3) uint8.

    Models look at a small square, into which a wide frame is either shrunk or cropped: what it shows is then small, or
    what stands beside it is not there.
    """
    whole = picture_facet(frame, start_s=start_s, shot=shot)
    height, width = frame.shape[:2]
    side = min(height, width)
    if max(height, width) < _WIDE * side:
        return [whole]
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(frame[top : top + side, left : left + side])
    return [whole, replace(whole, part=Image(middle), origin=MIDDLE, palette=None)]


def _lasting(facet: Facet, end_s: float) -> Facet:
    return replace(facet, end_s=end_s)
