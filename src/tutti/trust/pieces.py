"""Large pictures in overlapping pieces, and the lines of text of the pieces as lines of the whole.

Geometry only: boxes are (left, top, right, bottom) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from tutti.content import TextLine

Box: TypeAlias = tuple[float, float, float, float]
WHOLE_SIDE = 4200
"""Pictures of at most this long side, in pixels, are read as a whole: cutting makes it several times as slow."""
PIECE_SIDE = 1600
"""Longest side of a piece of larger ones, in pixels. The detector finds letters of 28 pixels on so large a white sheet,
and not on one of 2,000 pixels."""
OVERLAP = 200
"""Pixels that neighbouring pieces share, so that a line of at most this height lies in one of them whole."""
MOST_PIECES = 32
"""Pictures that would have more are made smaller first."""


def pieces_of(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes of the pieces of a picture, which cover it; the picture itself if it is not large."""
    if max(width, height) <= WHOLE_SIDE:
        return [(0, 0, width, height)]
    return [(left, top, right, bottom) for top, bottom in _cuts(height) for left, right in _cuts(width)]


def scale_for(width: int, height: int) -> float:
    """By how much a picture has to be made smaller so that it has no more pieces than are read, at most 1."""
    scale = 1.0
    while len(pieces_of(max(1, round(width * scale)), max(1, round(height * scale)))) > MOST_PIECES:
        scale *= 0.9
    return scale


def _cuts(length: int) -> list[tuple[int, int]]:
    """Equal stretches of at most `PIECE_SIDE` that cover a length and overlap by `OVERLAP` or more."""
    count = 1 if length <= PIECE_SIDE else -(-(length - OVERLAP) // (PIECE_SIDE - OVERLAP))
    size = length if count == 1 else -(-(length + (count - 1) * OVERLAP) // count)
    starts = [round(place * (length - size) / max(1, count - 1)) for place in range(count)]
    return [(start, start + size) for start in starts]


def moved(line: TextLine, left: float, top: float) -> TextLine:
    """A line with its box moved to the right and down."""
    x0, y0, x1, y1 = line.box
    return replace(line, box=(x0 + left, y0 + top, x1 + left, y1 + top))


def gathered(whole: Sequence[TextLine], pieces: Sequence[Sequence[TextLine]]) -> tuple[list[TextLine], list[Box]]:
    """The lines of a picture from those of its pieces.

    Args:
        whole: Lines read from all of the picture made small: those too high for a piece count.
        pieces: Lines of each piece, in pixels of the picture.

    Returns:
        Lines that are whole, and boxes of lines that cross the pieces and are yet to be read.
    """
    high = [line for line in whole if line.box[3] - line.box[1] > OVERLAP / 2]
    groups: list[list[tuple[int, TextLine]]] = []
    for place, lines in enumerate(pieces):
        for line in lines:
            if any(_covered(line.box, one.box) > 0.7 for one in high):
                continue
            joins = [group for group in groups if any(other != place and _same(line, one) for other, one in group)]
            groups = [group for group in groups if all(group is not one for one in joins)]
            groups.append([(place, line), *(member for group in joins for member in group)])
    kept, crossing = list(high), []
    for group in groups:
        union = _union([line.box for _, line in group])
        complete = [line for _, line in group if _covered(union, line.box) >= 0.85]
        if complete:
            kept.append(max(complete, key=lambda line: line.confidence))
        else:
            crossing.append(union)
    boxes = [*(line.box for line in kept), *crossing]
    kept += [line for line in whole if line not in high and not any(_covered(line.box, box) > 0.3 for box in boxes)]
    return kept, crossing


def _same(one: TextLine, other: TextLine) -> bool:
    """Whether lines of two pieces that overlap are parts of one line."""
    (left, top, right, bottom), (left2, top2, right2, bottom2) = one.box, other.box
    shared = min(bottom, bottom2) - max(top, top2)
    return shared >= 0.5 * min(bottom - top, bottom2 - top2) and min(right, right2) > max(left, left2)


def _union(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _covered(box: Box, by: Box) -> float:
    """The share of a box that another one covers."""
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0
