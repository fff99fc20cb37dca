"""How a turn changes what is wanted: which wishes stay, which are replaced, and which a new thing gives up.

A later wish replaces an earlier one on the same matter; what is not wanted adds up. Another kind of thing gives up what
belonged to the last one (size, pattern, finish, words, likeness), and "a bag that goes with it" its colour, brand and
price, too.
"""

from __future__ import annotations

from dataclasses import replace

from tutti.search.dialogue.wishes import NextState, ShopState, TurnReading, Wish

_OF_A_THING = {"size", "pattern", "finish", "words", "likeness", "shade", "order"}
_BESIDE = _OF_A_THING | {"kind", "colour", "price"}
_UPPER, _LOWER = {"below", "at most"}, {"above", "at least"}


def after(state: ShopState, turn: TurnReading) -> NextState:
    """The state after a turn; what it shows is noted by the caller."""
    old = () if turn.restart else state.wishes
    photo = None if turn.restart else state.photo
    kept = [wish for wish in old if not _given_up(wish, turn, old)]
    kept = [wish for wish in kept if not any(_replaces(new, wish) for new in turn.wishes)]
    kept = [rest for wish in kept if (rest := _without(wish, turn.wishes)) is not None]
    new = ShopState(
        turn=state.turn + 1,
        wishes=(*kept, *turn.wishes),
        shown=state.shown if not turn.restart else (),
        anchor=turn.anchor or (None if turn.restart else state.anchor),
        photo=photo,
    )
    gone = tuple(wish for wish in old if wish.field not in turn.dropped and _given_up(wish, turn, old))
    return NextState(state=new, given_up=() if turn.restart else gone)


def _given_up(wish: Wish, turn: TurnReading, old: tuple[Wish, ...]) -> bool:
    if wish.field in turn.dropped:
        return True
    if turn.new_thing:
        return wish.field in _BESIDE or (wish.field == "brand" and not wish.negative)
    if turn.other_thing:
        return wish.field in _OF_A_THING or (wish.field == "kind" and not wish.negative)
    return wish.field in _OF_A_THING and _other_kind(turn, old)


def _other_kind(turn: TurnReading, old: tuple[Wish, ...]) -> bool:
    before = {value for wish in old if wish.field == "kind" and not wish.negative for value in wish.values}
    now = {value for wish in turn.wishes if wish.field == "kind" and not wish.negative for value in wish.values}
    return bool(before and now and not before & now)


def _replaces(new: Wish, old: Wish) -> bool:
    """Whether a new wish takes the place of an old one."""
    if new.field == "colour" and old.field == "shade":
        return not new.negative
    if new.field == "shade" and old.field == "colour":  # "red" and "darker" go together, "this colour" and "darker" not
        return old.test == "near"
    if new.field != old.field:
        return False
    if new.field == "price":
        return (new.test in _UPPER) == (old.test in _UPPER)
    if new.field == "words":
        return new.values == old.values and new.test == old.test
    return not new.negative and not old.negative


def _without(wish: Wish, new: tuple[Wish, ...]) -> Wish | None:
    """A wish without the values that a new one contradicts; None where nothing is left of it."""
    against = {
        value
        for other in new
        if other.field == wish.field and other.negative != wish.negative and other.values
        for value in other.values
    }
    if not wish.values or not against & set(wish.values):
        return wish
    left = tuple(value for value in wish.values if value not in against)
    return replace(wish, values=left) if left else None
