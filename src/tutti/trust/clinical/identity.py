"""Whom and when a clinical text is about, as far as it says so: identifiers, names, dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

IdentityKind = Literal["patient id", "name", "birth date", "accession", "sex", "study date", "prior date"]
_MONTHS = "january february march april may june july august september october november december".split()
_DATE = r"(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{1,2} [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
_ID = r"[A-Za-z0-9][A-Za-z0-9./-]{1,40}"
_NAME = r"[A-Z][\w'’.-]+(?:[ ,^]+[A-Z][\w'’.-]*){1,3}"
_EXAM = r"exam(?:ination)?"
_COMPARED = rf"compar(?:ed|ison)(?: is made)? (?:with|to)|comparison:|prior (?:study|{_EXAM}|ct|mr|x-?ray|radiograph)"
_RULES: tuple[tuple[IdentityKind, str], ...] = (
    ("patient id", rf"(?i:\b(?:mrn|patient id|patient number|medical record(?: number)?|id))\s*[:#]\s*({_ID})"),
    ("accession", rf"(?i:\baccession(?: number)?)\s*[:#]?\s*({_ID}\d)"),
    ("name", rf"(?i:\b(?:patient(?: name)?|name))\s*:\s*({_NAME})"),
    ("birth date", rf"(?i:\b(?:dob|date of birth|birth date|born(?: on)?))\s*:?\s*({_DATE})"),
    ("prior date", rf"(?i:\b(?:{_COMPARED})(?: (?:of|from|dated))?(?: the)?[\w -]{{0,30}}?) ({_DATE})"),
    ("study date", rf"(?i:\b(?:(?:study|{_EXAM}) date|date of (?:study|{_EXAM})))\s*:?\s*({_DATE})"),
    ("study date", rf"(?i:(?<!prior )\b(?:study|{_EXAM}) (?:performed on|of|dated))\s+({_DATE})"),
    ("sex", r"(?i:\b(?:sex|gender)\s*:\s*|\byear[- ]old )(?i:(male|female|man|woman|m|f|boy|girl)\b)"),
)
_SEXES = {"male": "male", "man": "male", "m": "male", "boy": "male",
          "female": "female", "woman": "female", "f": "female", "girl": "female"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedIdentity:
    """A value that says whom, or when, a source is about."""

    kind: IdentityKind
    value: str
    """Normal form: dates as YYYY-MM-DD, names and identifiers in small letters."""
    written: str
    """As the source writes it."""
    start: int
    """Of the value's words in the text, in characters."""
    end: int


def identities(text: str) -> list[StatedIdentity]:
    """All values of a text that say whom or when it is about; dates such as 3/4/2026 are not read."""
    found, taken = [], set()
    for kind, rule in _RULES:
        for match in re.finditer(rule, text):
            value = normal(kind, match[1])
            if value and match.span(1) not in taken:
                taken.add(match.span(1))
                written = match[1].strip()
                found.append(
                    StatedIdentity(kind=kind, value=value, written=written, start=match.start(), end=match.end(1))
                )
    return sorted(found, key=lambda one: one.start)


def normal(kind: IdentityKind, value: str) -> str:
    """A value in its normal form; "" where it has none."""
    if kind.endswith("date"):
        return as_date(value)
    if kind == "sex":
        return _SEXES.get(value.strip().lower(), "")
    if kind == "name":
        return " ".join(sorted(re.findall(r"[^\W\d_]+", value.lower().replace("'", "").replace("’", ""))))
    return value.strip().lower().rstrip(".")


def as_date(text: str) -> str:
    """YYYY-MM-DD of a date as DICOM, ISO 8601 or words write it; "" of anything else."""
    text = text.strip()
    digits = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})", text)
    if digits is not None:
        return _made(*(int(group) for group in digits.groups()))
    words = re.fullmatch(r"(\d{1,2}) ([A-Za-z]+) (\d{4})", text)
    if words is not None:
        return _made(int(words[3]), _month(words[2]), int(words[1]))
    words = re.fullmatch(r"([A-Za-z]+) (\d{1,2}),? (\d{4})", text)
    return _made(int(words[3]), _month(words[1]), int(words[2])) if words is not None else ""


def _month(word: str) -> int:
    return next((n for n, name in enumerate(_MONTHS, 1) if len(word) >= 3 and name.startswith(word.lower())), 0)


def _made(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def differ(kind: IdentityKind, one: str, other: str) -> bool:
    """Whether two normal forms cannot be of the same; a name may lack parts of another."""
    if kind != "name":
        return one != other
    first, second = set(one.split()), set(other.split())
    return not (first <= second or second <= first)
