"""A second look at what was found: a model that answers is shown each result and asked whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutti.content import Finished, Message, Part, SamplingOptions, Text
from tutti.errors import TuttiError
from tutti.interfaces import Responder
from tutti.search.evidence import evidence_of
from tutti.search.facets import Tools
from tutti.search.query import Hit


def rerank(responder: Responder, text: str, hits: Sequence[Hit], tools: Tools) -> list[Hit]:
    """Put results first that a model says fit, in the order they had. What it cannot be shown stays undecided.

    Args:
        responder: Says yes or no.
        text: The query.
        hits: The best first.
        tools: What decoding may use.
    """
    said = {True: "says yes", False: "says no", None: "does not say"}
    verdicts = [_verdict(responder, text, hit, tools) for hit in hits]
    looked = [
        replace(hit, why=(*hit.why, f"{responder.name} {said[verdict]}"))
        for hit, verdict in zip(hits, verdicts, strict=True)
    ]
    return [
        hit
        for wanted in (True, None, False)
        for hit, verdict in zip(looked, verdicts, strict=True)
        if verdict is wanted
    ]


def _verdict(responder: Responder, text: str, hit: Hit, tools: Tools) -> bool | None:
    try:
        shown = evidence_of(hit, tools)
        said = answer_of(responder, [*shown, Text(f'Does this fit "{text}"? Answer yes or no.')], max_tokens=4)
    except TuttiError:
        return None
    first = said.strip().lower()
    return True if first.startswith("yes") else False if first.startswith("no") else None


def answer_of(responder: Responder, parts: Sequence[Part], max_tokens: int) -> str:
    """What a model says to some parts."""
    for event in responder.stream([Message.user(*parts)], SamplingOptions(max_tokens=max_tokens)):
        if isinstance(event, Finished):
            return event.answer.text
    return ""
