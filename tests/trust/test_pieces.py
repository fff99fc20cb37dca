"""Pieces cover a picture, and the lines of pieces become the lines of the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tutti.content import TextLine
from tutti.trust.pieces import MOST_PIECES, OVERLAP, PIECE_SIDE, gathered, pieces_of, scale_for


def line(text: str, left: float, top: float, right: float, bottom: float, confidence: float = 0.9) -> TextLine:
    return TextLine(text=text, box=(left, top, right, bottom), confidence=confidence)


@pytest.mark.parametrize(("width", "height"), [(4200, 3000), (4201, 30), (5000, 2500), (1080, 20_000), (6001, 6001)])
def test_pieces_cover_and_overlap(width: int, height: int) -> None:
    boxes = pieces_of(width, height)
    seen = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        seen[top:bottom, left:right] += 1
    assert seen.min() == 1, "every pixel lies in a piece"
    if len(boxes) == 1:
        assert boxes == [(0, 0, width, height)]
        return
    assert all(right - left <= PIECE_SIDE and bottom - top <= PIECE_SIDE for left, top, right, bottom in boxes)
    for axis in (0, 1):
        spans = sorted({(box[axis], box[axis + 2]) for box in boxes})
        assert all(end - start >= OVERLAP for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("size", [(128_000, 1000), (11_000, 11_000), (20, 6_000_000), (5000, 2500)])
def test_the_work_is_bounded(size: tuple[int, int]) -> None:
    scale = scale_for(*size)
    assert len(pieces_of(*(max(1, round(side * scale)) for side in size))) <= MOST_PIECES
    assert (scale == 1) == (size == (5000, 2500))


def test_a_line_over_a_seam_is_one() -> None:
    left, right = line("Terms of deliv", 100, 50, 1600, 90), line("ms of delivery", 1400, 52, 2400, 92)
    kept, crossing = gathered([], [[left, line("Yes", 10, 500, 90, 540)], [right]])
    assert [one.text for one in kept] == ["Yes"]
    assert crossing == [(100, 50, 2400, 92)], "and is yet to be read as a whole"


def test_a_line_seen_whole_twice_is_kept_once() -> None:
    worse, better = line("Tota1", 1450, 50, 1580, 90, 0.7), line("Total", 1449, 51, 1580, 90, 0.99)
    cut = line("lotal", 1460, 1600, 1580, 1620, 0.6)
    full = line("other", 1460, 1580, 1580, 1621, 0.9)
    kept, crossing = gathered([], [[worse, cut], [better], [full]])
    assert sorted(one.text for one in kept) == ["Total", "other"]
    assert crossing == []


def test_neighbours_stay_apart() -> None:
    one, below = line("one", 1450, 50, 1580, 90), line("two", 1450, 80, 1580, 120)
    kept, crossing = gathered([], [[one], [below]])
    assert len(kept) == 2
    assert not crossing
    same_piece = gathered([], [[one, line("beside", 1570, 50, 1590, 90)], []])[0]
    assert len(same_piece) == 2


def test_what_is_too_high_for_a_piece_comes_from_the_whole() -> None:
    whole = [
        line("SALE", 100, 100, 4000, 900),
        line("small", 100, 2000, 300, 2040, 0.6),
        line("far", 9, 2300, 99, 2330),
    ]
    kept, crossing = gathered(whole, [[line("S", 150, 150, 900, 800), line("smaller", 98, 1999, 301, 2041)]])
    assert sorted(one.text for one in kept) == ["SALE", "far", "smaller"]
    assert not crossing
