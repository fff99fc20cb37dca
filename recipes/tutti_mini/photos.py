"""Questions on real photographs: what it is, whether it is something, which of two, which of a list, one sentence.

A photograph's label is what is known of it, with the names beside it (`kind`, `objects`). Half of the questions for yes
or no are answered by no, as often by a name that the picture is near to as by any other. Where the decoder is not
given the right name, the answer says so: "something like a kettle".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recipes.tutti_mini.pairs import article
from recipes.tutti_mini.phrasings import LEADS, PHRASINGS
from recipes.tutti_mini.questions import QA
from recipes.tutti_mini.voices import Row

UNLIKE = 0.55
"""Cosine between the points of two names up to which one is not the other."""

COMMON = (
    "dog", "cat", "car", "house", "tree", "bicycle", "bird", "chair", "table", "bus", "horse", "flower",
    "cup", "boat", "train", "airplane", "pizza", "guitar", "clock", "phone", "book", "ball", "shoe", "fish",
)  # fmt: skip
"""What people ask about most; persons are left out, for they are on many a photograph whose label is another thing."""
COMMON_ASKED = 0.25
"""How often a wrong name is one of these."""

WAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "what_animal": (
        ("What animal is this?", "Which animal do you see?", "What animal is in the {m}?", "Which animal is this?"),
        ("What kind of animal is this?",),
    ),
    "kind": (
        (
            "What sort of thing is this?",
            "What group of things does this belong to?",
            "Is there a broader name for this?",
        ),
        ("To what sort of things does this belong?",),
    ),
    "which": (
        (
            "Is this {one} or {two}?",
            "Which is it, {one} or {two}?",
            "Does the {m} show {one} or {two}?",
            "{one} or {two}?",
        ),
        ("Would you call this {one} or {two}?", "Do you see {one} or {two}?"),
    ),
    "of_these": (
        (
            "Which of these is it: {list}?",
            "Which of these do you see: {list}?",
            "Choose one: {list}.",
            "Is it one of these: {list}?",
        ),
        ("What is shown, one of {list}?", "Which one of these is in the {m}: {list}?"),
    ),
    "list": (
        (
            "List what you see.",
            "Which things are in the {m}?",
            "Name everything that you see.",
            "What things do you see?",
        ),
        ("Make a list of what is in the {m}.", "What are the things in the {m}?"),
    ),
}
"""Way of asking → (phrasings to train on, phrasings held out); those of scenes are used beside them."""
ANIMALS = ("animal", "bird", "cat", "dog", "fish", "insect", "wild cat", "reptile", "breed")


@dataclass(frozen=True, kw_only=True)
class Photo:
    """What is known of a photograph."""

    label: str
    """Its name, without an article."""
    also: tuple[str, ...] = ()
    """Other names that are right."""
    kind: str = ""
    """What sort of thing it is."""
    objects: tuple[str, ...] = ()
    """Everything known to be on it; the label alone where nothing more is known."""
    near: tuple[str, ...] = field(default=())
    """Names that it is near to, the nearest first, right ones among them."""
    known: bool = True
    """Whether the decoder is given the right name."""


def plain_label(row: Row) -> str:
    """A row's label in plain words."""
    return str(row["label"]).lower().replace("-", " ").replace("_", " ")


def ask_photo(
    photo: Photo, rng: np.random.Generator, wrong: Sequence[str], phrasing: str = "train", count: int = 4
) -> list[QA]:
    """Ask questions of different kinds on a photograph.

    Args:
        photo: What is asked about.
        rng: The source of chance.
        wrong: Names that the picture does not show, the likelier ones first.
        phrasing: "train" or "val": which phrasings are used.
        count: How many.
    """
    out = [_what(photo, rng, phrasing)]
    makers = [_yes_or_no, _yes_or_no, _yes_or_no, _which, _of_these, _caption]
    if photo.kind:
        makers.append(_kind)
    if len(set(photo.objects)) > 1:
        makers += [_list, _list]
    for index in rng.permutation(len(makers))[: count - 1]:
        maker = makers[index]
        out.append(maker(photo, rng, wrong, phrasing))
    return out


def named(photo: Photo) -> str:
    """What the thing is called in an answer."""
    if photo.known:
        return article(photo.label)
    return f"something like {article(photo.near[0])}" if photo.near else "that cannot be told from the picture."


def _what(photo: Photo, rng: np.random.Generator, phrasing: str) -> QA:
    way = (
        "what_animal" if photo.kind in ANIMALS and rng.random() < 0.3 else ("what_photo", "what")[int(rng.integers(2))]
    )
    accepted = tuple(article(name) for name in photo.also)
    return QA(_say(way, rng, phrasing), named(photo), "what_photo", accepted)


def _yes_or_no(photo: Photo, rng: np.random.Generator, wrong: Sequence[str], phrasing: str) -> QA:
    way = "is_photo" if rng.random() < 0.5 else "present"
    yes = bool(rng.random() < 0.5)
    right = (photo.label, photo.label, *photo.also[:1], *photo.objects, *((photo.kind,) if photo.kind else ()))
    name = right[int(rng.integers(len(right)))] if yes else _wrong(wrong, rng)
    return QA(_say(way, rng, phrasing, a=article(name)), "yes" if yes else "no", "yesno")


def _wrong(wrong: Sequence[str], rng: np.random.Generator) -> str:
    """Half of the time one of the likelier ones."""
    if rng.random() < COMMON_ASKED:
        common = [name for name in COMMON if name in wrong]
        if common:
            return common[int(rng.integers(len(common)))]
    few = min(6, len(wrong)) if rng.random() < 0.5 else len(wrong)
    return wrong[int(rng.integers(few))]


def _which(photo: Photo, rng: np.random.Generator, wrong: Sequence[str], phrasing: str) -> QA:
    pair = [article(photo.label), article(_wrong(wrong, rng))]
    one, two = (pair[index] for index in rng.permutation(2))
    return QA(_say("which", rng, phrasing, one=one, two=two), article(photo.label), "which")


def _of_these(photo: Photo, rng: np.random.Generator, wrong: Sequence[str], phrasing: str) -> QA:
    there = rng.random() < 0.65
    names = list(dict.fromkeys(_wrong(wrong, rng) for _ in range(int(rng.integers(2, 5)))))
    names = [*names, photo.label] if there else names
    names = [names[index] for index in rng.permutation(len(names))]
    if rng.random() < 0.5:
        names = [article(name) for name in names]
    answer = article(photo.label) if there else "none of these"
    accepted = (photo.label,) if there else ()
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return QA(_say("of_these", rng, phrasing, list=listed), answer, "of_these", accepted)


def _caption(photo: Photo, rng: np.random.Generator, _wrong: Sequence[str], phrasing: str) -> QA:
    names = list(dict.fromkeys(photo.objects)) if len(set(photo.objects)) > 1 else []
    if names:
        said = f"a photo of {' and '.join(article(name) for name in names)}."
    elif photo.known and photo.kind and photo.kind not in photo.label:
        said = f"a photo of {article(photo.label)}, a kind of {photo.kind}."
    else:
        said = f"a photo of {named(photo)}." if photo.known or photo.near else named(photo)
    return QA(_say("caption", rng, phrasing), said, "caption", (), (photo.label,))


def _kind(photo: Photo, rng: np.random.Generator, _wrong: Sequence[str], phrasing: str) -> QA:
    return QA(_say("kind", rng, phrasing), article(photo.kind), "kind")


def _list(photo: Photo, rng: np.random.Generator, _wrong: Sequence[str], phrasing: str) -> QA:
    names = list(dict.fromkeys(photo.objects))
    return QA(_say("list", rng, phrasing), " and ".join(map(article, names)), "list", (), tuple(names))


def _say(way: str, rng: np.random.Generator, phrasing: str, **slots: str) -> str:
    train, held_out = WAYS[way] if way in WAYS else PHRASINGS[way]
    options = train if phrasing == "train" else held_out
    word = ("picture", "image", "photo")[int(rng.integers(3))]
    question = options[int(rng.integers(len(options)))].format(m=word, **slots)
    question = question[0].upper() + question[1:]
    chance = rng.random()
    if chance < 0.1:
        return question.rstrip("?.")
    leads = LEADS[phrasing]
    return leads[int(rng.integers(len(leads)))] + question if chance < 0.2 else question
