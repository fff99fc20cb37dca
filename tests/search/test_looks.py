"""How things look: told from their ground, under corrected light, with pattern and finish; where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.photographs import photograph, rgb_of
from tutti.search.looks.ground import ground_of
from tutti.search.looks.planes import gamma, linear, otsu, parts_of
from tutti.search.looks.product_look import look_of_photo, look_of_product
from tutti.search.query.colours import difference, to_lab

SIDE = 120


def on_white(thing: np.ndarray) -> np.ndarray:
    pixels = np.full((SIDE, SIDE, 3), 245, np.uint8)
    pixels[20:100, 20:100] = thing
    return pixels


def cloth(pattern: str) -> np.ndarray:
    """(80, 80, 3) uint8 of a pattern, turned by some degrees."""
    y, x = np.mgrid[0:80, 0:80].astype(float)
    u, v = x * np.cos(0.3) + y * np.sin(0.3), y * np.cos(0.3) - x * np.sin(0.3)
    dots = (((u % 16) - 8) ** 2 + ((v % 16) - 8) ** 2) < 20
    where = {
        "plain": np.zeros((80, 80)),
        "striped": (u % 12 < 6) * 1.0,
        "checked": ((u % 16 < 8) * 1.0 + (v % 16 < 8)) / 2,
        "dotted": dots * 1.0,
    }[pattern]
    return (np.array([40, 60, 140]) + where[..., None] * np.array([170, 150, 90])).astype(np.uint8)


def ball(body: tuple[int, int, int], highlight: tuple[float, float, float], size: float) -> np.ndarray:
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    shade = 0.75 + 0.25 * (1 - (x + 0.3) ** 2 / 2 - (y + 0.3) ** 2 / 2)
    spot = np.exp(-((x + 0.3) ** 2 + (y + 0.3) ** 2) / 0.05) * size
    return gamma(linear(np.array(body, np.uint8)) * shade[..., None] + spot[..., None] * np.array(highlight))


@pytest.mark.parametrize("pattern", ["plain", "striped", "checked", "dotted"])
def test_patterns(pattern: str) -> None:
    assert look_of_product(on_white(cloth(pattern))).pattern == pattern


@pytest.mark.parametrize(
    ("finish", "highlight", "size"),
    [("matt", (1.0, 1.0, 1.0), 0.01), ("gloss", (1.0, 1.0, 1.0), 0.7), ("metallic", (1.0, 0.35, 0.3), 0.5)],
)
def test_finishes(finish: str, highlight: tuple[float, float, float], size: float) -> None:
    assert look_of_product(on_white(ball((150, 40, 40), highlight, size))).finish == finish


def test_the_thing_and_not_its_ground_gives_the_colour() -> None:
    look = look_of_product(on_white(np.array(rgb_of("#c81e3c"))))
    assert look.told
    assert float(difference(look.lab, to_lab(rgb_of("#c81e3c")))) < 1
    assert float(look.regions.shares[0]) > 0.95


def test_where_all_is_one_colour_the_middle_is_taken_and_said() -> None:
    look = look_of_product(np.full((SIDE, SIDE, 3), 120, np.uint8))
    assert not look.told
    assert look.pattern is None


def test_a_thing_is_told_from_a_ground_of_many_colours() -> None:
    ious = []
    for seed in range(8):
        shot = photograph("#b03048", seed, sheet=False)
        thing = ground_of(to_lab(shot.pixels)).thing
        ious.append((thing & shot.thing).sum() / (thing | shot.thing).sum())
    assert np.median(ious) > 0.9


def test_a_white_sheet_makes_the_colour_right() -> None:
    """The fault that this stands against: the light's cast and brightness taken for the thing's."""
    with_sheet, without, raw = [], [], []
    for seed in range(12):
        shot = photograph("#b07a5a", 100 + seed, sheet=True)
        look = look_of_photo(shot.pixels, on_sheet=True)
        assert look.light == "white sheet"
        with_sheet.append(float(difference(look.lab, shot.lab)))
        without.append(float(difference(look_of_photo(shot.pixels, on_sheet=False).lab, shot.lab)))
        raw.append(float(difference(look_of_product(shot.pixels).lab, shot.lab)))
    assert np.median(with_sheet) < 2
    assert np.median(with_sheet) < 0.5 * np.median(without)
    assert np.median(with_sheet) < 0.3 * np.median(raw)


def test_a_sheet_that_is_not_there_is_not_made_up() -> None:
    found = [look_of_photo(photograph("#8a4a3a", 200 + seed, sheet=False).pixels).light for seed in range(10)]
    assert found.count("white sheet") <= 3


def test_parts_and_threshold() -> None:
    region = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]], bool)
    numbers = parts_of(region)
    assert sorted(np.bincount(numbers.ravel())[1:]) == [1, 3, 3]
    assert parts_of(np.ones((3, 3), bool)).max() == 1
    assert parts_of(np.zeros((3, 3), bool)).max() == 0
    threshold, share = otsu(np.array([0.0, 0.1, 0.0, 1.0, 0.9, 1.0]))
    assert 0.1 <= threshold <= 0.9
    assert share > 0.9


def test_light_is_linear_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    np.testing.assert_array_equal(gamma(linear(values)), values)
