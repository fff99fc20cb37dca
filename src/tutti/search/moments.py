"""Moments in a long medium: what was found, joined where it touches, and answers that are times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutti.content import Answer, Claim, Usage
from tutti.search.answers import NOTHING, SourcedAnswer, name_of, span
from tutti.search.query import Hit

_TOUCHING_S = 1.0
_AS_WELL = 0.5
"""What fits less than so much as well as the best of a moment is no part of it."""


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """Hits of one kind in one item that touch, and fit about as well, as one moment each; ranked by the best of it."""
    moments: list[Hit] = []
    for hit in hits:
        near = next((place for place, moment in enumerate(moments) if _touches(moment, hit)), None)
        if near is None:
            moments.append(hit)
            continue
        best = moments[near]
        moments[near] = replace(
            best,
            start_s=min(best.start_s or 0.0, hit.start_s or 0.0),
            end_s=max(best.end_s or 0.0, hit.end_s or 0.0),
            fit=max(best.fit, hit.fit) if best.fit is not None and hit.fit is not None else best.fit,
        )
    return moments


def _touches(one: Hit, other: Hit) -> bool:
    if one.item != other.item or one.kind != other.kind or None in (one.start_s, one.end_s, other.start_s, other.end_s):
        return False
    if (other.fit or 0.0) < _AS_WELL * (one.fit or 0.0):
        return False
    return (
        one.start_s <= other.end_s + _TOUCHING_S  # type: ignore[operator]
        and other.start_s <= one.end_s + _TOUCHING_S  # type: ignore[operator]
    )


def times_answer(thing: str, moments: Sequence[Hit], model: str, seconds: float, *, count: bool) -> SourcedAnswer:
    """The answer to "when": the times of the moments, in order of time. No model writes it, so no tokens are taken.

    Args:
        thing: What was looked for.
        moments: Relevant ones, the best first.
        model: Whose vectors found them.
        seconds: What it took.
        count: Whether the question was how often.
    """
    moments = [moment for moment in moments if moment.start_s is not None]
    if not moments:
        text, ordered = f"{NOTHING[:-1]} for: {thing}.", []
    else:
        ordered = sorted(moments, key=lambda hit: (hit.item, hit.start_s or 0.0))
        times = ", ".join(f"{span(hit)} [{number}]" for number, hit in enumerate(ordered, start=1))
        text = f"{thing}: {f'{len(ordered)} times, ' if count else ''}at {times}."
    claims = tuple(
        Claim(text=f"[{number}] {name_of(hit)}", supported=True, evidence=hit.id)
        for number, hit in enumerate(ordered, start=1)
    )
    answer = Answer(text=text, model=model, finish_reason="stop", usage=Usage(), seconds=seconds, evidence=claims)
    return SourcedAnswer(answer=answer, sources=tuple(ordered), found=len(ordered))
