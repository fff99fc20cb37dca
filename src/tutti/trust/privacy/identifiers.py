"""Words that identify a person, in any text: addresses, numbers with their checksums, dates of birth, plates, names.

Rules, not a model: what they look for can be read here. What no rule describes, such as a name that is on no list, is
not found, and the guide says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from tutti.trust.privacy.checksums import is_card, is_iban

IdentifierKind: TypeAlias = Literal["email", "iban", "card", "phone", "birth_date", "plate", "name"]
IDENTIFIER_KINDS: tuple[IdentifierKind, ...] = get_args(IdentifierKind)
_LEAST_NAME, _LEAST_FUZZY = 3, 5
"""Letters of a part of a name that is covered by itself, and of one in which a letter may be misread."""
_MONTHS = (
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|avr|juil|août|ene|abr|ago|dic|gen|mag|giu|lug|set"
)
_DATE = (
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./ ]\s?\d{1,2}[-./ ]\s?(?:\d{4}|\d{2})|\d{8}"
    rf"|\d{{1,2}}\.?\s?(?:{_MONTHS})[a-zéû]*\.?,?\s?\d{{2,4}}|(?:{_MONTHS})[a-zéû]*\.?\s?\d{{1,2}},?\s?\d{{4}})"
)
_BORN = (
    r"\b(?:born|birth|birthday|birthdate|dob|d\.o\.b|geb|geboren|geburtsdatum|geburtstag|naissance|n[ée]e?\sle|nacid[oa]"
    r"|nacimiento|nat[oa]\sil|nascita|geboortedatum)\b"
)
_EMAIL = (
    r"[\w.+-]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)*\s?\.\s?[a-z]{2,}\b|[\w.+-]+@[\w-]+"
    r"|\b[\w.]+ at [\w-]+ dot [a-z]{2,}\b"
)
_PHONE = (
    r"(?:\+|\b00)\s?\d(?:[\s().\-/]{0,2}\d){6,14}|\(0?\d{2,5}\)(?:[\s.\-/]?\d){5,10}|\b0\d(?:[\s.\-/]{0,3}\d){6,12}"
    r"|\b\d{3}[\s.\-]\d{3}[\s.\-]\d{4}\b|\b(?:tel|phone|fon|mobil|mobile|cell|fax)\b\W{0,3}\d(?:[\s.\-/]{0,2}\d){4,14}"
)
_PLATE = (
    r"\b[A-ZÄÖÜ]{1,3}[-–·: ]\s?[A-Z]{1,2}[- ]?\d{1,4}[EH]?\b|\b[A-Z]{2}\d{2}\s?[A-Z]{3}\b|\b[A-Z]{3}[- ]?\d{3,4}\b"
    r"|\b[A-Z]{2}[- ]?\d{3}[- ]?[A-Z]{2}\b|\b\d{1,3}[- ][A-Z]{2,3}[- ]\d{1,3}\b|\b\d{4}[- ]?[BCDFGHJKLMNPRSTVWXYZ]{3}\b"
    r"|\b\d[A-Z]{3}\d{3}\b"
)
_NO_PLATE = set(
    "EUR USD GBP CHF JPY SEK NOK DKK PLN CZK HUF CAD AUD NZD INR CNY TEL FAX NET VAT MWST UST ISO DIN USB JAN FEB MAR "
    "APR MAY JUN JUL AUG SEP OCT NOV DEC MON TUE WED THU FRI SAT SUN NR NO REF SKU PIN TAX SUM QTY MAX MIN THE".split()
)
_DIGIT_LIKE = r"[\dOoIl|SBZ]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """Words of a text that identify."""

    kind: IdentifierKind
    start: int
    """Place of the first letter in the text."""
    end: int
    """Place after the last one."""


def find_identifiers(
    text: str, names: Sequence[str] = (), kinds: Sequence[IdentifierKind] = IDENTIFIER_KINDS
) -> list[Identifier]:
    """What identifies in a text, in its order; where kinds overlap, the one that comes first in `IDENTIFIER_KINDS`.

    Args:
        text: Any text; lines end at line feeds.
        names: People's names, as "Jane Doe"; each part of three letters or more is looked for by itself, too, whatever
            its case and accents, and of five or more with a letter misread.
        kinds: What to look for.
    """
    found: list[Identifier] = []
    for kind in IDENTIFIER_KINDS:
        if kind in kinds:
            spans = _name_spans(text, names) if kind == "name" else _SEARCHES[kind](text)
            for start, end in spans:
                if not any(start < one.end and one.start < end for one in found):
                    found.append(Identifier(kind=kind, start=start, end=end))
    return sorted(found, key=lambda one: one.start)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return _spans(_EMAIL, text)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    pattern = r"\b[A-Z]{2}\s?" + _DIGIT_LIKE + r"{2}(?:[\s-]?[A-Z0-9|]){11,30}"
    return _longest(pattern, text, is_iban)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    return _longest(rf"(?<![\w]){_DIGIT_LIKE}(?:[\s-]?{_DIGIT_LIKE}){{12,18}}", text, is_card)


def _longest(pattern: str, text: str, valid: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Beginnings of matches that are valid: what follows a number on its line is not always part of it."""
    for match in re.finditer(pattern, text, re.IGNORECASE):
        for end in range(match.end(), match.start() + 12, -1):
            if valid(re.sub(r"[\s-]", "", text[match.start() : end])):
                yield match.start(), end
                break


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(_PHONE, text, re.IGNORECASE):
        digits = sum(letter.isdigit() for letter in match[0])
        if digits <= 15 and not re.fullmatch(_DATE, match[0].strip(), re.IGNORECASE):
            yield match.span()


def _birth_dates(text: str) -> Iterator[tuple[int, int]]:
    """Dates within a few words after one that says birth, on its line or the next."""
    for match in re.finditer(rf"{_BORN}[^\d]{{0,40}}?({_DATE})", text, re.IGNORECASE):
        if match[0].count("\n") <= 2:
            yield match.span(1)


def _plates(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(_PLATE, text):
        letters = re.findall(r"[A-ZÄÖÜ]+", match[0])
        if not _NO_PLATE & set(letters) and "\n" not in match[0]:
            yield match.span()


def _spans(pattern: str, text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(pattern, text, re.IGNORECASE):
        yield match.span()


_SEARCHES: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "phone": _phones,
    "birth_date": _birth_dates,
    "plate": _plates,
}


def folded(text: str) -> str:
    """Letters without case and accents."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _name_spans(text: str, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    parts = {folded(part) for name in names for part in re.findall(r"\w+", name)}
    known = {part for part in parts if len(part) >= _LEAST_NAME}
    short = {folded("".join(re.findall(r"\w+", name))) for name in names} | known
    for match in re.finditer(r"[^\W\d_]+", text):
        word = folded(match[0])
        if word in short or (len(word) >= _LEAST_FUZZY - 1 and any(_one_apart(word, part) for part in known)):
            yield match.span()


def _one_apart(word: str, part: str) -> bool:
    """Whether a word is a part of a name in which one letter is another, missing or one too many."""
    if len(part) < _LEAST_FUZZY or abs(len(word) - len(part)) > 1:
        return False
    same = 0
    while same < min(len(word), len(part)) and word[same] == part[same]:
        same += 1
    rest, other = word[same:], part[same:]
    return rest[1:] == other[1:] or rest == other[1:] or rest[1:] == other
