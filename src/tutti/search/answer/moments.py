"""Moments in a long medium: what was found, joined where it touches, and answers that are times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutti.content import Answer, Citation, Usage
from tutti.search.answer.answers import NOTHING, SourcedAnswer, name_of, span
from tutti.search.query.hits import Hit

_TOUCHING_S = 1.0
_AS_WELL = 0.85
"""A hit joins a moment only if its fit is at least this share of the moment's."""
_SURE = 2 / 3
"""Moments whose fit is below this share of the best one's are listed as less certain."""


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """Hits of one kind in one item that touch, and fit about as well, as one moment each; ranked by the best of it.

    A hit that overlaps a moment and fits worse is a duplicate, and is dropped.

    Args:
        hits: The best first.
    """
    moments: list[Hit] = []
    for hit in hits:
        gaps_s = [_gap_s(moment, hit) for moment in moments]
        near = [place for place, gap_s in enumerate(gaps_s) if gap_s <= _TOUCHING_S]
        alike = [place for place in near if (hit.fit or 0.0) >= _AS_WELL * (moments[place].fit or 0.0)]
        if alike:
            best = moments[alike[0]]
            moments[alike[0]] = replace(
                best,
                start_s=min(best.start_s or 0.0, hit.start_s or 0.0),
                end_s=max(best.end_s or 0.0, hit.end_s or 0.0),
                fit=max(best.fit, hit.fit) if best.fit is not None and hit.fit is not None else best.fit,
            )
        elif all(gaps_s[place] >= 0 for place in near):
            moments.append(hit)
    return moments


def _gap_s(one: Hit, other: Hit) -> float:
    """Seconds from the end of one to the start of the other, below 0 where they overlap; infinite without times."""
    if one.item != other.item or one.kind != other.kind:
        return float("inf")
    if one.start_s is None or one.end_s is None or other.start_s is None or other.end_s is None:
        return float("inf")
    return max(one.start_s, other.start_s) - min(one.end_s, other.end_s)


def times_answer(thing: str, moments: Sequence[Hit], model: str, seconds: float, *, count: bool) -> SourcedAnswer:
    """The answer to "when": the times of the moments, in order of time. No model writes it, so no tokens are taken.

    Those that fit clearly worse than the best come after the others and are not counted.

    Args:
        thing: What was looked for.
        moments: Relevant ones, the best first.
        model: Whose vectors found them.
        seconds: What it took.
        count: Whether the question was how often.
    """
    timed = sorted((hit for hit in moments if hit.start_s is not None), key=lambda hit: (hit.item, hit.start_s or 0.0))
    best = max((hit.fit or 0.0 for hit in timed), default=0.0)
    sure = [hit for hit in timed if (hit.fit or 0.0) >= _SURE * best]
    unsure = [hit for hit in timed if hit not in sure]
    ordered = sure + unsure
    times = [f"{span(hit)} [{number}]" for number, hit in enumerate(ordered, start=1)]
    if not ordered:
        text = f"{NOTHING[:-1]} for: {thing}."
    else:
        counted = f"{'once' if len(sure) == 1 else f'{len(sure)} times'}, " if count else ""
        text = f"{thing}: {counted}at {', '.join(times[: len(sure)])}."
    if unsure:
        text += f" Less surely at {', '.join(times[len(sure) :])}."
    citations = tuple(
        Citation(number=number, name=name_of(hit), source=hit.id, cited=True, sure=hit in sure)
        for number, hit in enumerate(ordered, start=1)
    )
    answer = Answer(text=text, model=model, finish_reason="stop", usage=Usage(), seconds=seconds)
    return SourcedAnswer(answer=answer, sources=tuple(ordered), citations=citations, found=len(ordered))
