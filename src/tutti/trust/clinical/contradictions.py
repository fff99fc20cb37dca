"""Where sources of one case cannot all be right: sides, presence, sizes, dates, and other patients' identifiers.

A source that states both of two things contradicts nobody: left and right of it count together. What was so before
contradicts what is stated of before, and never what is so now, since findings come, go and grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

from tutti.trust.clinical.identity import IdentityKind, StatedIdentity, differ
from tutti.trust.clinical.statements import Statement, Tense

ContradictionKind = Literal["identity", "side", "presence", "size", "date"]
SourceKind = Literal["header", "image", "history", "note", "prior"]
_LEAST_MM, _LEAST_SHARE = 2.0, 0.2
"""Readers differ by less than both of a size (RECIST 1.1 calls 20 % growth)."""
_WHOM: tuple[IdentityKind, ...] = ("patient id", "name", "birth date", "accession", "sex")


class Stated(NamedTuple):
    """One source and what it states."""

    name: str
    kind: SourceKind
    statements: Sequence[Statement]
    identities: Sequence[StatedIdentity]


class StatedPlace(NamedTuple):
    """Where a source states one of two things that contradict."""

    source: str
    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two sources that cannot both be right."""

    kind: ContradictionKind
    subject: str
    first: StatedPlace
    second: StatedPlace


def contradictions(sources: Sequence[Stated]) -> list[Contradiction]:
    """All contradictions between sources, those of identity first; each pair of sources once per kind and subject."""
    found: list[Contradiction] = []
    for one, other in combinations(sources, 2):
        found += _of_identity(one, other)
        found += _of_dates(one, other)
        for tense in ("now", "before"):
            if not (tense == "before" and one.kind == other.kind == "prior"):  # of two dates, and both may be right
                found += _of_statements(one, other, tense)
        found += _across_time(one, other)
    found += _of_priors(sources)
    order: tuple[ContradictionKind, ...] = ("identity", "side", "presence", "size", "date")
    return sorted(_once(found), key=lambda each: order.index(each.kind))


def _once(found: Sequence[Contradiction]) -> Iterator[Contradiction]:
    seen = set()
    for each in found:
        key = (each.kind, each.subject, each.first.source, each.second.source)
        if key not in seen:
            seen.add(key)
            yield each


def _of_identity(one: Stated, other: Stated) -> Iterator[Contradiction]:
    for kind in _WHOM:
        if kind == "accession" and "prior" in (one.kind, other.kind):
            continue  # each examination has its own
        yield from _values_apart(one, other, kind, "identity")


def _of_dates(one: Stated, other: Stated) -> Iterator[Contradiction]:
    if "prior" not in (one.kind, other.kind):
        yield from _values_apart(one, other, "study date", "date")


def _values_apart(one: Stated, other: Stated, kind: IdentityKind, told: ContradictionKind) -> Iterator[Contradiction]:
    first = [value for value in one.identities if value.kind == kind]
    second = [value for value in other.identities if value.kind == kind]
    if first and second and all(differ(kind, a.value, b.value) for a in first for b in second):
        yield Contradiction(
            kind=told, subject=kind,
            first=StatedPlace(one.name, first[0].start, first[0].end, first[0].value),
            second=StatedPlace(other.name, second[0].start, second[0].end, second[0].value),
        )  # fmt: skip


def _of_priors(sources: Sequence[Stated]) -> Iterator[Contradiction]:
    """A comparison with an examination of a date that no prior report bears, though all of them bear one."""
    dated = [(each, value) for each in sources if each.kind == "prior" for value in each.identities
             if value.kind == "study date"]  # fmt: skip
    if not dated or len({each.name for each, _ in dated}) < sum(each.kind == "prior" for each in sources):
        return
    for each in sources:
        if each.kind == "prior":
            continue
        for value in each.identities:
            if value.kind == "prior date" and value.value not in {other.value for _, other in dated}:
                prior, other = dated[0]
                yield Contradiction(
                    kind="date", subject="prior examination",
                    first=StatedPlace(each.name, value.start, value.end, value.value),
                    second=StatedPlace(prior.name, other.start, other.end, other.value),
                )  # fmt: skip


def _of_statements(one: Stated, other: Stated, tense: Tense) -> Iterator[Contradiction]:
    first = [each for each in one.statements if each.tense == tense]
    second = [each for each in other.statements if each.tense == tense]
    for subject in dict.fromkeys(each.subject for each in first):
        ours = [each for each in first if each.subject == subject]
        theirs = [each for each in second if each.subject == subject]
        if not theirs:
            continue
        for kind, values in (("side", _sides), ("presence", _presence), ("size", _sizes)):
            yield from _apart(one, other, ours, theirs, kind, values)  # type: ignore[arg-type]


def _across_time(one: Stated, other: Stated) -> Iterator[Contradiction]:
    """A finding that is followed stays on its side: what a prior report says of it counts against what is said now."""
    if (one.kind == "prior") == (other.kind == "prior"):
        return
    prior, current = (one, other) if one.kind == "prior" else (other, one)
    then = [each for each in prior.statements if each.polarity == "present"]
    now = [each for each in current.statements if each.tense == "now" and each.polarity == "present"]
    for subject in dict.fromkeys(each.subject for each in then if each.subject in _FOLLOWED or each.is_part):
        ours = [each for each in then if each.subject == subject]
        theirs = [each for each in now if each.subject == subject]
        yield from _apart(prior, current, ours, theirs, "side", _sides)


_FOLLOWED = ("nodule", "mass", "cyst", "fracture")
_Values = Callable[[Sequence[Statement]], list[tuple[Statement, str]]]


def _apart(
    one: Stated, other: Stated, ours: Sequence[Statement], theirs: Sequence[Statement], kind: ContradictionKind,
    values: _Values,
) -> Iterator[Contradiction]:  # fmt: skip
    first, second = values(ours), values(theirs)
    if not first or not second or any(_agree(kind, a[1], b[1]) for a in first for b in second):
        return
    (a, told), (b, said) = first[0], second[0]
    yield Contradiction(
        kind=kind, subject=a.subject,
        first=StatedPlace(one.name, a.start, a.end, told), second=StatedPlace(other.name, b.start, b.end, said),
    )  # fmt: skip


def _agree(kind: ContradictionKind, one: str, other: str) -> bool:
    if kind == "size":
        first, second = float(one.removesuffix(" mm")), float(other.removesuffix(" mm"))
        apart = abs(first - second)
        return apart <= _LEAST_MM or apart <= _LEAST_SHARE * max(first, second)
    return one == other or (kind == "side" and "both" in (one, other))


def _sides(given: Sequence[Statement]) -> list[tuple[Statement, str]]:
    return [(each, each.side) for each in given if each.side and each.polarity != "absent"]


def _presence(given: Sequence[Statement]) -> list[tuple[Statement, str]]:
    if any(each.is_part or each.polarity == "uncertain" for each in given):
        return []
    present = [each for each in given if each.polarity == "present"]
    if present and len(present) < len(given):
        return []  # it says both, of two places
    return [(each, each.polarity) for each in given]


def _sizes(given: Sequence[Statement]) -> list[tuple[Statement, str]]:
    return [(each, f"{each.size_mm:g} mm") for each in given if each.size_mm is not None]
