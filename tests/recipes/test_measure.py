"""Measuring and the model card: figures that can be checked by hand, from a model that knows all or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

import tutti
from recipes.tutti_mini import card, measure_photos, pictured
from recipes.tutti_mini.measure import MAKERS, Bench, media_of, questions
from recipes.tutti_mini.pools import Pools
from tests.cli.fake_model import FakeModel
from tutti.content import Answer

NAMES = ("cat", "dog", "ship")


class Words(FakeModel):
    """Knows three words, by the last one of a text; and says the same to every question."""

    said: str = "Yes."

    def embed(self, items: Sequence[Any]) -> np.ndarray:
        points = np.eye(3, dtype=np.float32)
        return np.stack([points[NAMES.index(item.split()[-1])] for item in items])

    def ask(self, question: Any, *media: Any, **options: Any) -> Answer:
        assert all(isinstance(medium, (tutti.Image, tutti.Audio, tutti.Video)) for medium in media)
        answer = super().ask(question, *media, **options)
        return Answer(text=self.said, model="words", finish_reason="stop", usage=answer.usage, seconds=answer.seconds)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    model: Any = Words()
    return Bench(model, tmp_path, tmp_path)


def test_accuracy_is_the_share_whose_own_prompt_is_nearest(bench: Bench) -> None:
    points = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert bench.accuracy(points, ["cat", "dog", "ship", "ship"], ("a photo of a {}", "{}")) == 0.75


def test_prompts_are_averaged_to_unit_vectors(bench: Bench) -> None:
    np.testing.assert_allclose(bench.read(NAMES, ("{}", "a {}")), np.eye(3), atol=1e-6)


def test_who_always_says_yes_is_right_half_the_time_and_known_by_the_ratio(bench: Bench, pools: Pools) -> None:
    measured = questions(bench, pools, scenes=60)
    assert measured["yes-ratio"] == 1
    assert 0.3 < measured["by type"]["yesno"] < 0.7
    assert sum(measured["questions"].values()) == 60 * 4
    assert measured["mean over types"] == pytest.approx(np.mean(list(measured["by type"].values())))
    assert measured == questions(bench, pools, scenes=60), "the same questions each time"


@pytest.mark.parametrize(
    ("kind", "names"),
    [("picture", ["picture"]), ("recording", ["sound"]), ("clip", ["clip"]), ("pair", ["picture", "sound"])],
)
def test_a_scene_becomes_what_a_user_would_give(kind: str, names: list[str], pools: Pools) -> None:
    assert [*media_of(MAKERS[kind](np.random.default_rng(1), pools))] == names


def figures(cifar: float, mean: float, yes: float) -> dict[str, Any]:
    scenes = {
        "mean over types": mean,
        "over all questions": 0.9,
        "by type": {"count": mean},
        "questions": {"count": 40},
        "yes-ratio": yes,
        "questions that need picture and sound": {"both": 0.8, "picture only": 0.5},
    }
    return {
        "photographs asked about": {
            "asked": 1,
            "what is this, right": 0.9,
            "answers": [{"file": "a.jpg", "label": "cup", "said": "a mug"}],
        },
        "classification": {"cifar10 test, by text prompts": cifar},
        "retrieval": {"chance": 0.125},
        "scene questions": scenes,
        "scene questions, held-out style of emoji": scenes,
    }


def test_the_card_says_what_is_not_reached_and_by_how_much() -> None:
    lines = card.table(figures(cifar=0.795, mean=0.86, yes=0.58), figures(cifar=0.7, mean=0.8, yes=0.5)).splitlines()
    assert "| cifar10 test, by text prompts | 70.0% | 79.5% | 88% | 8.5 points |" in lines
    assert "| chance | 12.5% | 12.5% | | |" in lines
    assert "| scene questions, mean over types | 80.0% | 86.0% | 86% |  |" in lines
    assert "| scene questions, yes-ratio | 50.0% | 58.0% | 45% to 55% | 3.0 points |" in lines
    assert "| cifar10 test, by text prompts | – | 79.5% | 88% | 8.5 points |" in card.table(
        figures(cifar=0.795, mean=0.86, yes=0.58)
    )
    assert "| a.jpg | cup | a mug |" in lines
    assert "| picture only | 50.0% |" in lines


def test_filling_the_card_again_leaves_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, file = tmp_path / "README.md", tmp_path / "figures.json"
    page.write_text(f"before\n{card.BEGIN}\nold\n{card.END}\nafter\n")
    file.write_text(json.dumps(figures(0.9, 0.9, 0.5)))
    monkeypatch.setattr(sys, "argv", ["card", str(file), str(page)])
    card.main()
    once = page.read_text()
    assert once.startswith(f"before\n{card.BEGIN}\n| on data not trained on")
    assert once.endswith(f"{card.END}\nafter\n")
    assert "old" not in once
    assert "points" not in once
    card.main()
    assert page.read_text() == once


class Seer(Words):
    """Sees in a picture what its first value says."""

    def embed(self, items: Sequence[Any]) -> np.ndarray:
        texts = [NAMES[int(np.asarray(one.source)[0, 0, 0])] if isinstance(one, tutti.Image) else one for one in items]
        return super().embed(texts)


def test_the_answer_to_beat_is_what_is_said_of_the_nearest_training_photograph() -> None:
    rows = [("photos_flowers", {"file": f"{name}.webp", "label": name, "text": [name]}) for name in NAMES]
    pictures = [np.full((4, 4, 3), number, np.uint8) for number in (0, 1, 1)]
    photos = measure_photos.Photos(rows, pictures, list(NAMES), [], ["this is a dog", "a photo of a cat"])
    model: Any = Seer()
    said = ["a photo of a cat", "this is a dog"]
    assert measure_photos.nearest_captions(model, photos, [0, 1]) == {"": said, " that name one thing": said}
    figures = measure_photos.asked(model, photos, 3)
    name = "what is this, by the nearest caption of the training photographs"
    assert figures[name] == pytest.approx(2 / 3)
    assert figures["what is this, right"] == 0


def test_the_pictures_of_the_card_are_whole_and_in_order() -> None:
    colours = ["red", "green", "blue", "white", "black", "yellow"]
    wide = [Image.new("RGBA", (200, 100), colour) for colour in colours]
    made = pictured.sheet(wide)
    step = pictured.SIDE + pictured.GAP
    assert made.size == (5 * step - pictured.GAP, 2 * step - pictured.GAP)
    middle = pictured.SIDE // 2
    seen = [made.getpixel((n % 5 * step + middle, n // 5 * step + middle)) for n in range(6)]
    assert seen == [ImageColor.getrgb(colour) for colour in colours]
    assert made.getpixel((1, middle)) == (255, 0, 0), "as wide as the square"
    assert made.getpixel((middle, 2)) == (255, 255, 255), "and not cut"


def test_whose_a_photograph_is_is_said_with_its_licence() -> None:
    there = {"author": "Ann", "source": "A set via somewhere", "licence": "CC BY 2.0", "url": "https://example.org/1"}
    assert pictured.credit(there) == "Ann, CC BY 2.0 ([page](https://example.org/1))"
    assert pictured.credit({"source": "A set via somewhere", "licence": "MIT"}) == "A set, MIT"
