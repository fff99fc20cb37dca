"""What can be learned from feedback: pairs of a chosen and a rejected answer, corrections, and single verdicts.

Pairs that contradict one another (one person prefers A to B, another B to A) teach nothing; they are listed, and left
out unless a majority decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tutti.content import Answer, Media, Message, Usage
from tutti.content.feedback import Feedback
from tutti.evaluate.agreement import JudgeAgreement, agreement
from tutti.interfaces import Verifier

MediaOf: TypeAlias = Callable[[Feedback], Sequence[Media] | None]
"""Opens the media of a feedback; None where one of them is not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferredPair:
    """That one answer is better than another."""

    source: Feedback
    """Whose question and media the pair is about."""
    chosen: str
    rejected: str
    votes: int = 1
    against: int = 0
    """Votes for the reverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What feedback comes to."""

    pairs: tuple[PreferredPair, ...]
    contradicting: tuple[PreferredPair, ...]
    """Each pair of answers once, as the majority has it, or as the first said where they are even."""
    corrections: tuple[Feedback, ...]
    verdicts: tuple[tuple[Feedback, bool], ...]
    """Answers with thumbs up or down; those that people disagree on are left out."""
    disputed: int
    """Answers that people disagree on."""
    withheld: int
    """Feedback that nobody may learn from."""


def lessons(kept: Sequence[Feedback], *, majority: bool = False) -> Lessons:
    """Make lessons of feedback whose givers agreed to training.

    Args:
        kept: All of a tenant's.
        majority: Keep of contradicting pairs, and of disputed answers, what more people say.
    """
    allowed = [one for one in kept if one.consent == "training"]
    pairs, contradicting = _settled(_votes(allowed), majority)
    verdicts, disputed = _thumbs(allowed, majority)
    return Lessons(
        pairs=tuple(pairs),
        contradicting=tuple(contradicting),
        corrections=tuple({(one.asked, one.other): one for one in allowed if one.verdict == "corrected"}.values()),
        verdicts=tuple(verdicts),
        disputed=disputed,
        withheld=len(kept) - len(allowed),
    )


_Side: TypeAlias = tuple[Hashable, str, str]


def _votes(allowed: Iterable[Feedback]) -> dict[_Side, dict[str, Feedback]]:
    """(question, chosen, rejected) → who says so → on which occasion; a person has one vote a pair, the last one."""
    votes: dict[_Side, dict[str, Feedback]] = defaultdict(dict)
    thumbs: dict[Hashable, dict[bool, dict[str, Feedback]]] = defaultdict(lambda: {True: {}, False: {}})

    def vote(one: Feedback, chosen: str, rejected: str, who: str) -> None:
        votes.get((one.asked, rejected, chosen), {}).pop(who, None)
        votes[one.asked, chosen, rejected][who] = one

    for one in allowed:
        who = one.who or one.id
        if one.verdict == "chosen":
            vote(one, one.answer, one.other, who)
        elif one.verdict == "corrected":
            vote(one, one.other, one.answer, who)
        elif one.verdict in ("good", "bad"):
            thumbs[one.asked][one.verdict == "good"][one.answer] = one
    for sides in thumbs.values():
        for good, up in sides[True].items():
            for bad, down in sides[False].items():
                if good != bad and good not in sides[False] and bad not in sides[True]:
                    vote(up, good, bad, f"{up.who or up.id} and {down.who or down.id}")
    return votes


def _settled(
    votes: dict[_Side, dict[str, Feedback]], majority: bool
) -> tuple[list[PreferredPair], list[PreferredPair]]:
    pairs: list[PreferredPair] = []
    contradicting: list[PreferredPair] = []
    seen: set[_Side] = set()
    for (asked, chosen, rejected), people in votes.items():
        if not people or (asked, chosen, rejected) in seen:
            continue
        reverse = votes.get((asked, rejected, chosen), {})
        seen.add((asked, rejected, chosen))
        ahead = len(people) >= len(reverse)
        pair = PreferredPair(
            source=next(iter((people if ahead else reverse).values())),
            chosen=chosen if ahead else rejected,
            rejected=rejected if ahead else chosen,
            votes=max(len(people), len(reverse)),
            against=min(len(people), len(reverse)),
        )
        if pair.against:
            contradicting.append(pair)
        if not pair.against or (majority and pair.votes > pair.against):
            pairs.append(pair)
    return pairs, contradicting


def _thumbs(allowed: Iterable[Feedback], majority: bool) -> tuple[list[tuple[Feedback, bool]], int]:
    judged: dict[Hashable, dict[str, Feedback]] = defaultdict(dict)
    for one in allowed:
        if one.verdict in ("good", "bad", "corrected"):
            judged[one.asked, one.answer][one.who or one.id] = one
    found, disputed = [], 0
    for people in judged.values():
        up = sum(one.verdict == "good" for one in people.values())
        down = len(people) - up
        disputed += bool(up and down)
        if not (up and down) or (majority and up != down):
            found.append((next(iter(people.values())), up > down))
    return found, disputed


def agreements(kept: Iterable[Feedback]) -> dict[str, JudgeAgreement]:
    """How well people agree: in thumbs (a correction is a thumb down), and in choices between the same two answers."""
    thumbs: dict[Hashable, dict[str, Hashable]] = defaultdict(dict)
    choices: dict[Hashable, dict[str, Hashable]] = defaultdict(dict)
    for one in kept:
        who = one.who or one.id
        if one.verdict == "chosen":
            first = min(one.answer, one.other)
            choices[one.asked, first, max(one.answer, one.other)][who] = one.answer == first
        elif one.verdict != "unjudged":
            thumbs[one.asked, one.answer][who] = one.verdict == "good"
    return {"thumbs": agreement(thumbs), "choices": agreement(choices)}


def verified_pairs(kept: Iterable[Feedback], media_of: MediaOf, verifier: Verifier) -> list[PreferredPair]:
    """Pairs without a person: of two answers to one question, the one that specialists contradict is the rejected one.

    The chosen one has a claim that they support and none that they contradict, so that silence is not what is learned.

    Args:
        kept: Feedback of any verdict; only what its giver lets be learned from counts.
        media_of: Opens the media of one.
        verifier: Checks claims against media, by others than the model that made the answers.
    """
    answers: dict[Hashable, dict[str, Feedback]] = defaultdict(dict)
    for one in kept:
        if one.consent == "training" and one.media:
            for text in filter(None, (one.answer, one.other)):
                answers[one.asked].setdefault(text, one)
    pairs = []
    for given in answers.values():
        media = media_of(next(iter(given.values()))) if len(given) > 1 else None
        if media is None:
            continue
        held = {text: _standing(text, one, media, verifier) for text, one in given.items()}
        pairs += [
            PreferredPair(source=given[chosen], chosen=chosen, rejected=rejected)
            for chosen, up in held.items()
            for rejected, down in held.items()
            if up == "supported" and down == "contradicted"
        ]
    return pairs


def _standing(text: str, one: Feedback, media: Sequence[Media], verifier: Verifier) -> str:
    """Of an answer as a whole: contradicted where a claim is, else supported where one is, else open."""
    said = Answer(text=text, model=one.model or "unknown", finish_reason="stop", usage=Usage(), seconds=0.0)
    checked = verifier.verify([Message.user(*media, one.question)], said)
    verdicts = {claim.verdict for claim in checked.evidence}
    return next((word for word in ("contradicted", "supported") if word in verdicts), "open")
