"""Names that a model knows compete with labels: where one of them is nearer, none of the labels fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tutti
from tutti.content import Classification
from tutti.interfaces import Doubting
from tutti.providers.doubting import LIKE, doubt
from tutti.providers.registry import open_provider

PICTURE = Path(__file__).parents[2] / "examples" / "media" / "picture.png"
NAMES = np.eye(4, dtype=np.float32)


def unit(*values: float) -> np.ndarray:
    vector = np.array([values], np.float32)
    return vector / np.linalg.norm(vector)


def test_a_nearer_name_makes_a_label_doubtful() -> None:
    labels = NAMES[:2]
    (fits,) = doubt(unit(1, 0.1, 0.2, 0), labels, NAMES, 30.0)
    (other,) = doubt(unit(0.2, 0.1, 1, 0), labels, NAMES, 30.0)
    assert fits < 0.01
    assert other > 0.99


def test_names_like_a_label_do_not_compete_with_it() -> None:
    near = unit(1, 0.5, 0, 0)
    assert float((near @ NAMES[0]).item()) > LIKE
    alone, beside = (
        doubt(unit(0.9, 0.6, 0, 0), NAMES[:1], names, 30.0) for names in (NAMES[2:], np.r_[NAMES[2:], near])
    )
    assert alone == beside
    assert doubt(unit(1, 0, 0, 0), NAMES[:1], near, 30.0) == [0.0], "nothing competes"


def test_more_labels_never_make_it_more_doubtful() -> None:
    rng = np.random.default_rng(0)
    names, points = (rng.normal(size=(count, 8)).astype(np.float32) for count in (50, 5))
    names /= np.linalg.norm(names, axis=1, keepdims=True)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    few, more = (doubt(points, names[:count], names, 30.0) for count in (2, 6))
    assert all(after <= before + 1e-9 for before, after in zip(few, more, strict=True))


def test_the_model_that_ships_says_when_no_label_fits() -> None:
    model = tutti.load()
    right = model.classify(PICTURE, ["a dog", "a car"])
    wrong = model.classify(PICTURE, ["a violin", "a car", "a pizza"])
    assert isinstance(right, Classification)
    assert right.none_of_these is not None
    assert wrong.none_of_these is not None
    assert right.none_of_these < 0.5 < wrong.none_of_these
    assert sum(wrong.values()) == pytest.approx(1)


def test_sounds_and_models_without_names_are_not_doubted() -> None:
    provider = open_provider("tutti-mini")
    assert isinstance(provider, Doubting)
    assert provider.none_fits("audio", NAMES, NAMES) is None
    assert tutti.load().classify(PICTURE.with_name("recording.ogg"), ["a dog", "rain"]).none_of_these is None
