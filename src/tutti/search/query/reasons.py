"""Why something was found, as values; as sentences for people only (`str`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from tutti.search.table.schema import MIDDLE, FacetKind

_SENSES: dict[FacetKind, str] = {"picture": "what is seen", "sound": "what is heard", "words": "what is read"}
_VERDICTS = {True: "says yes", False: "says no", None: "does not say"}


@dataclass(frozen=True, slots=True)
class Matched:
    """What of an item was compared."""

    kind: FacetKind
    origin: str | None
    """As the row's: where words come from, or the middle of a frame; None is all of it."""

    def __str__(self) -> str:
        if self.origin == MIDDLE:
            return f"{_SENSES[self.kind]} {MIDDLE}"
        return _SENSES[self.kind] if self.origin in (None, "text") else f"what is {self.origin}"


@dataclass(frozen=True, slots=True)
class NearInSpace:
    """It is near to the query in the shared space."""

    matched: Matched
    deviations: float
    """How much nearer than a sample of its kind, in standard deviations, colours asked for included."""
    name: Literal["near"] = "near"

    def __str__(self) -> str:
        return f"{self.matched} ({self.deviations:+.1f})"


@dataclass(frozen=True, slots=True)
class SharesWords:
    """Full text found words of the query in it."""

    matched: Matched
    name: Literal["words"] = "words"

    def __str__(self) -> str:
        return f"its words match: {self.matched}"


@dataclass(frozen=True, slots=True)
class HasColour:
    """It shows a colour that the query names."""

    colour: str
    share: float
    """Of the picture, from 0 to 1."""
    name: Literal["colour"] = "colour"

    def __str__(self) -> str:
        return f"{self.share:.0%} {self.colour}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A model was shown it and asked whether it fits."""

    model: str
    fits: bool | None
    """None where the model said neither yes nor no."""
    name: Literal["judged"] = "judged"

    def __str__(self) -> str:
        return f"{self.model} {_VERDICTS[self.fits]}"


Reason: TypeAlias = NearInSpace | SharesWords | HasColour | Judged


def as_values(reason: Reason) -> dict[str, Any]:
    """A reason as plain values, ready for JSON; `name` tells which it is."""
    return asdict(reason)
