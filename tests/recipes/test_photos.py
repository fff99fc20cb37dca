"""Questions on photographs."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.tutti_mini.photos import WAYS, Photo, ask_photo
from recipes.tutti_mini.questions import QA

LEOPARD = Photo(label="leopard", kind="wild cat", objects=("leopard", "tree"), near=("leopard", "jaguar"))
WRONG = ("jaguar", "dog", "car", "violin", "soup", "house", "bus")


def asked(photo: Photo, phrasing: str = "train", count: int = 600) -> list[QA]:
    rng = np.random.default_rng(0)
    return [qa for _ in range(count) for qa in ask_photo(photo, rng, WRONG, phrasing)]


def test_of_yes_and_no_each_is_right_half_of_the_time() -> None:
    said = [qa.answer for qa in asked(LEOPARD) if qa.type == "yesno"]
    assert set(said) == {"yes", "no"}
    assert said.count("yes") / len(said) == pytest.approx(0.5, abs=0.05)


def test_yes_is_said_of_what_is_there_and_no_of_what_is_not() -> None:
    for qa in asked(LEOPARD):
        if qa.type == "yesno":
            there = any(name in qa.question for name in ("leopard", "tree", "wild cat"))
            assert (qa.answer == "yes") == there, qa


def test_none_of_these_is_said_where_the_name_is_not_among_them() -> None:
    found = [qa for qa in asked(LEOPARD) if qa.type == "of_these"]
    assert {qa.answer for qa in found} == {"a leopard", "none of these"}
    for qa in found:
        assert (qa.answer == "none of these") == ("leopard" not in qa.question)


def test_of_two_names_the_right_one_is_said_in_either_place() -> None:
    found = [qa for qa in asked(LEOPARD) if qa.type == "which"]
    assert {qa.answer for qa in found} == {"a leopard"}
    first = [qa.question.index("leopard") < len(qa.question) / 2 for qa in found]
    assert 0.3 < np.mean(first) < 0.7


def test_what_is_not_known_is_something_like_what_it_is_near_to() -> None:
    unknown = Photo(label="leopard", near=("jaguar",), known=False)
    assert {qa.answer for qa in asked(unknown) if qa.type == "what_photo"} == {"something like a jaguar"}
    lost = Photo(label="leopard", known=False)
    assert {qa.answer for qa in asked(lost) if qa.type == "what_photo"} == {"that cannot be told from the picture."}


def test_everything_on_it_is_listed() -> None:
    assert {qa.answer for qa in asked(LEOPARD) if qa.type == "list"} == {"a leopard and a tree"}


def test_phrasings_held_out_are_not_trained_on() -> None:
    for train, held_out in WAYS.values():
        assert train
        assert held_out
        assert not set(train) & set(held_out)
