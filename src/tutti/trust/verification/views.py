"""A picture as the specialists see it: pixels, lines of text with their legibility, and second looks at a piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Image, TextLine
from tutti.interfaces import TextReader
from tutti.media import Limits, decode_image
from tutti.trust.legibility import LEGIBLE, legibility, levelled, luminance, shows_nothing_small
from tutti.trust.pieces import Box

CONFIDENT = 0.8
"""Lines that the reader is less sure of are not relied on."""
_LETTER_PX = 40
"""Height to which the letters of a piece are enlarged for a second look."""
_MOST_ENLARGED = 4.0
_LARGE_SIDE = 1800
"""A picture in which a text was not found is looked at again with so long a side, its faint parts made strong."""
_LEAST_SKEW = 2.0
"""Degrees; less tilt does not disturb the reader."""


@runtime_checkable
class Examiner(Protocol):
    """A reader that also reports what it found and could hardly read."""

    def examine(self, image: Image) -> Sequence[TextLine]:
        """All lines, whatever their confidence."""
        ...


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of text, and how far it is to be relied on."""

    line: TextLine
    legibility: float

    @property
    def trusted(self) -> bool:
        """Whether it is legible, and the reader sure."""
        return self.legibility >= LEGIBLE and self.line.confidence >= CONFIDENT


class PictureView:
    """One picture of a conversation.

    Args:
        image: The picture.
        medium: Its place among the media.
        reader: Reads its text; None where there is none.
        limits: Budgets for decoding.
    """

    def __init__(self, image: Image, medium: int, reader: TextReader | None, limits: Limits) -> None:
        self.image, self.medium, self._reader = image, medium, reader
        self.pixels = decode_image(image, limits)
        self._grey = luminance(self.pixels)
        self._lines: list[SeenLine] | None = None
        self._faint: list[SeenLine] | None = None
        self._looks: dict[tuple[int, ...], list[TextLine]] = {}

    @property
    def readable(self) -> bool:
        """Whether there is a reader of its text."""
        return self._reader is not None

    @property
    def was_read(self) -> bool:
        """Whether its text was read already."""
        return self._lines is not None

    @property
    def lines(self) -> list[SeenLine]:
        """The lines of text, read once."""
        if self._lines is None:
            self._lines = self._seen(self._read(self.pixels))
        return self._lines or self.faint

    @property
    def faint(self) -> list[SeenLine]:
        """Lines that are only found when the picture is enlarged and its faint parts made strong; read once."""
        if self._faint is None:
            scale = max(1.0, min(_MOST_ENLARGED, _LARGE_SIDE / max(self.pixels.shape[:2])))
            found = [_scaled(line, 1 / scale) for line in self._read(_resized(levelled(self.pixels), scale))]
            known = [seen.line.box for seen in self._lines or ()]
            self._faint = self._seen([line for line in found if all(_apart(line.box, box) for box in known)])
        return self._faint

    def _seen(self, found: Sequence[TextLine]) -> list[SeenLine]:
        return [SeenLine(line, legibility(self._grey, line.box).score) for line in found]

    @property
    def trusted(self) -> list[SeenLine]:
        """The lines that are relied on."""
        return [line for line in self.lines if line.trusted]

    @property
    def doubtful(self) -> list[SeenLine]:
        """The lines that were found and are not relied on."""
        return [line for line in self.lines if not line.trusted]

    def may_hide_text(self) -> bool:
        """Whether text may have been lost, since the picture is blurred or tiny."""
        return shows_nothing_small(self._grey)

    def again(self, boxes: Sequence[Box]) -> list[TextLine]:
        """What is read in a piece that is enlarged, and set upright where it is tilted; boxes are the piece's."""
        place = _around(boxes, self.pixels.shape[1], self.pixels.shape[0])
        if place not in self._looks:
            left, top, right, bottom = place
            letter = 0.7 * min(min(box[3] - box[1], box[2] - box[0]) for box in boxes)
            scale = min(_MOST_ENLARGED, max(1.5, _LETTER_PX / max(letter, 1.0)))
            piece = _resized(self.pixels[top:bottom, left:right], scale)
            tilt = skew_of(luminance(piece))
            found = self._read(piece if abs(tilt) < _LEAST_SKEW else _turned(piece, tilt))
            box = float(left), float(top), float(right), float(bottom)
            self._looks[place] = [replace(line, box=box) for line in found]
        return self._looks[place]

    def _read(self, pixels: NDArray[np.uint8]) -> list[TextLine]:
        if self._reader is None:
            return []
        image = Image(pixels)
        return list(self._reader.examine(image) if isinstance(self._reader, Examiner) else self._reader.read(image))


def skew_of(grey: NDArray[np.float32]) -> float:
    """By how many degrees lines of text are tilted, counted clockwise: the turn whose rows differ most (Postl 1986)."""
    small = pillow.fromarray(np.clip(grey * 255, 0, 255).astype(np.uint8))
    small.thumbnail((240, 240))
    ink = np.asarray(small, np.float32)
    ink = np.abs(ink - float(np.median(ink)))
    sheet = pillow.fromarray(ink)
    spread = {angle: float(np.var(np.asarray(sheet.rotate(angle)).mean(1))) for angle in range(-16, 17, 2)}
    best = max(spread, key=lambda angle: spread[angle])
    return float(best) if spread[best] > 1.15 * spread[0] else 0.0


def _around(boxes: Sequence[Box], width: int, height: int) -> tuple[int, int, int, int]:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    margin = 0.6 * min(bottom - top for bottom, top in zip(bottoms, tops, strict=True))
    return (
        max(0, round(min(lefts) - margin)),
        max(0, round(min(tops) - margin)),
        min(width, round(max(rights) + margin)),
        min(height, round(max(bottoms) + margin)),
    )


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale))
    return np.asarray(pillow.fromarray(pixels).resize(size, pillow.Resampling.BICUBIC))


def _turned(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = tuple(int(value) for value in np.median(edge, axis=0))
    picture = pillow.fromarray(pixels)
    return np.asarray(picture.rotate(degrees, pillow.Resampling.BICUBIC, expand=True, fillcolor=fill))


def _apart(one: Box, other: Box) -> bool:
    """Whether boxes share less than a third of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0.0, width) * max(0.0, height) < smaller / 3


def _scaled(line: TextLine, scale: float) -> TextLine:
    left, top, right, bottom = (side * scale for side in line.box)
    return replace(line, box=(left, top, right, bottom))
