"""Plain margins are found and cut where they are wide, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tutti.processing.margins import without_margins


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def on_ground(thing: NDArray[np.uint8], top: int, left: int, colour: int = 200) -> NDArray[np.uint8]:
    ground = np.full((240, 426, 3), colour, np.uint8)
    ground[top : top + thing.shape[0], left : left + thing.shape[1]] = thing
    return ground


@pytest.mark.parametrize(("top", "left"), [(60, 150), (5, 300), (119, 1)])
def test_what_lies_within_is_left_wherever_it_stands(top: int, left: int) -> None:
    thing = noise(120, 120)
    found = without_margins(on_ground(thing, top, left))
    assert found is not None
    np.testing.assert_array_equal(found, thing)


def test_what_jpeg_makes_of_a_ground_is_still_one_colour() -> None:
    rng = np.random.default_rng(1)
    ground = on_ground(noise(120, 120), 60, 150).astype(int) + rng.integers(-8, 9, (240, 426, 3))
    found = without_margins(np.clip(ground, 0, 255).astype(np.uint8))
    assert found is not None
    assert found.shape == (120, 120, 3)


def test_bars_at_two_sides_are_margins() -> None:
    tall = np.zeros((240, 426, 3), np.uint8)
    tall[:, 150:276] = noise(240, 126)
    found = without_margins(tall)
    assert found is not None
    assert found.shape == (240, 126, 3)


@pytest.mark.parametrize(
    "picture",
    [
        noise(240, 426),
        on_ground(noise(200, 380), 20, 20),
        on_ground(noise(12, 12), 100, 200),
        np.full((240, 426, 3), 200, np.uint8),
        np.concatenate((np.full((120, 426, 3), 230, np.uint8), noise(120, 426))),
        np.concatenate((np.full((80, 426, 3), 250, np.uint8), noise(80, 426), np.full((80, 426, 3), 40, np.uint8))),
    ],
    ids=["no margin", "a narrow one", "next to nothing within", "nothing within", "a sky", "a sky and a floor"],
)
def test_other_pictures_stay_as_they_are(picture: NDArray[np.uint8]) -> None:
    assert without_margins(picture) is None
