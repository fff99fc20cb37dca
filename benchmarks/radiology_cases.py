"""Synthetic cases: a history, a dictated note, a prior report and an image's header that agree, or not where planted.

Phrases, confounders and rules have one author, so what is reached here is an upper bound for texts of others.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

SIDES = ("left", "right")
SIZED = ("nodule", "mass", "cyst")
UNSIZED = ("pneumothorax", "pleural effusion", "fracture", "consolidation", "atelectasis")
OTHERS = ("cardiomegaly", "lymphadenopathy", "free air", "abscess")
PART_OF = {"fracture": ("wrist", "hip", "ankle")}
NAMES = ("Anna Lee", "Omar Haddad", "Mary Ann O'Brien", "Jon Berg", "Lucia Rossi", "Wei Chen")
KINDS = ("side", "presence", "size", "date", "patient id", "name", "birth date", "prior date", "part side")

SAYS = {
    "present": (
        "There is a {size}{finding} on the {side}.",
        "A {size}{side} {finding} is seen.",
        "{Side} {finding}{measuring}.",
        "I see a {side}-sided {finding}{measuring}, no other abnormality.",
        "The {finding} on the {side} {measures}.",
    ),
    "history": (
        "Referred with a known {side} {finding}{measuring}.",
        "Outside reading describes a {size}{finding} on the {side}.",
        "The patient has a {side} {finding}{measuring}.",
    ),
    "prior": (
        "IMPRESSION: {Side} {finding}{measuring}.",
        "There is a {size}{side} {finding}.",
        "Conclusion: {size}{finding} on the {side}.",
    ),
    "absent": (
        "No {other}.",
        "There is no evidence of {other}.",
        "{Other} is not seen.",
        "Without {other}, the remaining structures are unremarkable.",
        "Negative for {other}.",
    ),
    "other present": ("There is {other}.", "{Other} is present.", "Findings of {other}."),
    "confounders": (
        "Rule out {rare}.",
        "Mother had {rare}.",
        "History of {rare}, treated.",
        "Any {rare}? Please evaluate.",
        "Cough and fever for 3 days.",
        "Pain since yesterday, worse at night.",
        "Former smoker, 20 pack years.",
    ),
    "quiet": (
        "The mediastinum is unremarkable.",
        "Bones are intact.",
        "Technically adequate.",
        "Please correlate clinically.",
    ),
}


@dataclass
class SyntheticCase:
    """A case as texts and header values, with what was planted into it."""

    name: str
    history: str
    note: list[str]
    prior: str
    header: dict[str, str]
    planted: list[tuple[str, str]] = field(default_factory=list)
    """Kind and subject of each contradiction."""


@dataclass
class _Facts:
    patient: str
    person: str
    born: str
    studied: str
    before: str
    finding: str
    side: str
    size: int | None
    other: str
    other_present: bool
    part: str


def cases(count: int, seed: int = 0, *, clean_share: float = 0.4) -> list[SyntheticCase]:
    """Cases of which some are without a contradiction, and others have one or two of different kinds."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        facts = _facts(rng, number)
        kinds = [] if rng.random() < clean_share else rng.sample(KINDS, rng.choice((1, 1, 2)))
        made.append(_made(rng, f"case-{number}", facts, [kind for kind in kinds if _possible(kind, facts)]))
    return made


def _facts(rng: random.Random, number: int) -> _Facts:
    finding = rng.choice((*SIZED, *UNSIZED))
    return _Facts(
        patient=f"P{10_000 + 7 * number}", person=rng.choice(NAMES),
        born=f"19{rng.randint(30, 99)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        studied=f"2026-{rng.randint(6, 10):02}-{rng.randint(1, 28):02}",
        before=f"2025-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        finding=finding, side=rng.choice(SIDES), size=rng.randint(8, 40) if finding in SIZED else None,
        other=rng.choice(OTHERS), other_present=rng.random() < 0.3,
        part=rng.choice(PART_OF.get(finding, ("shoulder", "knee", "elbow"))),
    )  # fmt: skip


def _possible(kind: str, facts: _Facts) -> bool:
    return kind != "size" or facts.size is not None


def _other_side(side: str) -> str:
    return "right" if side == "left" else "left"


def _told(rng: random.Random, kind: str, facts: _Facts, side: str, size: int | None) -> str:
    unit = None if size is None else rng.choice((f"{size} mm", f"{size / 10:g} cm", f"{size} x {size - 3} mm"))
    line: str = rng.choice([one for one in SAYS[kind] if unit is not None or "{measures}" not in one])
    return line.format(
        finding=facts.finding, side=side, Side=side.capitalize(), size=f"{unit} " if unit else "",
        measuring=f" measuring {unit}" if unit else "", measures=f"measures {unit}",
    )  # fmt: skip


def _about_other(rng: random.Random, facts: _Facts, present: bool) -> str:
    line: str = rng.choice(SAYS["other present" if present else "absent"])
    return line.format(other=facts.other, Other=facts.other.capitalize())


def _second(rng: random.Random, facts: _Facts, kinds: list[str]) -> tuple[_Facts, str, list[tuple[str, str]]]:
    """What history and note say where contradictions are planted, the side of the part, and what was planted."""
    size = facts.size
    if size is not None and rng.random() < 0.5 and "size" not in kinds:
        size += rng.choice((-1, 1))  # readers differ
    grown = None if facts.size is None else round(facts.size * rng.choice((1.6, 2.0)))
    changes: dict[str, tuple[tuple[str, str], dict[str, object]]] = {
        "side": (("side", facts.finding), {"side": _other_side(facts.side)}),
        "size": (("size", facts.finding), {"size": grown}),
        "presence": (("presence", facts.other), {"other_present": not facts.other_present}),
        "part side": (("side", facts.part), {}),
        "patient id": (("identity", "patient id"), {"patient": f"Q{rng.randint(10_000, 99_999)}"}),
        "name": (("identity", "name"), {"person": rng.choice([one for one in NAMES if one != facts.person])}),
        "birth date": (
            ("identity", "birth date"), {"born": f"{int(facts.born[:4]) - rng.randint(1, 9)}{facts.born[4:]}"},
        ),
        "date": (("date", "study date"), {"studied": f"2026-05-{rng.randint(1, 28):02}"}),
        "prior date": (("date", "prior examination"), {"before": f"2024-{facts.before[5:]}"}),
    }  # fmt: skip
    told = replace(facts, size=size)
    for kind in kinds:
        told = replace(told, **changes[kind][1])  # type: ignore[arg-type]
    part_side = _other_side(facts.side) if "part side" in kinds else facts.side
    return told, part_side, [changes[kind][0] for kind in kinds]


def _made(rng: random.Random, name: str, facts: _Facts, kinds: list[str]) -> SyntheticCase:
    rare = rng.choice(("emphysema", "pulmonary embolism", "aortic dissection", "dislocation"))
    told, part_side, planted = _second(rng, facts, kinds)
    confounders = [line.format(rare=rare) for line in rng.sample(SAYS["confounders"], 3)]
    history = [
        f"Patient ID: {told.patient}", f"Patient name: {told.person}", f"Date of birth: {told.born}", *confounders,
        f"Pain in the {part_side} {facts.part}.", _told(rng, "history", facts, facts.side, facts.size),
        _about_other(rng, facts, facts.other_present) if rng.random() < 0.5 or "presence" in kinds else "No allergies.",
        f"Study date: {told.studied}",
    ]  # fmt: skip
    if facts.size is not None and rng.random() < 0.4:
        history.append(f"The {facts.finding} previously measured {facts.size - 4} mm.")
    note = [
        *rng.sample(SAYS["quiet"], 2), _told(rng, "present", facts, told.side, told.size),
        _about_other(rng, facts, told.other_present),
        f"Compared with the examination of {told.before}, as above.",
    ]  # fmt: skip
    rng.shuffle(note)
    then = facts.size - 4 if facts.size is not None else None
    prior = [
        f"Patient ID: {facts.patient}", f"Examination date: {facts.before}",
        _about_other(rng, facts, rng.random() < 0.5), _told(rng, "prior", facts, facts.side, then),
    ]  # fmt: skip
    if facts.finding not in SIZED:
        prior[-1] = rng.choice((f"No {facts.finding}.", prior[-1]))
    first, _, last = facts.person.rpartition(" ")
    header = {
        "PatientID": facts.patient, "PatientName": f"{last}^{first}", "PatientBirthDate": facts.born.replace("-", ""),
        "StudyDate": facts.studied.replace("-", ""), "BodyPartExamined": facts.part.upper(),
        "ImageLaterality": facts.side[0].upper(),
    }  # fmt: skip
    return SyntheticCase(name, "\n".join(history), note, "\n".join(prior), header, planted)
