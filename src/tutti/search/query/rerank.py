"""Reranking: a model that answers is shown each result and asked whether it fits the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tutti.content import Message, Part, SamplingOptions, Text
from tutti.content.streams import answer_of_stream
from tutti.errors import TuttiError
from tutti.interfaces import Responder
from tutti.search.query.hits import Hit
from tutti.search.query.reasons import Judged


def rerank(responder: Responder, text: str, hits: Sequence[Hit], show: Callable[[Hit], list[Part]]) -> list[Hit]:
    """Results by a model's answer, yes first, then undecided, then no; in the given order within each.

    A result that cannot be shown, or about which the model fails, is undecided.

    Args:
        responder: Says yes or no.
        text: The query.
        hits: The best first.
        show: Makes the parts that show a result.
    """
    verdicts = [_verdict(responder, text, hit, show) for hit in hits]
    looked = [
        replace(hit, why=(*hit.why, Judged(responder.name, verdict)))
        for hit, verdict in zip(hits, verdicts, strict=True)
    ]
    return [
        hit
        for wanted in (True, None, False)
        for hit, verdict in zip(looked, verdicts, strict=True)
        if verdict is wanted
    ]


def _verdict(responder: Responder, text: str, hit: Hit, show: Callable[[Hit], list[Part]]) -> bool | None:
    try:
        said = answer_of(responder, [*show(hit), Text(f'Does this fit "{text}"? Answer yes or no.')], max_tokens=4)
    except TuttiError:
        return None
    first = said.strip().lower()
    return True if first.startswith("yes") else False if first.startswith("no") else None


def answer_of(responder: Responder, parts: Sequence[Part], max_tokens: int) -> str:
    """What a model answers about some parts.

    Raises:
        ProviderError: It ended without an answer.
    """
    events = responder.stream([Message.user(*parts)], SamplingOptions(max_tokens=max_tokens))
    return answer_of_stream(events, responder.name).text
