"""Every metric on cases checked by hand."""

from __future__ import annotations

import pytest

from tutti.evaluate.language import abstains, normalized, numbers_in, singular
from tutti.evaluate.metrics import Said, distance, score, yes_or_no
from tutti.evaluate.multiple_choice import chosen
from tutti.evaluate.suite import Annotation, Case


def value(metric: str, answer: str, *expected: str, **more: object) -> float:
    case = Case(id="c", media=(), question="q", expected=expected, metric=metric, **more)  # type: ignore[arg-type]
    return score(case, Said(text=answer)).value


@pytest.mark.parametrize(
    ("metric", "answer", "expected", "right"),
    [
        ("exact", "The Dog.", ("dog",), 1),
        ("exact", "a dog barking", ("dog",), 0),
        ("exact", "Two", ("2",), 1),
        ("contains", "I see a brown dog here.", ("Brown dog",), 1),
        ("contains", "a hotdog", ("dog",), 0),
        ("number", "There are three, or 4.", ("3",), 1),
        ("number", "about 1,050 people", ("1000",), 0),
        ("number", "no idea", ("3",), 0),
        ("vqa", "yes", ("yes", "no"), 1),
        ("anls", "Hello wrld", ("hello world",), 1 - 1 / 11),
        ("anls", "completely else", ("hello world",), 0),
        ("anls", "b", ("a", "b"), 1),
    ],
)
def test_scores(metric: str, answer: str, expected: tuple[str, ...], right: float) -> None:
    assert value(metric, answer, *expected) == pytest.approx(right)


def test_tolerance_is_relative() -> None:
    assert value("number", "1,050", "1000", tolerance=0.05) == 1
    assert value("number", "1,051", "1000", tolerance=0.05) == 0


def test_vqa_accuracy_of_ten_annotators() -> None:
    """Two of ten say it: leaving one out leaves 2 eight times and 1 twice, so (8 * 2/3 + 2 * 1/3) / 10."""
    answers = ("red",) * 2 + ("blue",) * 8
    assert value("vqa", "red", *answers) == pytest.approx((8 * 2 / 3 + 2 / 3) / 10)
    assert value("vqa", "blue", *answers) == 1


def test_word_errors_are_counted_over_the_best_reference() -> None:
    case = Case(id="c", media=(), question="q", expected=("turn on the light", "lights on"), metric="wer")
    scored = score(case, Said(text="turn off light"))
    # Without the article: turn on light, of which one of three words is another.
    assert scored.value == pytest.approx(2 / 3)
    assert scored.extra == {"word_errors": 1, "words": 3}
    assert value("wer", "a b c d e", "x") == 0


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("B", 1), ("(b)", 1), ("B) dog", 1), ("The answer is C.", 2), ("a dog", 1), ("It is a hot dog stand", 2),
        ("cat or dog", None), ("a bird", None), ("A dog", 1), ("", None),
    ],
)  # fmt: skip
def test_choice_by_letter_or_words(text: str, picked: int | None) -> None:
    assert chosen(text, ["cat", "dog", "hot dog"]) == picked


def test_choice_goes_by_the_order_shown() -> None:
    case = Case(id="c", media=(), question="q", expected=("dog",), metric="choice", options=("cat", "dog"))
    assert score(case, Said(text="A", options=("dog", "cat"))).value == 1
    assert score(case, Said(text="A", options=("cat", "dog"))).value == 0


def test_pope() -> None:
    assert yes_or_no("Yes, there is no doubt.") == "yes"
    assert yes_or_no("There isn't one.") == "no"
    assert yes_or_no("a dog") is None
    case = Case(id="c", media=(), question="q", expected=("yes",), metric="pope")
    assert score(case, Said(text="Yes.")).extra == {"yes": 1, "unparsed": 0, "positive": 1, "true_positive": 1}
    assert score(case, Said(text="a dog")).extra["unparsed"] == 1


def test_recall_of_a_ranking() -> None:
    case = Case(id="c", media=(), question="q", expected=("b", "z"), metric="recall")
    scored = score(case, Said(text="a\nb\nc\nd\ne\nz"))
    assert scored.value == 0
    assert scored.extra == {"recall_at_1": 0, "recall_at_5": 0.5, "recall_at_10": 1}


def test_facts_count_what_is_said_and_forbid_what_is_not() -> None:
    annotation = Annotation(facts=("two dogs", "a red car"), forbidden=("a cat",))
    case = Case(id="c", media=(), question="q", annotation=annotation, metric="facts")
    assert score(case, Said(text="Two dogs sit by a red car.")).value == 1
    assert score(case, Said(text="Two puppies.")).value == 0.5
    assert score(case, Said(text="Two dogs by a red car, no cat.")).value == 1
    wrong = score(case, Said(text="Two dogs and a cat by a red car."))
    assert wrong.value == 0
    assert [claim.text for claim in wrong.claims if claim.supported is False] == ["object: cat", "forbidden: a cat"]


def test_declining_is_counted_apart_and_is_right_where_it_is_expected() -> None:
    case = Case(id="c", media=(), question="q", expected=("That cannot be told from the picture.",))
    assert score(case, Said(text="I don't know.")).value == 1
    assert score(case, Said(text="Anna")).value == 0
    other = Case(id="c", media=(), question="q", expected=("Anna",))
    assert score(other, Said(text="I can't tell.")).abstained


@pytest.mark.parametrize(
    "text", ["I cannot tell.", "That can't be seen here", "I don't know", "Unclear.", "", "It cannot be determined."]
)
def test_answers_that_decline(text: str) -> None:
    assert abstains(text)


@pytest.mark.parametrize("text", ["A dog that cannot swim", "no", "It is not a dog", "unknown soldier"[:0] + "a can"])
def test_answers_that_do_not(text: str) -> None:
    assert not abstains(text)


def test_language() -> None:
    assert normalized("The twenty Dogs, aren't 1,000.5!") == "20 dogs arent 1000.5"
    words = ["boxes", "puppies", "bus", "glasses", "knives", "cars", "gas", "tomatoes", "ties", "children"]
    singulars = ["box", "puppy", "bus", "glasses", "knife", "car", "gas", "tomato", "tie", "child"]
    assert [singular(word) for word in words] == singulars
    assert numbers_in("twenty-one, 3.5 and -2 of 1,000") == [21, 3.5, -2, 1000]
    assert distance("kitten", "sitting") == 3
