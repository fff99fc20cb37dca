"""Yes/no questions: the answer is drawn first, then a question that has it, so that "no" is right as often as "yes"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recipes.tutti_mini.drawing import COLOURS, SHAPES
from recipes.tutti_mini.objects import DIGITS, HEARD, KEYWORDS, PHOTO_NAMES, WORDS, a, kin
from recipes.tutti_mini.open_questions import ALL_NAMES, GROUP_OF, TEXTS, countable, sized
from recipes.tutti_mini.scenes import Facts, Thing
from recipes.tutti_mini.wording import MOTIONS, PLACES, SIDES, Draft, Where, absent, offset, pick, refer, where

Truth = Callable[[Facts, np.random.Generator, bool], dict[str, str] | None]
"""Fills the slots of a question whose answer is yes (True) or no (False), or finds none."""

_CLASSES: dict[str, tuple[str, ...]] = {
    "cifar10": ("airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "clothing": (
        "t-shirt",
        "pants",
        "shirt",
        "dress",
        "shorts",
        "shoes",
        "jacket",
        "hat",
        "skirt",
        "long sleeve shirt",
    ),
    "grocery": tuple(
        PHOTO_NAMES["grocery"].get(name, name.lower())
        for name in (
            "Apple Juice Milk Yoghurt Melon Tomato Pear Pepper Potato Orange Kiwi Banana Carrots Lemon Avocado "
            "Mushroom Onion Peach Mango Lime Zucchini Cucumber Pineapple Garlic Leek Plum Aubergine Cabbage Ginger"
        ).split()
    ),
    "hand_digits": DIGITS,
    "makeup_shades": ("very fair", "fair", "light", "medium", "tan", "deep", "very deep"),
}
_NEAR_COLOURS: dict[str, tuple[str, ...]] = {
    "black": ("navy", "grey", "blue"),
    "grey": ("black", "white", "beige", "blue"),
    "white": ("beige", "grey"),
    "navy": ("blue", "black"),
    "blue": ("navy", "black", "grey"),
    "pink": ("red", "purple", "beige"),
    "red": ("pink", "orange", "brown"),
    "beige": ("brown", "white", "pink", "grey"),
    "brown": ("beige", "orange", "red", "black"),
    "purple": ("pink", "blue"),
    "orange": ("red", "brown", "yellow"),
    "yellow": ("orange", "beige"),
}
"""Colour of a piece of clothing → colours that one might as well call it, never the wrong answer."""

_ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
_DOUBTFUL: dict[str, frozenset[str]] = {
    "animal": frozenset(("teddy bear", "bone", "egg", "ghost", "alien", "robot", "santa claus")),
    "vehicle": frozenset(("skateboard", "backpack", "suitcase", "ferris wheel", "balloon")),
    "instrument": frozenset(("bell", "microphone", "radio", "headphones", "phone", "laptop")),
    "fruit": frozenset(
        ("tomato", "avocado", "eggplant", "pepper", "cucumber", "corn", "pie", "lollipop", "diamond gem")
    ),
}
_GROUP_SAID = {"animal": "animal", "vehicle": "vehicle", "instrument": "musical instrument", "fruit": "fruit"}


def _present(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    things = [thing for thing in facts.things if not thing.full]
    if not things:
        return None
    thing = pick(rng, things)
    if wanted:
        if thing.kind in TEXTS:
            return {"a": a(thing.kind)}
        return {"a": a(thing.said if rng.random() < 0.6 else thing.name)}
    if thing.kind == "shape" and rng.random() < 0.6:
        return _absent_shape(facts, thing, rng)
    near = [name for name in ALL_NAMES if GROUP_OF[name] == thing.group] if rng.random() < 0.5 else ALL_NAMES
    if any(other.kind == "photo" for other in facts.things):
        near = [name for name in ALL_NAMES if GROUP_OF[name] in ("animal", "vehicle", "instrument", "sport")]
    for _ in range(12):
        name = pick(rng, near or ALL_NAMES)
        if absent(facts, name):
            return {"a": a(name)}
    return None


def _absent_shape(facts: Facts, thing: Thing, rng: np.random.Generator) -> dict[str, str] | None:
    for _ in range(12):
        if rng.random() < 0.4:
            name = pick(rng, SHAPES)
            if name != "square" and absent(facts, name):
                return {"a": a(name)}
        else:
            said = (
                f"{pick(rng, list(COLOURS))} {thing.name}"
                if rng.random() < 0.5
                else f"{thing.colour} {pick(rng, SHAPES)}"
            )
            if not any(other.said == said for other in facts.things if other.kind == "shape"):
                return {"a": a(said)}
    return None


def _is_photo(facts: Facts, rng: np.random.Generator, wanted: bool, packs: tuple[str, ...]) -> str | None:
    thing = facts.things[0] if len(facts.things) == 1 else None
    if not thing or not thing.full or thing.group not in packs:
        return None
    if wanted:
        return thing.name
    return pick(rng, [name for name in _CLASSES[thing.group] if not kin(name, thing.name)])


def _photo(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    name = _is_photo(facts, rng, wanted, ("cifar10", "clothing", "grocery"))
    return {"a": a(name)} if name else None


def _hand(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    name = _is_photo(facts, rng, wanted, ("hand_digits",))
    return {"digit": name} if name else None


def _shade(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    thing = facts.things[0] if len(facts.things) == 1 else None
    if not thing or not thing.full or thing.group != "makeup_shades":
        return None
    scale = _CLASSES["makeup_shades"]
    far = [name for name in scale if abs(scale.index(name) - scale.index(thing.name)) > 1]
    return {"word": thing.name if wanted else pick(rng, far)}


def _xray(facts: Facts, _rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    thing = facts.things[0] if len(facts.things) == 1 else None
    return {} if thing and thing.group == "cxr" and (thing.name == "pneumonia") == wanted else None


def _colour(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    options = [(thing, name) for thing in facts.things if thing.colour and (name := refer(thing, facts.things))]
    options = [(thing, name) for thing, name in options if thing.colour not in name.split()]
    if not options:
        return None
    thing, name = pick(rng, options)
    own = thing.colour or ""
    if wanted:
        return {"thing": name, "colour": own}
    near = (own, *_NEAR_COLOURS.get(own, ())) if thing.kind == "photo" else (own,)
    return {"thing": name, "colour": pick(rng, [other for other in COLOURS if other not in near])}


def _word(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    text = _text(facts, "word")
    if not text or wanted:
        return {"word": text} if text else None
    alike = [word for word in WORDS if word != text and (word[0] == text[0] or len(word) == len(text))]
    return {"word": pick(rng, alike if rng.random() < 0.5 else [word for word in WORDS if word != text])}


def _number(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    text = _text(facts, "number")
    if not text or wanted:
        return {"word": text} if text else None
    others = [str(number) for number in range(100 if len(text) > 1 else 10) if str(number) != text]
    return {"word": pick(rng, others)}


def _text(facts: Facts, kind: str) -> str | None:
    """What is written, where only one thing is and it is of this kind."""
    texts = [thing for thing in facts.things if thing.kind in TEXTS]
    return texts[0].name if len(texts) == 1 and texts[0].kind == kind else None


def _at(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    options = [(name, at) for thing in facts.things if (at := where(thing)) and (name := refer(thing, facts.things))]
    if not options:
        return None
    name, at = pick(rng, options)
    across, down = at
    if wanted:
        true: list[Where] = [at]
        if "middle" not in at:
            true += [(across, "middle"), ("middle", down)]
        return {"thing": name, "at": PLACES[pick(rng, true)]}
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    false = [place for place in PLACES if opposite.get(across) == place[0] or opposite.get(down) == place[1]]
    false = false or [place for place in PLACES if "middle" not in place]
    return {"thing": name, "at": PLACES[pick(rng, false)]}


def _side(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    named = [(thing, name) for thing in facts.things if (name := refer(thing, facts.things))]
    options = [
        (first, side, second)
        for one, first in named
        for two, second in named
        for side in SIDES
        if one is not two and (offset(one, two, side) > 0.2 if wanted else offset(one, two, side) < -0.2)
    ]
    if not options:
        return None
    one, side, two = pick(rng, options)
    return {"one": one, "side": f"to the {side}" if side.endswith("of") and rng.random() < 0.5 else side, "two": two}


def _size(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    pairs = sized(facts)
    if not pairs:
        return None
    _, big, _, small = pick(rng, pairs)
    more = pick(rng, ("bigger", "smaller"))
    one, two = (big, small) if (more == "bigger") == wanted else (small, big)
    return {"one": one, "more": more, "two": two}


def _count(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    options = [option for option in countable(facts, rng) if option[1] > 1]
    if not options:
        return None
    many, number = pick(rng, options)
    said = number if wanted else pick(rng, [other for other in range(2, 6) if other != number])
    return {"many": many, "number": DIGITS[said]}


def _group_of(thing: Thing) -> str:
    if thing.kind == "photo":
        return "animal" if thing.name in _ANIMALS else "vehicle" if thing.group == "cifar10" else thing.group
    return "animal" if thing.group == "bird" else thing.group


def _group(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    things = facts.things
    if not things or any(thing.kind == "photo" and thing.group != "cifar10" for thing in things):
        return None
    there = {_group_of(thing) for thing in things}
    options = [
        group
        for group in _GROUP_SAID
        if (group in there) == wanted and (wanted or not any(thing.name in _DOUBTFUL[group] for thing in things))
    ]
    if not options:
        return None
    said = _GROUP_SAID[pick(rng, options)]
    return {"a": a(said), "thing": said}


def _sound(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    if wanted:
        if not facts.heard:
            return None
        one = pick(rng, facts.heard)
        return {"heard": HEARD[one.name] if one.kind == "sound" else "a voice"}
    options = [name for name in HEARD if not any(kin(name, one.name) for one in facts.heard)]
    if facts.heard and all(one.kind == "sound" for one in facts.heard) and rng.random() < 0.1:
        return {"heard": "a voice"}
    return {"heard": HEARD[pick(rng, options)]}


def _digit(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    spoken = [word for one in facts.heard if one.kind == "digits" for word in one.name.split()]
    if not spoken:
        return None
    return {"digit": pick(rng, spoken if wanted else [name for name in DIGITS if name not in spoken])}


def _keyword(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    spoken = [one.name for one in facts.heard if one.kind == "keyword"]
    if not spoken:
        return None
    return {"word": pick(rng, spoken if wanted else [name for name in KEYWORDS if name not in spoken])}


def _first(facts: Facts, _rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    return {"heard": HEARD[facts.heard[0 if wanted else 1].name]} if facts.in_turn else None


def _motion(facts: Facts, rng: np.random.Generator, wanted: bool) -> dict[str, str] | None:
    if not facts.motion:
        return None
    unsure = ("still",) if facts.motion in ("appears", "disappears") else ()
    others = [motion for motion in MOTIONS if motion not in (facts.motion, *unsure)]
    said = MOTIONS[facts.motion if wanted else pick(rng, others)][1]
    return {"motion": said, "thing": refer(facts.things[0], facts.things) or "thing"}


_SEEN: dict[str, Truth] = {
    "present": _present,
    "is_photo": _photo,
    "is_hand": _hand,
    "is_shade": _shade,
    "is_xray": _xray,
    "is_colour": _colour,
    "is_word": _word,
    "is_number": _number,
    "is_group": _group,
}
_PLACED: dict[str, Truth] = {"is_at": _at, "is_side": _side, "is_size": _size, "is_count": _count}
_HEARD: dict[str, Truth] = {"is_sound": _sound, "is_digit": _digit, "is_keyword": _keyword, "is_first": _first}
TRUTHS: dict[str, dict[str, Truth]] = {
    "picture": _SEEN | _PLACED,
    "recording": _HEARD,
    "clip": {"present": _present, "is_colour": _colour, "is_motion": _motion, **_HEARD},
    "pair": _SEEN | _PLACED | _HEARD,
}
"""Medium → ways of asking for yes or no."""


def yes_or_no(facts: Facts, rng: np.random.Generator, wanted: bool) -> Draft | None:
    """A question whose answer is yes (`wanted`) or no; None where the scene allows none."""
    makers = list(TRUTHS[facts.medium].items())
    for index in rng.permutation(len(makers)):
        way, maker = makers[index]
        slots = maker(facts, rng, wanted)
        if slots is not None:
            return Draft(way=way, type="yesno", answer="yes" if wanted else "no", slots=slots)
    return None
