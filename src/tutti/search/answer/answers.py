"""Answers over what was found: the evidence is shown to a model, and its answer comes with numbered sources.

A model that cites them in its answer is held to numbers that exist; for one that does not, the sources are those it
was shown. Where nothing that was found fits the question, no model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tutti.content import Answer, Citation, Message, Part, SamplingOptions, Text, Usage
from tutti.content.streams import answer_of_stream
from tutti.errors import CapacityError, InputError, TuttiError, UnsupportedTask
from tutti.interfaces import Responder, TokenCounter
from tutti.search.answer.evidence import evidence_of
from tutti.search.ingest.facets import Tools
from tutti.search.query.hits import Hit
from tutti.search.table.schema import FacetKind

RELEVANT = 0.2
"""Results with a lower fit are not relevant."""
NOTHING = "Nothing relevant was found."
_QUESTION = re.compile(
    r"^\s*(when|at what times?|where|how (?:often|many times)|in which (?:\w+)|what time)\b\s*"
    r"(does|do|did|is|are|was|were|can|could|will|has|have)?\s*",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\s+(?:first\s+|again\s+)?(appears?|come up|comes?(?: up| in| into view)?|happens?|shows? up|shown|seen|heard|"
    r"occurs?|mentioned|said|visible|be (?:seen|heard)|there|on screen|start|begin|play(?:ed|ing)?|sounds?)\s*$",
    re.IGNORECASE,
)
_WHO_SEES = re.compile(
    r"^(?:you|we|i|one|he|she|they|somebody|someone|anybody|anyone)\s+(?:first\s+|last\s+)?"
    r"(?:sees?|saw|seen|hears?|heard|shows?|showed|shown|holds? up|held up|spots?|notices?)\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class SourcedAnswer:
    """An answer with its sources."""

    answer: Answer
    sources: tuple[Hit, ...]
    """Number 1 first."""
    citations: tuple[Citation, ...]
    """One for each source, in the same order."""
    found: int
    """How many results were relevant, of which the sources are those that fitted the budget."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        numbered = [{"number": number, **hit.to_dict()} for number, hit in enumerate(self.sources, start=1)]
        cited = [asdict(citation) for citation in self.citations]
        return {**self.answer.to_dict(), "found": self.found, "sources": numbered, "citations": cited}


def thing_asked_for(question: str) -> str:
    """What a question is about, in the words that are searched: "When does the red car appear?" → "the red car"."""
    text = question.strip().rstrip("?!. ")
    asked = _QUESTION.match(text)
    if not asked:
        return text
    return _VERB.sub("", _WHO_SEES.sub("", text[asked.end() :])).strip() or text


def asks_when(question: str) -> bool:
    """Whether times are the answer."""
    return bool(
        re.match(r"\s*(when|at what times?|what time|where in the (?:video|film|recording))\b", question, re.IGNORECASE)
    )


def asks_how_often(question: str) -> bool:
    """Whether a count of moments is the answer."""
    return bool(re.match(r"\s*how (?:often|many times)\b", question, re.IGNORECASE))


def sense_asked_for(question: str) -> FacetKind | None:
    """What a moment must be: something seen or heard, where the question says so."""
    heard = re.search(r"\b(hear|hears|heard|audible)\b", question, re.IGNORECASE) is not None
    looked = re.search(r"\b(see|sees|seen|visible|shown|on screen)\b", question, re.IGNORECASE) is not None
    if heard == looked:
        return None
    return "sound" if heard else "picture"


def answer_from(
    responder: Responder,
    question: str,
    hits: Sequence[Hit],
    tools: Tools,
    budget_tokens: int | None,
    max_tokens: int = 128,
) -> SourcedAnswer:
    """Ask a model about what was found.

    Args:
        responder: Answers.
        question: In words.
        hits: Relevant results, the best first.
        tools: What decoding may use.
        budget_tokens: Most tokens of the prompt; None is as many as the model reads.
        max_tokens: Most tokens of the answer.

    Raises:
        CapacityError: Not even one result fits the budget.
    """
    if not hits:
        nothing = Answer(text=NOTHING, model=responder.name, finish_reason="stop", usage=Usage(), seconds=0.0)
        return SourcedAnswer(answer=nothing, sources=(), citations=(), found=0)
    shown: list[tuple[Hit, list[Part]]] = []
    for hit in hits:
        try:
            shown.append((hit, evidence_of(hit, tools)))
        except TuttiError:
            continue  # its file has gone since
    while shown:
        parts = [
            *(part for _, evidence in shown for part in evidence),
            Text(_prompt(question, [hit for hit, _ in shown])),
        ]
        try:
            answer = _asked(responder, parts, budget_tokens, max_tokens)
        except (CapacityError, UnsupportedTask):
            if len(shown) == 1:
                raise
            shown.pop()
            continue
        return _sourced(answer, [hit for hit, _ in shown], len(hits))
    raise InputError("None of the files that were found can be read any more; bring the database up to date first.")


def _asked(responder: Responder, parts: list[Part], budget_tokens: int | None, max_tokens: int) -> Answer:
    conversation = [Message.user(*parts)]
    if budget_tokens is not None:
        taken = responder.count_tokens(conversation) if isinstance(responder, TokenCounter) else estimated(parts)
        if taken > budget_tokens:
            raise CapacityError(
                f"A result and the question take {taken:,} tokens, over --budget-tokens {budget_tokens:,}; raise it."
            )
    return answer_of_stream(responder.stream(conversation, SamplingOptions(max_tokens=max_tokens)), responder.name)


def estimated(parts: Sequence[Part]) -> int:
    """Tokens that parts take about, where the model does not tell: 800 a picture, 25 a second of sound."""
    total = 0
    for part in parts:
        if isinstance(part, Text):
            total += len(part.text.split()) * 3 // 2
        elif part.modality == "audio":
            total += 25 * 5
        else:
            total += 800
    return total


def _prompt(question: str, hits: Sequence[Hit]) -> str:
    """The question, after a list of the sources; a single source needs no list."""
    if len(hits) == 1:
        return question
    listed = " ".join(f"[{number}] {name_of(hit)}" for number, hit in enumerate(hits, start=1))
    return f"Sources: {listed}. Answer from them and cite their numbers. {question}"


def _sourced(answer: Answer, hits: Sequence[Hit], found: int) -> SourcedAnswer:
    """The answer with its sources; a number in it that is no source's is taken out."""
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", answer.text)}
    text = re.sub(r"\s*\[(\d+)\]", lambda match: match[0] if 1 <= int(match[1]) <= len(hits) else "", answer.text)
    citations = tuple(
        Citation(number=number, name=name_of(hit), source=hit.id, cited=number in cited)
        for number, hit in enumerate(hits, start=1)
    )
    return SourcedAnswer(answer=replace(answer, text=text), sources=tuple(hits), citations=citations, found=found)


def name_of(hit: Hit) -> str:
    """A result in words: its file, and when or where in it."""
    place = (hit.path or hit.item).rsplit("/", 1)[-1]
    return f"{place} {span(hit)}".rstrip()


def span(hit: Hit) -> str:
    """When or where, as in 0:12:05–0:12:09 or page 3; empty of what is all of its item."""
    if hit.page is not None:
        return f"page {hit.page}"
    if hit.start_s is None:
        return ""
    return f"{clock(hit.start_s)}–{clock(hit.end_s if hit.end_s is not None else hit.start_s)}"


def clock(seconds: float) -> str:
    """Seconds as hours:minutes:seconds."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
