"""How facts are put into words: what a thing is called, where it is, what is heard, how something moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from recipes.tutti_mini.objects import DIGITS, HEARD, PLURAL, SOUND_SYNONYMS, SYNONYMS, a, kin, plural
from recipes.tutti_mini.scenes import Facts, Heard, Thing

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A question before it is phrased."""

    way: str
    """Key of `phrasings.PHRASINGS`, or "cannot"."""
    type: str
    answer: str
    accepted: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    slots: dict[str, str] = field(default_factory=dict)


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of them."""
    return options[int(rng.integers(len(options)))]


def refer(thing: Thing, things: Sequence[Thing]) -> str | None:
    """What to call one thing so that no other is meant; None where there is no such name."""
    if thing.kind in ("word", "number"):
        return thing.kind if sum(other.kind in ("word", "number") for other in things) == 1 else None
    akin = [other for other in things if other.kind not in ("word", "number") and kin(other.name, thing.name)]
    if len(akin) == 1:
        return thing.name
    alone = thing.kind == "shape" and sum(other.colour == thing.colour for other in akin) == 1
    return thing.said if alone else None


def called(thing: Thing) -> str:
    """A thing as an answer: "a dog", "a red circle", "the word sun"."""
    if thing.kind in ("word", "number"):
        return f"the {thing.kind} {thing.name}"
    return a(thing.said)


def also_called(thing: Thing) -> tuple[str, ...]:
    """Other right answers."""
    return (*thing.accepted(), thing.name)


def amount(number: int) -> tuple[str, tuple[str, ...]]:
    """A number as an answer, and what is accepted for it."""
    return DIGITS[number], (str(number), "none", "no") if number == 0 else (str(number),)


Where = tuple[str, str]
PLACES: dict[Where, str] = {
    ("left", "top"): "in the top left",
    ("middle", "top"): "at the top",
    ("right", "top"): "in the top right",
    ("left", "middle"): "on the left",
    ("middle", "middle"): "in the middle",
    ("right", "middle"): "on the right",
    ("left", "bottom"): "in the bottom left",
    ("middle", "bottom"): "at the bottom",
    ("right", "bottom"): "in the bottom right",
}


def _third(value: float, low: str, high: str) -> str | None:
    if value < 0.38:
        return low
    if value > 0.62:
        return high
    return "middle" if 0.44 < value < 0.56 else None


def where(thing: Thing) -> Where | None:
    """In which ninth of the picture a thing is; None where one could argue."""
    across, down = _third(thing.centre[0], "left", "right"), _third(thing.centre[1], "top", "bottom")
    return (across, down) if across and down and thing.size <= 40 else None


def also_at(place: Where) -> tuple[str, ...]:
    """Other ways to name a place."""
    across, down = place
    if place == ("middle", "middle"):
        return "middle", "in the centre", "centre", "center", "in the center"
    if "middle" in place:
        side = across if down == "middle" else down
        return side, f"on the {side}", f"at the {side}", f"on the {side} side", f"to the {side}"
    upper = {"top": "upper", "bottom": "lower"}[down]
    return f"{down} {across}", f"in the {down} {across} corner", f"{down} {across} corner", f"in the {upper} {across}"


def maybe_at(thing: Thing, place: Where) -> bool:
    """Whether one could say that a thing is at a place, however loosely."""
    return all(
        {"left": value < 0.55, "top": value < 0.55, "right": value > 0.45, "bottom": value > 0.45}.get(
            name, 0.25 < value < 0.75
        )
        or (name == "middle" and place != ("middle", "middle"))
        for name, value in zip(place, thing.centre, strict=True)
    )


SIDES: dict[str, tuple[int, int]] = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}
"""Relation → axis and sign."""


def offset(thing: Thing, other: Thing, side: str) -> float:
    """How far a thing is on that side of another, as a share of the picture."""
    axis, sign = SIDES[side]
    return sign * (thing.centre[axis] - other.centre[axis])


def heard_as(heard: Heard) -> str:
    """What is heard, as an answer."""
    return HEARD[heard.name] if heard.kind == "sound" else f"a voice saying {heard.name}"


def also_heard(heard: Heard) -> tuple[str, ...]:
    """Other right answers."""
    if heard.kind == "sound":
        return (heard.name, *SOUND_SYNONYMS.get(heard.name, ()))
    return heard.name, f"someone saying {heard.name}", f"a voice says {heard.name}"


MOTIONS: dict[str, tuple[str, str]] = {
    "left": ("moves to the left", "move to the left"),
    "right": ("moves to the right", "move to the right"),
    "up": ("moves up", "move up"),
    "down": ("moves down", "move down"),
    "grows": ("grows", "grow"),
    "shrinks": ("shrinks", "shrink"),
    "appears": ("appears", "appear"),
    "disappears": ("disappears", "disappear"),
    "still": ("stands still", "stand still"),
}
"""Motion → said of one and of many."""


def moves(thing: Thing, motion: str) -> str:
    """A thing and what it does: "a dog moves up", "grapes move up"."""
    return f"{called(thing)} {MOTIONS[motion][thing.name in PLURAL]}"


def listed(things: Sequence[Thing]) -> str:
    """Things from left to right, equal ones counted: "two dogs and a red circle"."""
    names: list[str] = []
    ordered = sorted(things, key=lambda thing: thing.centre)
    for thing in ordered:
        number = sum(other.said == thing.said and other.kind == thing.kind for other in things)
        many = plural(thing.said) if number > 1 else None
        name = f"{DIGITS[number]} {many}" if many else called(thing)
        if name not in names:
            names.append(name)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def photo_of(thing: Thing) -> str:
    """What a photo shows, for a caption."""
    if thing.group == "hand_digits":
        return f"a hand showing {thing.name}"
    if thing.group == "cxr":
        return f"a chest x-ray with {thing.name}"
    if thing.group == "makeup_shades":
        return f"a swatch of {thing.name} foundation"
    return f"a photo of {a(thing.name)}"


def absent(facts: Facts, name: str) -> bool:
    """Whether a name may safely be called absent: no thing is akin to it and no text says it."""
    return not any(kin(name, thing.name) or thing.name == name for thing in facts.things)


def colour_synonyms(colour: str) -> tuple[str, ...]:
    """What else the colour may be called."""
    return SYNONYMS.get(colour, ())
