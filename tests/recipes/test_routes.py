"""Who answers a question: words are quoted where a quotation is an answer, and the model is asked everything else."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from recipes.tutti_mini.routes import Given, Wanted, labelled, route_of
from tutti.providers.question_forms import Form, form_of
from tutti.providers.question_sorts import EXAMPLES
from tutti.providers.registry import open_provider

LEAST = {"generator": 0.95, "own": 0.85, "unseen on text": 0.9, "cannot be told": 0.8}
"""Source of questions → least share of its held-out half that has to go where it should."""


@pytest.fixture(scope="module")
def provider() -> Any:
    return open_provider("tutti-mini")


def test_held_out_questions_go_where_they_should(provider: Any) -> None:
    right: dict[str, list[bool]] = defaultdict(list)
    for one in labelled():
        if one.half == "heldout":
            right[one.source].append(route_of(provider, one) == one.wanted)
    shares = {source: sum(goods) / len(goods) for source, goods in right.items()}
    assert all(shares[source] >= least for source, least in LEAST.items()), shares


def test_no_example_is_held_out() -> None:
    held_out = {one.question for one in labelled() if one.half == "heldout"}
    assert not held_out & {example for examples in EXAMPLES.values() for example in examples}


@pytest.mark.parametrize(
    ("given", "question", "wanted"),
    [
        ("picture", "Is a frog what the photo shows?", "model"),
        ("picture", "Do you notice an owl?", "model"),
        ("picture", "What am I hearing?", "model"),
        ("picture", "Give the number of things.", "model"),
        ("picture", "What object lies in the top right?", "model"),
        ("picture", "Would you call the number green?", "model"),
        ("picture", "Is 1 the number here?", "lines?"),
        ("picture", "Say the colour of the word", "model"),
        ("picture", 'Would you read this as "best"?', "lines?"),
        ("picture", "Can one say that the word is yellow?", "model"),
        ("picture", "Say what is to the right of the pretzel", "model"),
        ("picture", "Would I find the number at the top?", "model"),
        ("picture", "Quick question: What does she want?", "model"),
        ("pair", "Say how many sailboats there are.", "model"),
        ("pair", "Would you say there is a sailboat here?", "model"),
        ("pair", "Give the spoken number and the thing seen.", "model"),
        ("pair", "Is the count the same as the spoken number?", "model"),
        ("pair", "Is zero among the spoken numbers?", "transcript?"),
        ("recording", "Would you say the voice says one?", "transcript?"),
        ("recording", "Say what can be heard.", "model"),
        ("recording", "Would you say that is a snare drum?", "model"),
        ("pair", "Say how many police officers there are.", "model"),
        ("picture", "Does the image contain a cat?", "model"),
        ("picture", "Is a fork used?", "model"),
        ("picture", "Does the man read a book?", "model"),
        ("picture", "Are there 3 numbers on the sign?", "model"),
        ("picture", "Is somebody writing on the wall?", "model"),
        ("picture", "Does the label contain sugar?", "lines?"),
        ("recording", "Do they use a fork?", "model"),
        ("recording", "What does she want?", "model"),
        ("recording", "Would you say she is talking about Paris?", "transcript?"),
    ],
)
def test_words_take_over_no_other_question(provider: Any, given: Given, question: str, wanted: Wanted) -> None:
    (one,) = [one for one in labelled() if one.given == given][:1]
    assert route_of(provider, type(one)(**{**vars(one), "question": question})) == wanted


@pytest.mark.parametrize(
    ("question", "form", "core"),
    [
        ("Quick question: Is it a dog?", "polar", "Is it a dog?"),
        ("I would like to know: how many dogs are there", "count", "how many dogs are there"),
        ("Say how many dogs there are.", "count", "how many dogs there are."),
        ("Could you please tell me what this is?", "open", "what this is?"),
        ("Can you tell whether the door is open?", "polar", "the door is open?"),
        ("Would you say that it is raining?", "polar", "it is raining?"),
        ("What would you say this is?", "open", "What this is?"),
        ("Is it a cat or a dog?", "choice", "Is it a cat or a dog?"),
        ("Name the thing and the sound.", "both", "what is the thing and the sound."),
        ("Of the sun and the moon, which is bigger?", "choice", "Of the sun and the moon, which is bigger?"),
        ("Give the colour of her coat.", "colour", "what is the colour of her coat."),
        ("", "open", ""),
    ],
)
def test_forms(question: str, form: Form, core: str) -> None:
    found = form_of(question)
    assert (found.form, found.core) == (form, core)
