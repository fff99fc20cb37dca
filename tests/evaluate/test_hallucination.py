"""What answers assert, and what of it holds."""

from __future__ import annotations

import pytest

from tutti.evaluate.hallucination import Truth, assertions, asserts, check
from tutti.evaluate.suite import Annotation


def asserted(answer: str) -> list[str]:
    return [f"{one.kind} {one.text}" for one in assertions(answer)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A man rides a horse.", ["object man", "object horse"]),
        ("Two puppies and a fire truck.", ["number two", "object dog", "object fire truck"]),
        ("There is no cat, but a dog.", ["object dog"]),
        ("I see no cats, birds or horses.", []),
        ("No, it is a bus without a driver.", ["object bus"]),
        ("I cannot tell whether there is a bear.", []),
        ("An orange cat next to an orange.", ["object cat", "object orange"]),
        ("A small wombat sleeps on a garden gnome.", ["object wombat", "object gnome"]),
        ("One of the dogs can watch.", ["object dog"]),
        ('The sign says "NO ENTRY".', ["object street sign", "text NO ENTRY"]),
        ("The label reads SALE 50%.", ["text SALE 50"]),
        ("It doesn't say \u201cSTOP\u201d.", []),
        ("The left side of the picture shows a photo of a close-up.", []),
        ("Exactly one of 12.5 litres.", ["number 12.5"]),
    ],
)
def test_assertions(answer: str, expected: list[str]) -> None:
    assert asserted(answer) == expected


TRUTH = Truth(Annotation(facts=("two dogs", "a red car", "a wombat"), texts=("No parking 8-18",)))


@pytest.mark.parametrize(
    ("answer", "inventions"),
    [
        ("Two puppies, an animal, a vehicle and a wombat.", []),
        ("Three dogs.", ["number: three"]),
        ("A cat in a truck.", ["object: cat", "object: truck"]),
        ('A sign that says "NO PARKING".', []),
        ('It says "FREE PARKING HERE".', ["text: FREE PARKING HERE"]),
        ('It says "No parkinq".', []),
        ("From 8 to 18.", []),
        ("From 8 to 19.", ["number: 19"]),
    ],
)
def test_inventions(answer: str, inventions: list[str]) -> None:
    assert [claim.text for claim in check(answer, TRUTH) if claim.supported is False] == inventions


def test_a_kind_supports_no_species() -> None:
    claims = check("A dog.", Truth(Annotation(facts=("an animal",))))
    assert [claim.supported for claim in claims] == [False]


def test_without_annotation_the_reader_decides_on_texts_alone() -> None:
    truth = Truth(None, read=("EXIT 12",))
    claims = check('A dog under a sign that says "EXIT", and "ENTRY"; 12 and 13.', truth)
    found = {claim.text: claim.supported for claim in claims}
    assert found["text: EXIT"] is True
    assert found["text: ENTRY"] is False
    assert found["object: dog"] is None
    assert (found["number: 12"], found["number: 13"]) == (True, None)
    assert all(claim.supported is None for claim in check('A dog, "EXIT", 12.', Truth(None)))


def test_a_text_that_was_read_in_pieces_is_no_invention() -> None:
    truth = Truth(None, read=("OPEN", "DAILY", "8 to 6"))
    found = {claim.text: claim.supported for claim in check('It says "OPEN DAILY", and "CLOSED DAILY".', truth)}
    assert (found["text: OPEN DAILY"], found["text: CLOSED DAILY"]) == (True, False)


@pytest.mark.parametrize(
    ("answer", "phrase", "right"),
    [
        ("Two puppies play.", "2 dogs", True),
        ("A dog plays.", "two dogs", False),
        ("A dog.", "an animal", True),
        ("An animal.", "a dog", False),
        ("There is no red car. A blue car.", "a red car", False),
        ("The child is happy.", "happy kids", True),
        ('It says "open daily".', "open", True),
    ],
)
def test_asserting_a_phrase(answer: str, phrase: str, right: bool) -> None:
    assert asserts(answer, phrase) is right


THINGS = (
    "axolotl,badger,walnut,pretzel,abacus,anvil,barometer,canoe,dumpling,easel,ferret,gondola,hammock,iguana,jukebox,"
    "kayak,lantern,mango,narwhal,otter,parasol,quilt,raccoon,sundial,teapot,ukulele,violin,walrus,xylophone,yurt,zeppelin,"
    "dog,cat,bus,guitar,umbrella,tomato,suitcase,tractor,owl,cake,ladder,mirror,candle,rocket,turtle,sandwich,bicycle"
).split(",")


def test_planted_inventions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark's 200 answers, on things of which half are not in the lexicon."""
    monkeypatch.syspath_prepend("benchmarks")
    from evaluation_hallucination import measure

    _, hits, missed, false, _ = measure(THINGS, seed=7)
    right = sum(hits.values())
    assert right / (right + len(missed)) >= 0.95, missed
    assert right / (right + len(false)) >= 0.95, false
    assert set(hits) == {"object", "number", "text"}
