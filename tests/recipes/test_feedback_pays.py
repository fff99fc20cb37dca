"""The benchmark of feedback: what is an invention, what the judge says, and what the coin does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.feedback_pays import by_judge, differing, figures, invented, questions, rank
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import QA
from recipes.tutti_mini.scenes import Facts, Thing, make_picture_scene

DOGS = Facts(
    medium="picture",
    things=(
        Thing(kind="emoji", name="dog"),
        Thing(kind="emoji", name="dog"),
        Thing(kind="shape", name="circle", colour="red"),
        Thing(kind="word", name="sun"),
    ),
)


@pytest.mark.parametrize(
    ("said", "false"),
    [
        ("the picture shows two dogs and a red circle.", []),
        ("a red circle, two dogs and the word sun.", []),
        ("the picture shows three dogs.", ["three dogs"]),
        ("the picture shows a green circle and a cat.", ["green circle", "cat"]),
        ("a photo of a dog.", []),
        ("the picture shows a hot dog.", ["hot dog"]),
        ("", []),
    ],
)
def test_an_invention_is_what_the_scene_does_not_hold(said: str, false: list[str]) -> None:
    assert invented(said, DOGS) == false


def test_what_a_description_should_say_is_no_invention(pools: Pools) -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        scene = make_picture_scene(rng, pools)
        if scene.facts.things[0].group in ("hand_digits", "cxr", "makeup_shades"):
            continue
        asked = questions(scene, rng, "val", 3)
        assert asked[0].type == "caption" and all(qa.type != "caption" for qa in asked[1:])
        assert invented(asked[0].answer, scene.facts) == [], asked[0].answer


def test_fewer_inventions_come_before_more_that_is_right() -> None:
    qa = QA("Describe it.", "the picture shows two dogs.", "caption", must=("two dogs", "a red circle"))
    ordered = ["a cat and a cow.", "two dogs, a red circle and a cat.", "two dogs.", "two dogs and a red circle."]
    assert sorted(set(ordered), key=lambda text: rank(text, qa, DOGS)) == ordered
    other = QA("How many dogs?", "two", "count")
    assert [rank(text, other, DOGS)[1] for text in ("two", "That cannot be told.", "one")] == [2, 1, 0]


def test_the_judge_errs_as_often_as_is_said(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    rows: list[dict[str, Any]] = []
    for number in range(200):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(tmp_path / f"media/{number}.png")
        answers = {"good": [0, 2], "middle": [0, 1], "bad": [-1, 0]}
        rows.append({"index": number, "asked": [{"question": "what?", "answers": answers}]})
    rows.append({"index": 0, "asked": [{"question": "who?", "answers": {"a": [0, 1], "b": [0, 1]}}]})
    assert differing(rows) == [(number, "what?", "good", "bad") for number in range(200)]
    wrong = {share: sum(pair.chosen == "bad" for pair in by_judge(rows, tmp_path, share)) for share in (0.0, 0.1, 0.5)}
    assert wrong[0.0] == 0 and 10 <= wrong[0.1] <= 32 and 80 <= wrong[0.5] <= 120


def test_figures_are_counted_by_hand() -> None:
    said = [["a dog and a cat", "yes"], ["a dog", "That cannot be told from the picture."]]
    rows = [
        {"said": said[0], "types": ["caption", "yesno"], "right": [False, True], "invented": ["cat"]},
        {"said": said[1], "types": ["caption", "count"], "right": [True, False], "invented": []},
    ]
    means = {name: float(np.mean(values)) for name, (values, _) in figures(rows).items()}
    assert means == {
        "descriptions with an invention, %": 50.0,
        "inventions a description": 0.5,
        "other questions right, %": 50.0,
        "descriptions right, %": 50.0,
        "abstentions, %": 25.0,
        "words an answer": (5 + 1 + 2 + 7) / 4,
        "words a description": 3.5,
    }
