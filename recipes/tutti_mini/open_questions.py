"""Open questions: each maker turns a scene's facts into a question with one right answer, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recipes.tutti_mini.objects import EMOJI_GROUPS, a, emoji_names, plural
from recipes.tutti_mini.phrasings import CANNOT
from recipes.tutti_mini.scenes import Facts, Thing
from recipes.tutti_mini.wording import (
    MOTIONS,
    PLACES,
    SIDES,
    Draft,
    absent,
    also_at,
    also_called,
    also_heard,
    amount,
    called,
    colour_synonyms,
    heard_as,
    listed,
    maybe_at,
    moves,
    offset,
    photo_of,
    pick,
    refer,
    where,
)

Maker = Callable[[Facts, np.random.Generator], Draft | None]
ALL_NAMES = sorted(set(emoji_names().values()))
GROUP_OF = {
    emoji_names()[entry.partition("=")[0]]: group for group, text in EMOJI_GROUPS.items() for entry in text.split(";")
}
TEXTS = ("word", "number")


def medium_word(facts: Facts, rng: np.random.Generator) -> str:
    """What a question calls the medium."""
    return pick(rng, {"recording": ("recording",), "clip": ("clip", "video")}.get(facts.medium, ("picture", "image")))


def what(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """What the only thing is, or the thing at a place."""
    if len(facts.things) == 1:
        thing = facts.things[0]
        return None if thing.full else Draft(way="what", type="what", answer=called(thing), accepted=also_called(thing))
    options = []
    for thing in facts.things:
        place = where(thing)
        if place and not any(maybe_at(other, place) for other in facts.things if other is not thing):
            options.append((thing, place))
    if not options:
        return None
    thing, place = pick(rng, options)
    return Draft(
        way="what_at", type="what", answer=called(thing), accepted=also_called(thing), slots={"at": PLACES[place]}
    )


_PHOTO_WAYS = {"hand_digits": "what_hand", "cxr": "what_xray", "makeup_shades": "what_shade"}


def what_photo(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """The class of a full photo."""
    thing = facts.things[0] if len(facts.things) == 1 else None
    if not thing or not thing.full:
        return None
    if way := _PHOTO_WAYS.get(thing.group):
        if rng.random() < 0.6:
            return Draft(way=way, type="what_photo", answer=thing.name, accepted=also_called(thing))
        return Draft(way="what_photo", type="what_photo", answer=photo_of(thing), accepted=(thing.name,))
    special = {"clothing": "what_clothing", "grocery": "what_food"}.get(thing.group)
    way = special if special and rng.random() < 0.4 else "what_photo"
    return Draft(way=way, type="what_photo", answer=a(thing.name), accepted=also_called(thing))


def colour(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """The colour of a shape, a text or a piece of clothing."""
    options = [
        (thing, name)
        for thing in facts.things
        if thing.colour and (name := refer(thing, facts.things)) and thing.colour not in name.split()
    ]
    if not options:
        return None
    thing, name = pick(rng, options)
    said = thing.colour or ""
    return Draft(way="colour", type="colour", answer=said, accepted=colour_synonyms(said), slots={"thing": name})


def countable(facts: Facts, rng: np.random.Generator) -> list[tuple[str, int]]:
    """What can be counted without doubt, and how many there are."""
    if any(thing.kind == "photo" for thing in facts.things) or not facts.things:
        return []
    options: list[tuple[str, int]] = []
    shapes = [thing for thing in facts.things if thing.kind == "shape"]
    for thing in facts.things:
        if thing.kind in TEXTS or (refer(thing, facts.things) is None and not _all_equal(thing, facts)):
            continue
        if many := plural(thing.name):
            options.append((many, sum(other.name == thing.name for other in facts.things)))
        if thing.kind == "shape" and thing.colour:
            same = sum(other.said == thing.said for other in shapes)
            options.append((plural(thing.said) or "", same))
    if len(shapes) == len(facts.things):
        options.append(("shapes", len(shapes)))
    if not any(thing.kind in TEXTS for thing in facts.things):
        options.append((pick(rng, ("things", "objects")), len(facts.things)))
    return options


def _all_equal(thing: Thing, facts: Facts) -> bool:
    """Whether what shares the thing's name is the same kind of thing."""
    return all(other.kind == thing.kind for other in facts.things if other.name == thing.name)


def count(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """How many of something there are; now and then of something that is not there."""
    options = countable(facts, rng)
    if not options:
        return None
    if rng.random() < 0.15:
        missing = [
            (many, 0) for _ in range(4) if absent(facts, name := pick(rng, ALL_NAMES)) and (many := plural(name))
        ]
        options = missing or options
    several = [option for option in options if option[1] > 1]
    many, number = pick(rng, several if several and rng.random() < 0.5 else options)
    answer, accepted = amount(number)
    return Draft(way="count", type="count", answer=answer, accepted=accepted, slots={"many": many})


def place(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """Where a thing is."""
    options = [(name, at) for thing in facts.things if (at := where(thing)) and (name := refer(thing, facts.things))]
    if not options:
        return None
    name, at = pick(rng, options)
    return Draft(way="where", type="where", answer=PLACES[at], accepted=also_at(at), slots={"thing": name})


def relation(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """What is beside, above or below a thing; or which of two is bigger."""
    if len(facts.things) < 2:
        return None
    if rng.random() < 0.35 and (draft := _size(facts, rng)):
        return draft
    options = []
    for thing in facts.things:
        for side in SIDES if (name := refer(thing, facts.things)) else ():
            beside = [other for other in facts.things if other is not thing and offset(other, thing, side) > 0]
            if len(beside) == 1 and offset(beside[0], thing, side) > 0.2:
                options.append((name, side, beside[0]))
    if not options:
        return None
    name, side, other = pick(rng, options)
    side = f"to the {side}" if side.endswith("of") and rng.random() < 0.5 else side
    slots = {"thing": name or "", "side": side}
    return Draft(way="relation", type="relation", answer=called(other), accepted=also_called(other), slots=slots)


def sized(facts: Facts) -> list[tuple[Thing, str, Thing, str]]:
    """Pairs of which the first is clearly bigger, each with its name."""
    named = [
        (thing, name) for thing in facts.things if thing.kind not in TEXTS and (name := refer(thing, facts.things))
    ]
    return [(one, first, two, second) for one, first in named for two, second in named if one.size > 1.3 * two.size]


def _size(facts: Facts, rng: np.random.Generator) -> Draft | None:
    pairs = sized(facts)
    if not pairs:
        return None
    big, big_name, small, small_name = pick(rng, pairs)
    wanted, name, more = (big, big_name, "bigger") if rng.random() < 0.5 else (small, small_name, "smaller")
    one, two = (big_name, small_name) if rng.random() < 0.5 else (small_name, big_name)
    slots = {"one": one, "two": two, "more": more}
    return Draft(way="size", type="relation", answer=f"the {name}", accepted=also_called(wanted), slots=slots)


def read(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """What is written."""
    texts = [thing for thing in facts.things if thing.kind in TEXTS]
    if len(texts) != 1:
        return None
    text = texts[0].name
    if texts[0].kind == "word":
        return Draft(way="read", type="read", answer=text, accepted=(f"the word {text}",))
    accepted = (f"the number {text}", *(amount(int(text))[:1] if len(text) == 1 else ()))
    return Draft(way="read_number", type="read", answer=text, accepted=accepted)


def sound(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """What is heard."""
    if not facts.heard:
        silence = ("silence", "no sound", "nothing at all", "it is silent")
        return Draft(way="sound", type="sound", answer="nothing", accepted=silence) if facts.medium == "clip" else None
    names = [heard_as(one) for one in facts.heard]
    if len(names) == 1:
        return Draft(way="sound", type="sound", answer=names[0], accepted=also_heard(facts.heard[0]))
    if facts.in_turn:
        return None
    accepted = joined(*(((heard_as(one), *also_heard(one))) for one in facts.heard))
    return Draft(way="sounds", type="sound", answer=" and ".join(sorted(names)), accepted=accepted)


def joined(ones: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Every way to name two things, in either order."""
    return tuple(
        f"{first} and {second}" for one in ones for other in others for first, second in ((one, other), (other, one))
    )


def digit(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """The spoken digits."""
    spoken = [one for one in facts.heard if one.kind == "digits"]
    if not spoken:
        return None
    words = spoken[0].name.split()
    figures = [amount(number)[0] for number in range(10)]
    written = " ".join(str(figures.index(word)) for word in words)
    way = "digit" if len(words) == 1 else "digits"
    return Draft(way=way, type="digit", answer=spoken[0].name, accepted=(written, written.replace(" ", "")))


def keyword(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """The spoken word."""
    spoken = [one for one in facts.heard if one.kind == "keyword"]
    return Draft(way="keyword", type="keyword", answer=spoken[0].name) if spoken else None


def order(facts: Facts, rng: np.random.Generator) -> Draft | None:
    """Which of two sounds comes first or last."""
    if not facts.in_turn:
        return None
    index = int(rng.integers(2))
    one = facts.heard[index]
    return Draft(way=("first", "last")[index], type="order", answer=heard_as(one), accepted=also_heard(one))


def motion(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """What a thing does."""
    if not facts.motion:
        return None
    verb = MOTIONS[facts.motion][0]
    accepted = (verb, MOTIONS[facts.motion][1], f"{verb.replace(' to the', '')}", f"it {verb.replace(' to the', '')}")
    name = refer(facts.things[0], facts.things) or "thing"
    return Draft(way="motion", type="motion", answer=f"it {verb}", accepted=accepted, slots={"thing": name})


def fit(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """Whether sight and sound belong together."""
    if facts.fits is None:
        return None
    answer = "yes" if facts.fits else "no"
    if facts.heard[0].kind == "digits":
        return Draft(way="fit_count", type="fit", answer=answer)
    return Draft(way="fit", type="fit", answer=answer, slots={"thing": facts.things[0].name})


def both(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """What is seen and what is heard, in one answer."""
    if len(facts.things) != 1 or len(facts.heard) != 1 or facts.heard[0].kind == "keyword":
        return None
    thing, heard = facts.things[0], facts.heard[0]
    if thing.group in _PHOTO_WAYS:
        return None
    if heard.kind == "digits":
        if " " in heard.name:
            return None
        accepted = joined((heard.name,), also_called(thing))
        return Draft(way="both_digit", type="both", answer=f"{heard.name} and {called(thing)}", accepted=accepted)
    accepted = joined((called(thing), *also_called(thing)), (heard_as(heard), *also_heard(heard)))
    return Draft(way="both", type="both", answer=f"{called(thing)} and {heard_as(heard)}", accepted=accepted)


def caption(facts: Facts, _rng: np.random.Generator) -> Draft | None:
    """One sentence about all of it."""
    if facts.medium == "recording":
        names = [heard_as(one) for one in facts.heard]
        if len(names) == 2:
            said = (
                f"first {names[0]}, then {names[1]}."
                if facts.in_turn
                else f"{' and '.join(sorted(names))} at the same time."
            )
        else:
            said = f"the sound of {names[0]}." if facts.heard[0].kind == "sound" else f"{names[0]}."
        return Draft(way="caption_sound", type="caption", answer=said, must=tuple(names))
    things = facts.things
    full = len(things) == 1 and things[0].full
    seen = photo_of(things[0]) if full else listed(things)
    must = tuple(dict.fromkeys(name for name in seen.replace(" and ", ", ").split(", ")))
    if facts.motion:
        seen = moves(things[0], facts.motion)
        must = (seen,)
    elif not full:
        seen = f"the picture shows {seen}"
    if facts.medium == "picture":
        return Draft(way="caption", type="caption", answer=f"{seen}.", must=must)
    sounds = [heard_as(one) for one in facts.heard]
    if not sounds:
        return Draft(way="caption", type="caption", answer=f"{seen}, without sound.", must=(*must, "without sound"))
    with_sound = (
        f"{seen}, with the sound of {sounds[0]}." if facts.heard[0].kind == "sound" else f"{seen}, with {sounds[0]}."
    )
    return Draft(way="caption", type="caption", answer=with_sound, must=(*must, *sounds))


def cannot(facts: Facts, rng: np.random.Generator, phrasing: str) -> Draft:
    """What the medium cannot tell."""
    split = 0 if phrasing == "train" else 1
    own = CANNOT.get(facts.medium)
    options = own[split] if own and rng.random() < 0.5 else CANNOT["any"][split]
    medium = "picture and the recording" if facts.medium == "pair" else facts.medium
    answer = f"That cannot be told from the {medium}."
    return Draft(
        way="cannot", type="cannot", answer=answer, must=("cannot be told",), slots={"question": pick(rng, options)}
    )


_PICTURE: tuple[Maker, ...] = (what, what_photo, colour, count, place, relation, read, caption)
_SOUND: tuple[Maker, ...] = (sound, digit, keyword, order)


SHARES: dict[Maker, float] = {relation: 4.0, read: 4.0, colour: 1.5, both: 2.0, fit: 2.0, caption: 0.6}
"""How much more readily than others a kind of question is asked where it can be."""


def for_medium(medium: str) -> tuple[Maker, ...]:
    """The makers that suit a medium."""
    return {
        "picture": _PICTURE,
        "recording": (*_SOUND, caption),
        "clip": (what, colour, motion, fit, both, caption, *_SOUND),
        "pair": (fit, both, *_PICTURE, *_SOUND),
    }[medium]
