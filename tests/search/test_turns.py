"""Turns read as wishes, kept over turns, and what fits them; on a small assortment whose truth can be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.search.shelf_of_things import assortment, product
from tutti.search.catalogue.assortment import Appearance, Assortment
from tutti.search.dialogue.keeping import after
from tutti.search.dialogue.reading import TurnReader
from tutti.search.dialogue.relaxing import improvements, relaxations
from tutti.search.dialogue.sifting import ShopSetting, all_fit, ranked
from tutti.search.dialogue.wishes import SeenPhoto, ShopState

SHELF = assortment()
READER = TurnReader(SHELF)


def said(*turns: str, shown: tuple[str, ...] = (), photo: SeenPhoto | None = None) -> tuple[ShopState, list[str]]:
    """The state after some turns, and the questions of the last."""
    state, questions = ShopState(shown=shown, photo=photo), []
    for turn in turns:
        reading = READER.read(turn, state)
        state, questions = after(state, reading).state, list(reading.questions)
        state = replace(state, shown=shown)
    return state, questions


def fitting(state: ShopState) -> set[str]:
    return {SHELF.products[place].id for place in all_fit(state.wishes, SHELF).nonzero()[0]}


@pytest.mark.parametrize(
    ("turn", "wishes"),
    [
        ("lipsticks under 30", ["price below 30.00 EUR", "kind is lipstick"]),
        ("a lipstick for at most €12.50", ["price at most 12.50 EUR", "kind is lipstick"]),
        ("not more than twenty five euros", ["price at most 25.00 EUR"]),
        ("a hundred and twenty euros or less", ["price at most 120.00 EUR"]),
        ("no less than 20", ["price at least 20.00 EUR"]),
        ("over 20 euro", ["price above 20.00 EUR"]),
        ("between 10 and 20 euros", ["price at least 10.00 EUR", "price at most 20.00 EUR"]),
        ("around 20", ["price at least 17.00 EUR", "price at most 23.00 EUR"]),
        ("1.299,50 EUR max", ["price at most 1,299.50 EUR"]),
        ("in size 42", ["size is 42"]),
        ("in a 42", ["size is 42"]),
        ("size 41 or 42", ["size is 41 or 42"]),
        ("I need size M", ["size is m"]),
        ("size S or M", ["size is s or m"]),
        ("any size 42", ["size is 42"]),
        ("not Acme", ["brand is not acme"]),
        ("nothing from Belle & Co", ["brand is not belle & co"]),
        ("no Acme or Belle", ["brand is not acme or belle"]),
        ("no Belle or Acme", ["brand is not belle or acme"]),
        ("not dotted or striped", ["pattern is not dotted or striped"]),
        ("by Acme", ["brand is acme"]),
        ("not red or blue", ["colour is not red or blue"]),
        ("anything but red", ["colour is not red"]),
        ("red, not pink", ["colour is red", "colour is not pink"]),
        ("without stripes", ["pattern is not striped"]),
        ("a striped bag", ["pattern is striped", "kind is bag"]),
        ("matte lipstick", ["finish is matt", "kind is lipstick"]),
        ("only what is in stock", ["in stock"]),
        ("running shoes", ["words is running", "kind is shoe"]),
        ("sneakers", ["kind is sneaker"]),
        ("something light pink", ["colour is pink", "shade at least L* 65"]),
        ("I do not want leather", ["words is not leather"]),
        ("I don't want a bag", ["kind is not bag"]),
        ("I'd like it in black", ["colour is black"]),
        ("I would like a bag", ["kind is bag"]),
    ],
)
def test_what_a_turn_says(turn: str, wishes: list[str]) -> None:
    state, questions = said(turn)
    assert sorted(map(str, state.wishes)) == sorted(wishes)
    assert questions == []


@pytest.mark.parametrize(
    ("turn", "asked"),
    [
        ("flurbish shoes", "flurbish"),
        ("sneekers", "did you mean “sneaker”"),
        ("under $10", "prices are in EUR"),
        ("under 10 dollars", "prices are in EUR"),
        ("under 10 cm", "is no price"),
        ("from 30 to 20 euros", "lower bound"),
        ("cheaper", "nothing was shown"),
        ("like the second but darker", "Which one"),
        ("this colour", "no photograph"),
        ("same pattern", "compares with something"),
        ("size 42 and 17", "What is 17"),
    ],
)
def test_what_is_not_understood_is_asked_back(turn: str, asked: str) -> None:
    _, questions = said(turn)
    assert any(asked in question for question in questions), questions


@pytest.mark.parametrize(
    ("turn", "wishes", "shown"),
    [
        ("like the second but darker", ["kind is lipstick (L2)", "like L2", "shade darker"], ("L0", "L2")),
        ("not that brand", ["brand is not acme (L0)"], ("L0", "L2")),
        ("another brand than the last one", ["brand is not belle (L1)"], ("L0", "L1")),
        ("same pattern, cheaper", ["pattern is striped (B2)", "price below 24.50 EUR (B2)"], ("B2", "B3")),
        (
            "same pattern as number 2 but more expensive",
            ["pattern is striped (B3)", "price above 19.50 EUR (B3)"],
            ("B2", "B3"),
        ),
        ("and a bag that goes with it", ["kind is bag", "colour goes with"], ("S42",)),
        ("in the same size as #1", ["size is 42 (S42)"], ("S42",)),
        ("like L3", ["kind is lipstick (L3)", "like L3"], ()),
    ],
)
def test_what_a_turn_compares_with(turn: str, wishes: list[str], shown: tuple[str, ...]) -> None:
    state, questions = said(turn, shown=shown)
    found = sorted(map(str, state.wishes))
    assert questions == []
    assert len(found) == len(wishes)
    assert all(one.startswith(expected) for one, expected in zip(found, sorted(wishes), strict=True)), found


@pytest.mark.parametrize(
    ("turns", "wishes"),
    [
        (("red lipstick", "in pink"), ["colour is pink", "kind is lipstick"]),
        (("red lipstick", "not red"), ["colour is not red", "kind is lipstick"]),
        (("lipstick under 30", "under 20"), ["kind is lipstick", "price below 20.00 EUR"]),
        (("lipstick under 30", "over 10"), ["kind is lipstick", "price above 10.00 EUR", "price below 30.00 EUR"]),
        (("shoes in size 42", "any size"), ["kind is shoe"]),
        (("shoes in size 42", "any size is fine"), ["kind is shoe"]),
        (("shoes in size 42", "any sizes are fine"), ["kind is shoe"]),
        (("shoes by Fleet", "the brand doesn't matter"), ["kind is shoe"]),
        (("shoes in size 42", "a bag"), ["kind is bag"]),
        (("shoes not from Acme", "not from Fleet"), ["brand is not acme", "brand is not fleet", "kind is shoe"]),
        (("not from Acme", "from Acme"), ["brand is acme"]),
        (("red lipstick", "start over, shoes"), ["kind is shoe"]),
    ],
)
def test_later_turns_replace_and_add(turns: tuple[str, ...], wishes: list[str]) -> None:
    state, _ = said(*turns)
    assert sorted(map(str, state.wishes)) == wishes


PHOTO = SeenPhoto(lab=(42.0, 63.0, 40.0), remains=2.5, light="white sheet", pattern="plain", finish="matt")


def test_this_colour_is_the_photograph_s() -> None:
    state, questions = said("Do you have a lipstick in this colour?", photo=PHOTO)
    assert questions == []
    assert fitting(state) == {"L0"}
    state, _ = said("Do you have this colour?", "darker", photo=PHOTO)
    assert fitting(state) == {"L1"}


def test_darker_is_of_the_same_hue() -> None:
    state, _ = said("like L0 but darker")
    assert fitting(state) == {"L1"}
    state, _ = said("lighter than L0")
    assert "L2" not in fitting(state)


@pytest.mark.parametrize(
    ("turn", "ids"),
    [
        ("shoes in size 42", {"S42", "S50"}),
        ("shoes in size 41, in stock", set()),
        ("red things", {"L0", "L1", "B2"}),
        ("bags not from Belle", {"B2"}),
        ("lipsticks under 14.90", {"L0"}),
        ("lipsticks at most 14.90", {"L0", "L1"}),
        ("shoes, not blue", {"S50"}),
        ("clothing", set(SHELF.by_id)),
    ],
)
def test_what_fits(turn: str, ids: set[str]) -> None:
    state, _ = said(turn)
    assert fitting(state) == ids


def test_variants_count_once_and_what_is_in_stock_comes_first() -> None:
    state, _ = said("blue shoes")
    places = ranked(state, SHELF, all_fit(state.wishes, SHELF), ShopSetting())
    assert len(places) == 1
    assert SHELF.products[places[0]].available
    state, _ = said("lipsticks")
    order = [SHELF.products[place].id for place in ranked(state, SHELF, all_fit(state.wishes, SHELF), ShopSetting())]
    assert order == ["L0", "L2", "L3", "L1"]


def test_each_alternative_gives_up_one_wish() -> None:
    state, _ = said("a blue bag by Acme under 30")
    assert fitting(state) == set()
    found = relaxations(state.wishes, SHELF, lambda some: ranked(state, SHELF, some, ShopSetting()))
    assert {group.what: [SHELF.products[place].id for place in group.places] for group in found} == {
        "without “brand is acme”": ["B3"],
        "without “colour is blue”": ["B2"],
    }
    for group in found:
        kept = [wish for wish in state.wishes if wish not in group.without]
        assert len(group.without) == 1
        assert all(all_fit(kept, SHELF)[place] for place in group.places)


def test_what_is_cheaper_or_of_another_brand_keeps_the_other_wishes() -> None:
    state, _ = said("a lipstick in this colour", photo=replace(PHOTO, lab=(70.0, 42.0, 2.0)))
    shown = ranked(state, SHELF, all_fit(state.wishes, SHELF), ShopSetting())
    assert [SHELF.products[place].id for place in shown] == ["L2"]
    found = improvements(state.wishes, SHELF, lambda some: ranked(state, SHELF, some, ShopSetting()), shown)
    assert [group.what.split(",")[0] for group in found] == ["cheaper", "of another brand"]
    assert [SHELF.products[group.places[0]].id for group in found] == ["L0", "L3"]


def test_a_state_is_a_value_that_can_be_written() -> None:
    state, _ = said("a red lipstick in this colour under 30, not Acme", photo=replace(PHOTO, vector=(0.25, -0.5)))
    assert ShopState.from_dict(state.to_dict()) == state


def test_a_thing_that_the_kinds_lack_is_another_thing_and_what_stands_behind_a_preposition_is_not() -> None:
    kit = product("K1", "Dog bowl in blue", 15.0, kind="Animals > Pet Supplies")
    boots = product("K2", "Walking boots", 90.0, kind="Footwear > Walking", material="Gore")
    looks = [Appearance() for _ in range(len(SHELF) + 2)]
    blank = np.zeros((len(looks), 2), np.float32)
    shelf = Assortment([*SHELF.products, kit, boots], looks, blank, blank)
    reader = TurnReader(shelf)

    def wanted(*turns: str) -> list[str]:
        state = ShopState()
        for turn in turns:
            state = after(state, reader.read(turn, state)).state
        return sorted(map(str, state.wishes))

    assert wanted("lipsticks under 30", "a dog bowl") == ["price below 30.00 EUR", "words is bowl", "words is dog"]
    assert wanted("running shoes", "in gore") == ["kind is shoe", "words is gore", "words is running"]
    assert wanted("lipsticks", "velvet ones") == ["kind is lipstick", "words is velvet"]
    assert wanted("a dog bowl", "the dog bowl") == ["words is bowl", "words is dog"]


@pytest.mark.parametrize(("turn", "first"), [("the cheapest one", "L0"), ("the most expensive lipstick", "L3")])
def test_the_cheapest_and_the_dearest_come_first(turn: str, first: str) -> None:
    state, questions = said("lipsticks", turn)
    assert questions == []
    places = ranked(state, SHELF, all_fit(state.wishes, SHELF), ShopSetting(stock=50, price=0))
    assert SHELF.products[places[0]].id == first
    assert not any(wish.field == "order" for wish in said("lipsticks", turn, "bags")[0].wishes)


def test_it_is_asked_back_where_several_were_shown() -> None:
    _, questions = said("I take it", shown=("L0", "L2"))
    assert questions == ["Which one is taken? 2 were shown."]
    assert READER.read("I take it", ShopState(shown=("L0", "L2"))).taken is None
    assert READER.read("I take it", ShopState(shown=("L0",))).taken == "L0"
    assert READER.read("I take it", ShopState(shown=("L0", "L2"), anchor="L2")).taken == "L2"
    assert READER.read("I take the second", ShopState(shown=("L0", "L2"))).taken == "L2"
