"""Sentences of an answer: which one a claim stands in, which are removed when only what holds may stay, and marks."""

from __future__ import annotations

import re
from dataclasses import replace

from tutti.content import Answer, Claim

_END = re.compile(r"(?<=[.!?;])(?:\s+|$)|\n+")
MARKS = {"supported": "✓", "contradicted": "✗", "unreadable": "?", "not_checkable": "–"}
"""One sign per verdict."""
WORDS = {
    "supported": "supported",
    "contradicted": "contradicted",
    "unreadable": "unreadable",
    "not_checkable": "not checkable",
}


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, the space behind it included; the stop of "3.50" and of "e.g." ends none."""
    spans, start = [], 0
    for found in _END.finditer(text):
        if found.end() > start and not text[start : found.start()].endswith(("e.g.", "i.e.", "No.", "Mr.", "Dr.")):
            spans.append((start, found.end()))
            start = found.end()
    return [*spans, (start, len(text))] if start < len(text) else spans


def sentence_at(text: str, span: tuple[int, int]) -> str:
    """The sentence that a claim stands in."""
    return next((text[start:end] for start, end in sentence_spans(text) if start <= span[0] < end), text)


def strict(answer: Answer) -> Answer:
    """The answer without sentences of which a claim is contradicted or unreadable; its notes say what was removed."""
    kept, notes, places = [], [], list[tuple[int, int, int]]()
    length = 0
    for start, end in sentence_spans(answer.text):
        wrong = [claim for claim in answer.evidence if _lies_in(claim, start, end) and _falls(claim)]
        if wrong:
            reasons = "; ".join(_reason(claim) for claim in wrong)
            notes.append(f"Removed: {answer.text[start:end].strip()!r} ({reasons})")
            continue
        kept.append(answer.text[start:end])
        places.append((start, end, length - start))
        length += end - start
    text = "".join(kept).strip()
    if notes and not text:
        unreadable = all(claim.verdict == "unreadable" for claim in answer.evidence if _falls(claim))
        text = "This cannot be read in what was given." if unreadable else "Nothing of the answer is supported."
        places = []
    claims = tuple(moved for claim in answer.evidence if (moved := _moved(claim, places)) is not None)
    return replace(answer, text=text, evidence=claims if notes else answer.evidence, notes=(*answer.notes, *notes))


def marked(answer: Answer) -> str:
    """The answer with a sign behind each claim, and a line per claim below."""
    text, shown = answer.text, sorted((claim for claim in answer.evidence if claim.verdict), key=_end)
    for claim in reversed(shown):
        text = f"{text[: _end(claim)]}[{sign_of(claim)}]{text[_end(claim) :]}"
    return "\n".join([text, "", *map(line_of, shown)] if shown else [text])


def line_of(claim: Claim) -> str:
    """A claim, its verdict and the reason on one line."""
    instead = f"; instead: {claim.contradicted_by}" if claim.contradicted_by not in ("", claim.evidence) else ""
    return f"{sign_of(claim)} {word_of(claim):<13} {claim.text}: {claim.evidence}{instead}"


def sign_of(claim: Claim) -> str:
    """The sign of a claim's verdict."""
    return MARKS[claim.verdict or "not_checkable"]


def word_of(claim: Claim) -> str:
    """A claim's verdict in words."""
    return WORDS[claim.verdict or "not_checkable"]


def _end(claim: Claim) -> int:
    return claim.span[1] if claim.span is not None else 0


def _lies_in(claim: Claim, start: int, end: int) -> bool:
    return claim.span is not None and start <= claim.span[0] < end


def _falls(claim: Claim) -> bool:
    return claim.verdict in ("contradicted", "unreadable")


def _reason(claim: Claim) -> str:
    return f"{claim.text} is {word_of(claim)}: {claim.contradicted_by or claim.evidence}"


def _moved(claim: Claim, places: list[tuple[int, int, int]]) -> Claim | None:
    if claim.span is None:
        return claim
    for start, end, by in places:
        if start <= claim.span[0] < end:
            return replace(claim, span=(claim.span[0] + by, claim.span[1] + by))
    return None
