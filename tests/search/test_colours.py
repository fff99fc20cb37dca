"""Colours: the published test data of CIEDE2000, and pictures whose colours are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.synthetic_media import COLOURS
from tutti.search.query.colours import closeness, difference, dominant, names_of, to_lab, wishes

# Sharma, Wu and Dalal 2005, table 1: L*, a*, b* of both, and the difference.
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("one", "other", "expected"), SHARMA)
def test_difference_is_the_published_one(one: tuple, other: tuple, expected: float) -> None:
    assert float(difference(np.array(one), np.array(other))) == pytest.approx(expected, abs=1e-4)
    assert float(difference(np.array(other), np.array(one))) == pytest.approx(expected, abs=1e-4)


def test_lab_of_white_black_and_red() -> None:
    lab = to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    np.testing.assert_allclose(lab, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]], atol=0.02)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_thing_counts_and_not_its_background(colour: str) -> None:
    pixels = np.full((120, 90, 3), 255, np.uint8)
    pixels[40:80, 30:60] = COLOURS[colour]
    palette = dominant(pixels)
    assert names_of(palette) == [colour]
    near = {word: closeness(palette, wish) for word in COLOURS for wish in wishes(word)}
    assert max(near, key=near.__getitem__) == colour
    assert near[colour] > 0.5


def test_a_picture_of_one_colour_has_that_colour() -> None:
    assert names_of(dominant(np.full((8, 8, 3), COLOURS["blue"], np.uint8))) == ["blue"]


def test_words_for_colours() -> None:
    assert [(wish.word, wish.term) for wish in wishes("Navy shoes, or grey and gray, in a greenhouse")] == [
        ("navy", "blue"),
        ("grey", "grey"),
        ("gray", "grey"),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a cream jacket", ["cream"]),
        ("this, but in orange", ["orange"]),
        ("orange", ["orange"]),
        ("red and orange shoes", ["red", "orange"]),
        ("sour cream", []),
        ("an orange and a blue cup", ["blue"]),
        ("a silver with red", ["red"]),
    ],
)
def test_a_thing_that_is_called_like_a_colour_is_no_colour(text: str, named: list[str]) -> None:
    assert [wish.word for wish in wishes(text)] == named
