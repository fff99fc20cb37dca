"""Questions on scenes, with their answers; and whether an answer is right.

Every question has one right answer that follows from the scene's facts. Of yes/no questions the answer is drawn first,
then a question that has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from recipes.tutti_mini import open_questions, yes_no_questions
from recipes.tutti_mini.objects import PLURAL
from recipes.tutti_mini.phrasings import LEADS, PHRASINGS
from recipes.tutti_mini.scenes import Facts, Scene
from recipes.tutti_mini.wording import Draft

TYPES = (
    "what", "what_photo", "colour", "count", "where", "relation", "read", "sound", "digit", "keyword", "order",
    "motion", "fit", "both", "yesno", "caption", "cannot",
)  # fmt: skip
"""Kinds of question, by which results are reported."""


@dataclass(frozen=True)
class QA:
    """A question and its answer."""

    question: str
    answer: str
    type: str
    accepted: tuple[str, ...] = ()
    """Other answers that are right."""
    must: tuple[str, ...] = field(default=())
    """Where this is not empty, an answer is right if it holds all of these (captions and two-part answers)."""


def ask(scene: Scene, rng: np.random.Generator, phrasing: str = "train", count: int = 6) -> list[QA]:
    """Ask questions of different types on a scene.

    Args:
        scene: What is asked about.
        rng: The source of chance.
        phrasing: "train" or "val": which phrasings are used.
        count: How many at most; a scene that allows fewer types gets more than one yes/no question.
    """
    facts = scene.facts
    makers = open_questions.for_medium(facts.medium)
    urgency = rng.random(len(makers)) / [open_questions.SHARES.get(maker, 1.0) for maker in makers]
    drafts = [draft for index in np.argsort(urgency) if (draft := makers[index](facts, rng))]
    drafts = drafts[: count - 2]
    if rng.random() < 0.4:
        drafts = [*drafts[: count - 3], open_questions.cannot(facts, rng, phrasing)]
    while len(drafts) < count and (draft := _new_truth(facts, rng, drafts)):
        drafts.append(draft)
    return [_phrase(facts, draft, rng, phrasing) for draft in drafts]


def _new_truth(facts: Facts, rng: np.random.Generator, drafts: list[Draft]) -> Draft | None:
    """A yes/no question not asked yet, if one can be found; never at the price of another answer than was drawn."""
    wanted = bool(rng.random() < 0.5)
    draft = None
    for _ in range(6):
        draft = yes_no_questions.yes_or_no(facts, rng, wanted)
        if draft not in drafts:
            break
    return draft


def _phrase(facts: Facts, draft: Draft, rng: np.random.Generator, phrasing: str) -> QA:
    if draft.way == "cannot":
        question = draft.slots["question"]
    else:
        train, held_out = PHRASINGS[draft.way]
        options = train if phrasing == "train" else held_out
        question = options[int(rng.integers(len(options)))].format(
            m=open_questions.medium_word(facts, rng), **draft.slots
        )
        for name in draft.slots.values():
            if name in PLURAL:
                question = _agreeing(question, name)
    chance = rng.random()
    if chance < 0.1:
        question = question.rstrip("?.")
    elif chance < 0.2:
        leads = LEADS[phrasing]
        question = leads[int(rng.integers(len(leads)))] + question
    return QA(question, draft.answer, draft.type, draft.accepted, draft.must)


_MANY = {"is": "are", "does": "do", "has": "have", "lies": "lie", "holds": "hold"}


def _agreeing(question: str, name: str) -> str:
    """The question with its verb in the plural where the name beside it is: "Are the grapes …"."""

    def many(match: re.Match[str]) -> str:
        verb = _MANY[match["verb"].lower()]
        return match[0].replace(match["verb"], verb.capitalize() if match["verb"][0].isupper() else verb)

    before = re.sub(rf"\b(?P<verb>is|does|has)(?= (the |there )?{name}\b)", many, question, flags=re.IGNORECASE)
    return re.sub(rf"(?<=the {name} )(?P<verb>is|does|has|lies)\b", many, before)


def score(answer_text: str, qa: QA) -> bool:
    """Whether an answer is right: equal to one that is accepted after case, punctuation and articles are dropped."""
    said = plain(answer_text)
    if qa.must:
        return all(f" {plain(part)} " in f" {said} " for part in qa.must)
    return said in {plain(text) for text in (qa.answer, *qa.accepted)}


_OPENINGS = re.compile(r"^(it is|this is|there is|there are|i see|i hear|you hear|the answer is|its|it s) ")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def plain(text: str) -> str:
    """Small letters without punctuation, articles and openings such as "it is"."""
    words = re.sub(r"[^a-z0-9 ]+", " ", text.lower().replace("'", "")).strip()
    words = " ".join(_ARTICLES.sub(" ", words).split())
    return _OPENINGS.sub("", words)
