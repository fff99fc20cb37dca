"""A draft: sections of sentences, each with its sources. A sentence without one cannot be made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

SECTIONS = ("indication", "technique", "comparison", "findings", "impression")
NOT_FOR_CLINICAL_USE = (
    "DEMONSTRATION, NOT FOR CLINICAL USE. This text was composed by software that is no medical device and whose model "
    "is weak; it diagnoses nothing and may be wrong or incomplete. It is a draft until a named person has read all "
    "sources and signed it."
)
"""Stands on every page that goes out."""
FindingState = Literal["present", "possible", "absent", "not assessable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """Where a sentence comes from."""

    kind: Literal["header", "image", "history", "note", "prior", "given"]
    name: str
    """Of the file."""
    quote: str = ""
    """Words of the source, or attributes of a header with their values."""
    start: int | None = None
    """Of the quote in a text, in characters."""
    end: int | None = None
    start_s: float | None = None
    """Of the quote in a recording."""
    end_s: float | None = None
    region: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom in pixels of the frame."""
    frame: int | None = None
    """From 0."""
    score: float | None = None
    """By how much covering the region lowers the probability."""
    pointer: str = ""
    """Of what was read in a FHIR bundle: entry and element."""

    def __str__(self) -> str:
        where = [f"{self.kind} {self.name}"]
        if self.pointer:
            where.append(self.pointer)
        elif self.start is not None:
            where.append(f"characters {self.start}-{self.end}")
        if self.start_s is not None:
            where.append(f"{self.start_s:.1f}-{self.end_s:.1f} s")
        if self.region is not None:
            where.append("pixels {}-{} × {}-{}".format(*(self.region[place] for place in (0, 2, 1, 3))))
        if self.frame is not None:
            where.append(f"frame {self.frame + 1}")
        if self.score is not None:
            where.append(f"weight {self.score:.2f}")
        return ", ".join(where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evident:
    """A sentence of a draft with its sources.

    Raises:
        ValueError: It has no words or no source.
    """

    text: str
    sources: tuple[ReportSource, ...]
    findings: tuple[str, ...] = ()
    """Ids of the findings that it states, as F1."""

    def __post_init__(self) -> None:
        if not self.text.strip() or not self.sources:
            raise ValueError(f"the sentence {self.text!r} has {len(self.sources)} sources; expected words and a source")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFinding:
    """What a draft says of one finding."""

    id: str
    name: str
    state: FindingState
    probability: float | None
    """That it is present, by the model; None where nothing was assessed."""
    calibrated: bool
    """Whether the probability was calibrated for this model's weights."""
    reason: str
    """Why it is not assessable; "" otherwise."""
    side: str
    urgency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft of a report. It has no status: only what `tutti.apps.radiology.cases` finds signed is final."""

    case: str
    made: str
    """When, in ISO 8601."""
    patient: str
    """Identifier that the sources state; "" where none does."""
    name: str
    contradictions: tuple[Evident, ...]
    sections: dict[str, tuple[Evident, ...]]
    findings: tuple[DraftFinding, ...]
    urgency: float
    """Orders the queue: 3 and more first."""
    device: dict[str, str]
    """What made it: software, versions, models, weights."""

    def evident(self) -> list[Evident]:
        """All sentences, in the order in which they are read."""
        return [*self.contradictions, *(each for name in SECTIONS for each in self.sections[name])]

    def text(self) -> str:
        """The draft as text to edit and to accept; `[F1]` marks the sentence of a finding."""
        lines = []
        if self.contradictions:
            lines += ["CONTRADICTIONS", *(f"- {each.text}" for each in self.contradictions), ""]
        for section in SECTIONS:
            lines.append(section.upper())
            for each in self.sections[section]:
                lines.append(" ".join([*(f"[{one}]" for one in each.findings), each.text]))
            lines.append("")
        return "\n".join(lines).rstrip() + "\n"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Draft:
        """What `to_dict` made, JSON in between or not."""
        return cls(
            **{
                **values,
                "contradictions": _sentences(values["contradictions"]),
                "sections": {name: _sentences(values["sections"][name]) for name in SECTIONS},
                "findings": tuple(DraftFinding(**each) for each in values["findings"]),
            }
        )


def _sentences(values: list[dict[str, Any]]) -> tuple[Evident, ...]:
    return tuple(
        Evident(text=each["text"], sources=tuple(map(_source, each["sources"])), findings=tuple(each["findings"]))
        for each in values
    )


def _source(values: dict[str, Any]) -> ReportSource:
    region = values["region"]
    return ReportSource(**{**values, "region": None if region is None else tuple(region)})
