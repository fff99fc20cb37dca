"""What an answer shows beside its words: what it took, what was checked, and where in the media that was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath

from tutti.content import Answer, Claim, Evidence, Media, Message
from tutti.search.answer.answers import clock

_SIGNS = {
    "supported": "✓ supported",
    "contradicted": "✗ contradicted",
    "unreadable": "? unreadable",
    "not_checkable": "– not checkable",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a picture."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the upright picture."""
    label: str


def figures(answer: Answer) -> str:
    """Model, tokens, seconds and cost of an answer, in one line."""
    usage = answer.usage
    media = f", {usage.media_tokens:,} of media" if usage.media_tokens else ""
    cost = f"${answer.cost_usd:.4f}" if answer.cost_usd else "no cost per answer"
    return (
        f"{answer.model} · {usage.prompt_tokens:,} tokens in{media} · {usage.completion_tokens:,} out · "
        f"{answer.seconds:.1f} s · {cost}"
    )


def media_of(conversation: Sequence[Message]) -> list[Media]:
    """All media of a conversation, in the order by which evidence counts them."""
    return [part for message in conversation for part in message.parts if isinstance(part, Media)]


def marks_in(answer: Answer, medium: int) -> list[Mark]:
    """The places in one medium at which evidence lies, each once.

    Args:
        answer: A verified one.
        medium: Its place among those of the conversation, from 0.
    """
    marks: dict[Mark, None] = {}
    for claim, found in _found(answer):
        if found.medium == medium and found.box is not None:
            left, top, right, bottom = (round(side) for side in found.box)
            if right > left and bottom > top:
                marks[Mark((left, top, right, bottom), found.text or claim.text)] = None
    return list(marks)


@dataclass(frozen=True, slots=True)
class Moment:
    """A span of time in a recording or a film."""

    start_s: float
    end_s: float
    label: str


def moments_in(answer: Answer, medium: int) -> list[Moment]:
    """The spans of one recording or film in which evidence lies, in order of time, each once.

    Args:
        answer: A verified one, or one that quotes.
        medium: Its place among those of the conversation, from 0.
    """
    found = {
        Moment(one.start_s, one.start_s if one.end_s is None else one.end_s, one.text or claim.text)
        for claim, one in _found(answer)
        if one.medium == medium and one.start_s is not None
    }
    return sorted(found, key=lambda one: (one.start_s, one.end_s, one.label))


def marked_medium(answer: Answer, count: int) -> int | None:
    """The last medium with a place in it; None where there is none.

    Args:
        answer: A verified one.
        count: How many media there are.
    """
    places = [found.medium for _, found in _found(answer) if found.box is not None and 0 <= found.medium < count]
    return max(places, default=None)


def verdicts(answer: Answer) -> list[str]:
    """A line for each claim: the verdict, the claim, what it rests on and when that is."""
    return [_line(claim) for claim in answer.evidence]


def without_folders(lines: Sequence[str], media: Sequence[Media]) -> tuple[str, ...]:
    """Lines in which media go by the names of their files: where those lie is the server's affair."""
    names = [medium.name for medium in media if isinstance(medium.source, (str, PathLike))]
    told = []
    for line in lines:
        for name in names:
            line = line.replace(name, PurePath(name).name)  # noqa: PLW2901 several may be in one
        told.append(line)
    return tuple(told)


def when(found: Evidence) -> str:
    """The time of evidence in a recording, as in 0:00:12–0:00:15; empty where it has none."""
    if found.start_s is None:
        return ""
    return f"{clock(found.start_s)}–{clock(found.end_s if found.end_s is not None else found.start_s)}"


def _line(claim: Claim) -> str:
    sign = f"{_SIGNS[claim.verdict]}: " if claim.verdict is not None else ""
    told = [f"there is: {claim.contradicted_by}"] if claim.contradicted_by else []
    if claim.evidence:
        told.append(claim.evidence)
    if claim.verdict is not None:  # of a quotation the evidence tells when
        told += [f"{when(one)} {one.source}: {one.text}" for one in claim.found if one.start_s is not None]
    return f"{sign}{claim.text}" + (f" ({'; '.join(told)})" if told else "")


def _found(answer: Answer) -> Iterator[tuple[Claim, Evidence]]:
    return ((claim, found) for claim in answer.evidence for found in claim.found)
