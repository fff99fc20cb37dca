"""Whether claimed words or numbers stand in what was read, up to letters that readers confuse; else what is nearest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from tutti.evaluate.language import plain

_CONFUSED = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "8": "b", "6": "b", "2": "z", "ı": "l"})
"""Letters and digits that look alike, as one of them; for words that hold no digit, or mix both."""
_DIGITS_FOR = str.maketrans({"O": "0", "o": "0", "D": "0", "l": "1", "I": "1", "|": "1", "S": "5", "s": "5", "B": "8"})
_NUMBER = re.compile(r"\d(?:[\d.,:/'-]*\d)?")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
NEAR = 0.5
"""Share of characters from which a text is named as what there is instead."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a claimed text stands, or what is nearest to it."""

    exact: bool
    """Whether it is the claimed text."""
    similarity: float
    """Share of characters that agree."""
    lines: tuple[int, ...]
    """Of the lines given, those that it stands in."""
    text: str
    """The words found, as they were read."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    key: str


def find_text(claimed: str, lines: Sequence[str]) -> Match:
    """The place of a text in lines, or the stretch of words that is nearest to it."""
    wanted = _words([claimed])
    known = _words(lines)
    if not wanted or not known:
        return Match(exact=False, similarity=0.0, lines=(), text="")
    joined = _joined(claimed, known)
    if joined is not None:
        return joined
    best = Match(exact=False, similarity=0.0, lines=(), text="")
    whole = "".join(word.key for word in wanted)
    for size in {max(1, len(wanted) - 1), len(wanted), len(wanted) + 1}:
        for start in range(max(1, len(known) - size + 1)):
            window = known[start : start + size]
            similarity = _similarity(whole, "".join(word.key for word in window))
            if similarity > best.similarity:
                exact = len(window) == len(wanted) and all(
                    _same_word(one, other) for one, other in zip(wanted, window, strict=True)
                )
                best = _match(window, similarity, exact=exact)
    return best if best.exact else _of_whole_lines(wanted, known) or best


def find_number(claimed: str, lines: Sequence[str]) -> Match:
    """The place of a number in lines, by its value or its groups of digits; otherwise one of the same form."""
    wanted = _groups(claimed)
    best = Match(exact=False, similarity=0.0, lines=(), text="")
    for place, line in enumerate(lines):
        digits = _as_digits(line)
        for shown in dict.fromkeys((line, _without_spaces(line), digits, _without_spaces(digits))):
            for found in _NUMBER.finditer(shown):
                if _same_number(claimed, wanted, found[0]):
                    return Match(exact=True, similarity=1.0, lines=(place,), text=found[0])
                similarity = _similarity(claimed, found[0]) if _form(found[0]) == _form(claimed) else 0.0
                if similarity > best.similarity:
                    best = Match(exact=False, similarity=similarity, lines=(place,), text=found[0])
        if wanted and _has_date(wanted, line):
            return Match(exact=True, similarity=1.0, lines=(place,), text=line)
    return best


def numbers_of(line: str) -> list[str]:
    """The numbers of a line, as they are written."""
    return [found[0] for found in _NUMBER.finditer(line)]


def key_of(text: str) -> str:
    """Letters and digits alone, caseless and without marks."""
    apart = unicodedata.normalize("NFKD", plain(text).casefold())
    return "".join(letter for letter in apart if letter.isalnum())


def _words(lines: Sequence[str]) -> list[_Word]:
    found = [(word, place) for place, line in enumerate(lines) for word in line.split()]
    return [_Word(word, place, key) for word, place in found if (key := key_of(word))]


def _joined(claimed: str, known: Sequence[_Word]) -> Match | None:
    """A match without regard to spaces, which readers lose and invent; it begins and ends with a word."""
    wanted = key_of(claimed)
    for start in range(len(known)):
        text, end = "", start
        while len(text) < len(wanted) and end < len(known):
            text += known[end].key
            end += 1
        if text == wanted or (not _has_digit(wanted) and _alike(text) == _alike(wanted)):
            return _match(known[start:end], 1.0, exact=True)
    return None


def _of_whole_lines(wanted: Sequence[_Word], known: Sequence[_Word]) -> Match | None:
    """A text that is put together of whole lines, wherever they stand: a label's lines are read in no certain order."""
    lines: dict[int, list[_Word]] = {}
    for word in known:
        lines.setdefault(word.line, []).append(word)
    found: list[_Word] = []
    while len(found) < len(wanted):
        rest = wanted[len(found) :]
        fitting = [line for line in lines.values() if len(line) <= len(rest) and all(map(_same_word, rest, line))]
        if not fitting:
            return None
        longest = max(fitting, key=len)
        del lines[longest[0].line]
        found += longest
    return _match(found, 1.0, exact=True)


def _match(window: Sequence[_Word], similarity: float, *, exact: bool) -> Match:
    lines = tuple(dict.fromkeys(word.line for word in window))
    return Match(exact=exact, similarity=similarity, lines=lines, text=" ".join(word.text for word in window))


def _same_word(one: _Word, other: _Word) -> bool:
    """Whether a word is another one as a reader may have seen it: long ones may differ in a letter."""
    if _has_digit(one.key):
        return one.key == other.key or one.key == key_of(other.text.translate(_DIGITS_FOR))
    if _alike(one.key) == _alike(other.key):
        return True
    return len(one.key) >= 6 and _distance(_alike(one.key), _alike(other.key)) <= len(one.key) // 6


def _has_digit(key: str) -> bool:
    return any(letter.isdigit() for letter in key)


def _alike(key: str) -> str:
    return key.translate(_CONFUSED).replace("rn", "m").replace("vv", "w").replace("cl", "d")


def _similarity(one: str, other: str) -> float:
    longest = max(len(one), len(other), 1)
    return 1 - _distance(one, other) / longest


def _distance(one: str, other: str) -> int:
    """Edit distance (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        above, row[0] = row[0], place
        for index, beside in enumerate(other, 1):
            above, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, above + (letter != beside))
    return row[-1]


def _as_digits(line: str) -> str:
    """The line with letters that look like digits as digits, in words that hold a digit."""
    return re.sub(r"\S*\d\S*", lambda found: found[0].translate(_DIGITS_FOR), line)


def _without_spaces(line: str) -> str:
    """The line without the spaces that readers put around the point of an amount, and into long numbers."""
    line = re.sub(r"(?<=\d)\s*([.,:/])\s*(?=\d)", r"\1", line)
    return re.sub(r"(?<=\d) (?=\d{2,})", "", line)


def _groups(number: str) -> tuple[int, ...]:
    return tuple(int(group) for group in re.findall(r"\d+", number) if len(group) < 19)


def _value(number: str) -> float | None:
    """The value of an amount, whichever of point and comma is its decimal point."""
    parts = re.split(r"[.,']", number)
    if not all(part.isdigit() for part in parts):
        return None
    if len(parts) == 1:
        return float(number)
    whole, last = "".join(parts[:-1]), parts[-1]
    grouped = len(last) == 3 and all(len(part) == 3 for part in parts[1:])
    return float(whole + last) if grouped else float(f"{whole}.{last}")


def _same_number(claimed: str, wanted: tuple[int, ...], found: str) -> bool:
    bare = re.sub(r"[^\d.,:/'-]", "", claimed)
    if re.sub(r"\D", "", claimed) == re.sub(r"\D", "", found) and len(wanted) != 2:
        return True
    value = _value(bare)
    if value is not None:
        other = _value(found)
        if other is not None and abs(value - other) < 1e-9:
            return True
        is_part = len(wanted) == 1 and re.search(r"[:/-]", found) is not None
        return is_part and wanted[0] in _groups(found)
    groups = _groups(found)
    return wanted == groups or (len(wanted) == 3 and _as_date(wanted) == _as_date(groups))


def _as_date(groups: tuple[int, ...]) -> tuple[int, ...] | None:
    """Groups of a date in one order; a year of two digits is of this century."""
    return tuple(sorted(group + 2000 if group < 100 and group == max(groups) else group for group in groups))


def _has_date(wanted: tuple[int, ...], line: str) -> bool:
    """Whether a line holds the date, its month in letters."""
    if len(wanted) != 3:
        return False
    low = line.casefold()
    months = [number for number, name in enumerate(_MONTHS, 1) if re.search(rf"(?<![a-z]){name}", low)]
    groups = _groups(line)
    return any(sorted((*groups, month)) == sorted(wanted) for month in months)


def _form(number: str) -> str:
    """The form of a number: digits as 0, either decimal point as one."""
    return re.sub(r"\d", "0", re.sub(r"[^\d.,:/'-]", "", number)).replace(",", ".").lstrip("0") or "0"
