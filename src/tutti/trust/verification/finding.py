"""What a specialist says of one claim in one medium, and how the words of several become one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutti.content import Claim, ClaimVerdict, Evidence
from tutti.evaluate.claims import Assertion

_ORDER: tuple[ClaimVerdict, ...] = ("supported", "unreadable", "contradicted", "not_checkable")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one specialist says of a claim in one medium."""

    verdict: ClaimVerdict
    reason: str
    """In words, for the claim's evidence."""
    instead: str = ""
    """By what it is contradicted."""
    found: tuple[Evidence, ...] = ()


def joined(assertion: Assertion, opinions: Sequence[Opinion]) -> Claim:
    """One claim from opinions on several media.

    One that supports it is enough. It is contradicted where none supports it and nothing is unreadable.
    """
    known = sorted(opinions, key=lambda one: _ORDER.index(one.verdict))
    best = known[0] if known else Opinion("not_checkable", "no medium and no specialist that could decide it")
    return Claim(
        text=f"{assertion.kind}: {assertion.text}",
        evidence=best.reason,
        kind=assertion.kind,
        verdict=best.verdict,
        span=assertion.span,
        contradicted_by=best.instead,
        found=best.found,
    )
