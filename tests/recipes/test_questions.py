"""Questions: balanced, phrased differently for validation, and each with the one answer that the facts give."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from recipes.tutti_mini import yes_no_questions
from recipes.tutti_mini.clips import make_clip_scene, make_pair_scene
from recipes.tutti_mini.open_questions import count, for_medium, relation, what
from recipes.tutti_mini.phrasings import CANNOT, LEADS, PHRASINGS
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import QA, TYPES, _agreeing, ask, plain, score
from recipes.tutti_mini.scenes import Facts, Heard, Thing, make_picture_scene
from recipes.tutti_mini.sound_scenes import make_sound_scene
from recipes.tutti_mini.wording import PLACES, where

MAKERS = (make_picture_scene, make_sound_scene, make_clip_scene, make_pair_scene)
Asked = list[tuple[Facts, QA]]


def thing(
    name: str, left: float, top: float, side: float = 16, kind: str = "emoji", colour: str | None = None
) -> Thing:
    return Thing(kind=kind, name=name, box=(left, top, left + side, top + side), colour=colour, group="animal")


@pytest.fixture(scope="module")
def asked(pools: Pools) -> Asked:
    rng = np.random.default_rng(0)
    out = []
    for make in MAKERS:
        for number in range(200):
            scene = make(rng, pools)
            out += [(scene.facts, qa) for qa in ask(scene, rng, ("train", "val")[number % 2])]
    return out


def test_asking_follows_from_the_seed(pools: Pools) -> None:
    scene = make_picture_scene(np.random.default_rng(8), pools)
    assert ask(scene, np.random.default_rng(1)) == ask(scene, np.random.default_rng(1))
    assert ask(scene, np.random.default_rng(1)) != ask(scene, np.random.default_rng(2))


@pytest.mark.parametrize("make", MAKERS)
def test_no_is_right_as_often_as_yes(make: object, pools: Pools) -> None:
    rng = np.random.default_rng(11)
    answers: Counter[str] = Counter()
    while answers.total() < 2000:
        answers.update(qa.answer for qa in ask(make(rng, pools), rng) if qa.type == "yesno")  # type: ignore[operator]
    assert 0.47 < answers["yes"] / answers.total() < 0.53


def test_every_type_is_asked_and_every_answer_scores(asked: Asked) -> None:
    assert {qa.type for _, qa in asked} == set(TYPES)
    for _, qa in asked:
        assert score(qa.answer, qa), qa
        assert not score("a flying carpet", qa), qa
        assert "{" not in qa.question, qa
        assert qa.answer.isascii()


def test_phrasings_are_many_and_disjoint() -> None:
    everywhere = [*PHRASINGS.values(), *CANNOT.values()]
    trained = {text for train, _ in everywhere for text in train}
    assert not trained & {text for _, held_out in everywhere for text in held_out}
    for way, (train, held_out) in (PHRASINGS | {f"cannot {medium}": lists for medium, lists in CANNOT.items()}).items():
        assert not {plain(text) for text in train} & {plain(text) for text in held_out}, way
        assert len(train) >= 4, way
        assert len(held_out) >= 2, way
        assert len(set(train)) == len(train), way
    open_types = (
        "what",
        "colour",
        "count",
        "where",
        "relation",
        "read",
        "sound",
        "digit",
        "keyword",
        "first",
        "motion",
        "both",
        "fit",
    )
    for way in (*open_types, "caption", "present", "is_sound"):
        assert len(PHRASINGS[way][0]) >= 12, way
        assert len(PHRASINGS[way][1]) >= 4, way
    assert not set(LEADS["train"]) & set(LEADS["val"])


def test_unanswerable_questions_say_so(asked: Asked) -> None:
    told = [(facts, qa) for facts, qa in asked if qa.type == "cannot"]
    assert 0.02 < len(told) / len(asked) < 0.15
    for facts, qa in told:
        assert qa.answer.startswith("That cannot be told from the ")
        assert facts.medium in qa.answer or facts.medium == "pair"
    assert CANNOT["picture"][0] != CANNOT["recording"][0]


def test_counts_agree_with_the_facts() -> None:
    facts = Facts(medium="picture", things=(thing("dog", 0, 0), thing("dog", 40, 0), thing("cat", 20, 44)))
    rng = np.random.default_rng(0)
    found = {}
    for _ in range(200):
        draft = count(facts, rng)
        assert draft
        found[draft.slots["many"]] = draft.answer
    assert found["dogs"] == "two"
    assert found["cats"] == "one"
    assert found["things"] == found["objects"] == "three"
    assert all(answer == "zero" for many, answer in found.items() if many not in ("dogs", "cats", "things", "objects"))


def test_what_is_not_asked_where_two_answers_are_right() -> None:
    rng = np.random.default_rng(0)
    beside = Facts(medium="picture", things=(thing("dog", 0, 0), thing("cat", 0, 10), thing("owl", 0, 46)))
    drafts = [draft for _ in range(60) if (draft := what(beside, rng))]
    assert {draft.answer for draft in drafts} == {"an owl"}
    twins = Facts(medium="picture", things=(thing("dog", 0, 0), thing("dog", 46, 46)))
    for maker in for_medium("picture"):
        for _ in range(20):
            draft = maker(twins, rng)
            assert draft is None or draft.type not in ("where", "relation"), draft


def test_relation_names_the_only_thing_on_that_side() -> None:
    facts = Facts(medium="picture", things=(thing("dog", 0, 24), thing("cat", 46, 24, 18)))
    rng = np.random.default_rng(0)
    found = {
        (draft.slots["side"].removeprefix("to the "), draft.slots["thing"]): draft.answer
        for _ in range(80)
        if (draft := relation(facts, rng))
    }
    assert found == {("left of", "cat"): "a dog", ("right of", "dog"): "a cat"}


@pytest.mark.parametrize(
    ("left", "top", "place"),
    [(0, 0, "in the top left"), (24, 24, "in the middle"), (48, 24, "on the right"), (24, 48, "at the bottom")],
)
def test_where(left: float, top: float, place: str) -> None:
    found = where(thing("dog", left, top))
    assert found
    assert PLACES[found] == place
    assert where(thing("dog", 18, 24)) is None


def test_truths_about_a_known_scene() -> None:
    facts = Facts(
        medium="picture", things=(thing("circle", 0, 0, kind="shape", colour="red"), thing("dog", 44, 44, 20))
    )
    rng = np.random.default_rng(0)
    truth = yes_no_questions.TRUTHS["picture"]
    for wanted in (True, False):
        for _ in range(100):
            colour = truth["is_colour"](facts, rng, wanted)
            assert colour
            assert (colour["colour"] == "red") == wanted
            side = truth["is_side"](facts, rng, wanted)
            assert side
            right = {("circle", "left of"), ("circle", "above"), ("dog", "right of"), ("dog", "below")}
            assert ((side["one"], side["side"].removeprefix("to the ")) in right) == wanted
            present = truth["present"](facts, rng, wanted)
            assert present
            assert (present["a"] in ("a dog", "a circle", "a red circle")) == wanted
            group = truth["is_group"](facts, rng, wanted)
            assert group
            assert (group["thing"] == "animal") == wanted
            at = truth["is_at"](facts, rng, wanted)
            assert at
            near = {"circle": ("left", "top"), "dog": ("right", "bottom")}[at["thing"]]
            assert any(word in at["at"] for word in near) == wanted or not wanted


def test_what_is_heard_is_true() -> None:
    facts = Facts(
        medium="recording", heard=(Heard(kind="sound", name="dog"), Heard(kind="sound", name="rain")), in_turn=True
    )
    rng = np.random.default_rng(0)
    for wanted in (True, False):
        said = {yes_no_questions.TRUTHS["recording"]["is_sound"](facts, rng, wanted)["heard"] for _ in range(100)}  # type: ignore[index]
        assert (said == {"a dog barking", "rain"}) == wanted
        assert wanted or not said & {"a dog barking", "rain", "a thunderstorm"}
        assert yes_no_questions.TRUTHS["recording"]["is_first"](facts, rng, wanted) == {
            "heard": "a dog barking" if wanted else "rain"
        }


def test_fit_follows_the_facts(asked: Asked) -> None:
    fits = [(facts, qa) for facts, qa in asked if qa.type == "fit"]
    assert len(fits) > 50
    assert all(qa.answer == ("yes" if facts.fits else "no") for facts, qa in fits)
    assert 0.35 < sum(qa.answer == "yes" for _, qa in fits) / len(fits) < 0.65


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("a dog", True),
        ("Dog.", True),
        ("It is a dog!", True),
        ("the dog", True),
        ("a hound", True),
        ("a hot dog", False),
        ("", False),
    ],
)
def test_score_ignores_case_punctuation_and_articles(said: str, right: bool) -> None:
    assert score(said, QA("What is this?", "a dog", "what", ("hound",))) == right


def test_score_of_a_caption_wants_every_part() -> None:
    qa = QA("Describe.", "a dog and two cats.", "caption", must=("a dog", "two cats"))
    assert score("The picture shows two cats and a dog", qa)
    assert not score("a dog and three cats", qa)
    assert not score("a dogfish and two cats", qa)


@pytest.mark.parametrize(
    ("singular", "agreeing"),
    [
        ("Is grapes in the picture?", "Are grapes in the picture?"),
        ("Where is the grapes?", "Where are the grapes?"),
        ("Tell me where the grapes is.", "Tell me where the grapes are."),
        ("Where has the grapes been put?", "Where have the grapes been put?"),
        ("Is there a dog?", "Is there a dog?"),
    ],
)
def test_verbs_agree_with_plurals(singular: str, agreeing: str) -> None:
    assert _agreeing(singular, "grapes") == agreeing
