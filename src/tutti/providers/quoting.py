"""Lines of text that were read in a picture, and what of them answers a question.

A small decoder that was taught about pictures cannot read lines, so the answer is taken out of them: all of them, or
the one that holds what was asked for. Lines that stand side by side in a picture are one row, since a sum stands beside
its name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutti.content import Claim, TextLine

Nearness = Callable[[str, Sequence[str]], Sequence[float]]
"""How near texts are to a question: cosines."""

_MONEY = re.compile(r"[$€£¥₹]\s?\d|\d+[.,]\d{2}\b|\b(?:usd|eur|gbp|hkd|chf)\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b\d{1,4}[-/.]\d{1,2}[-/.][\dCOIl]{2,4}\b"
    r"|\b\d{1,2}[ .-]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,4}",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d{2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?)?", re.IGNORECASE)
_PHONE = re.compile(r"\b(?:tel|phone|call|fax)\b|\(?\+?\d[\d() -]{6,}\d", re.IGNORECASE)
_WEB = re.compile(r"www\.|https?:|\.(?:com|org|net|gov|de|uk|se|hk)\b", re.IGNORECASE)
_MAIL = re.compile(r"\S@\S")
_PLACE = re.compile(
    r"\b[A-Z]{2} \d{5}\b"
    r"|\b(?:street|st|road|rd|avenue|ave|lane|square|plaza|floor|level|shop|city|island|straße|platz)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_LABELLED = re.compile(
    r"\w\s?[:：]|\b(?:your|check|guest|order|table|server|cashier|invoice|receipt|number)\b", re.IGNORECASE
)
"""What stands before a value, as in "Table: 8"."""
_TOTAL = re.compile(
    r"\b(?:total|amount|balance|due|sum|summe|gesamt\w*|\w*betrag|to pay|zu zahlen)\b|總數|合計", re.IGNORECASE
)
_SUBTOTAL = re.compile(
    r"sub\W?total|\btax\b|zwischen|\bnet\b|service|\btip\b|discount|before|\bchange\b|rückgeld|\bcash\b", re.IGNORECASE
)
_AMOUNT = re.compile(r"\d[\d ]*[.,]\d{1,2}\b")
_ENDS = re.compile(r"\b(?:ends?|expires?|valid|until|return|before)\b", re.IGNORECASE)

_ASKED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("total", re.compile(r"\btotal\b|\bin all\b|altogether|\bto pay\b|\bpaid\b|\bspen[dt]\b|\bamount\b|\bsum\b|"
                         r"\bowed?\b|\bat the end\b|\bcome to\b|\bcharged\b|"
                         r"how much (?:is|was|did) (?:it|this|that|the (?:bill|receipt|meal|purchase))",
                         re.IGNORECASE)),
    ("date", re.compile(r"\bdated?\b|\b(?:what|which) day\b|\bwhen (?:was|is|did)\b|\b(?:what|which) (?:month|year)\b",
                        re.IGNORECASE)),
    ("clock", re.compile(r"\b(?:what|which) time\b|\bo'clock\b|\bopening hours\b|\bhours\b", re.IGNORECASE)),
    ("phone", re.compile(r"\b(?:phone|telephone|tel|call|dial|fax)\b", re.IGNORECASE)),
    ("web", re.compile(r"\b(?:website|web site|web address|url|homepage|internet)\b", re.IGNORECASE)),
    ("mail", re.compile(r"\be-?mail\b", re.IGNORECASE)),
    ("price", re.compile(r"\bprices?\b|\bcosts?\b|\bhow much\b|\bhow expensive\b", re.IGNORECASE)),
    ("place", re.compile(r"\baddress\b|\bwhere is (?:the|this) (?:shop|store|restaurant|cafe|business)\b|\bstreet\b|"
                         r"\b(?:what|which) (?:city|town)\b", re.IGNORECASE)),
    ("name", re.compile(r"\b(?:shop|store|restaurant|cafe|company|merchant|business|seller|brand|vendor|place)\b"
                        r"|\bwho\b|\bname\b|\bcalled\b|\btitle\b|\bheading\b|\bheadline\b", re.IGNORECASE)),
    ("number", re.compile(r"\bnumbers?\b|\bdigits?\b|\bplate\b", re.IGNORECASE)),
)  # fmt: skip
"""What kind of line a question asks for, by its words; the first that fits."""
_FITS = {
    "date": _DATE, "clock": _CLOCK, "phone": _PHONE, "web": _WEB, "mail": _MAIL, "place": _PLACE, "number": _NUMBER,
    "price": _MONEY, "total": _MONEY,
}  # fmt: skip
_SMALL = frozenset(
    "a an the of in on at to for and or is are was were be it its this that these those what which who when where how "
    "does do did can could you i me my tell read say says said written printed there here much many picture "
    "image photo text line words word sign any with from by as see please".split()
)
_FEW_WORDS = 12
"""So few words are an answer as they stand, also to who made it or what it is called."""
_SHORT_WORDS, _MOST_LINES = 40, 6
_TITLE_PART = 0.3
"""Part of a page's height, from its top, in which what it is headed by stands."""
_NEARBY = 0.28
"""A line is taken for an answer if it is at least so near to the question in the space."""


@dataclass(frozen=True, kw_only=True)
class WrittenRow:
    """Lines that stand side by side, left to right."""

    lines: tuple[TextLine, ...]

    @property
    def text(self) -> str:
        """What it says."""
        return " ".join(line.text for line in self.lines)

    @property
    def height(self) -> float:
        """Of its tallest line, in pixels."""
        return max(line.box[3] - line.box[1] for line in self.lines)

    @property
    def top(self) -> float:
        """Upper end, in pixels."""
        return min(line.box[1] for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """Rows that answer a question."""

    rows: tuple[WrittenRow, ...]
    whole: bool
    """Whether they are all that was read."""

    @property
    def text(self) -> str:
        """The answer."""
        return " / ".join(f"“{row.text}”" for row in self.rows) if not self.whole else f"“{_joined(self.rows)}”"


def rows_of(lines: Sequence[TextLine]) -> list[WrittenRow]:
    """Lines in reading order as rows from top to bottom; what lies over another line is read once."""
    kept: list[TextLine] = []
    for line in sorted(lines, key=lambda one: -one.confidence):
        if not any(_within(line, other) or _within(other, line) for other in kept):
            kept.append(line)
    rows: list[list[TextLine]] = []
    for line in sorted(kept, key=lambda one: (one.box[1] + one.box[3]) / 2):
        middle = (line.box[1] + line.box[3]) / 2
        if rows and all(one.box[1] < middle < one.box[3] for one in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [WrittenRow(lines=tuple(sorted(row, key=lambda one: one.box[0]))) for row in rows]


def quote(question: str, lines: Sequence[TextLine], near: Nearness) -> Quoted | None:
    """What of the lines answers a question; None if no line does.

    A question for a date, a sum, a number and so on is answered by a line that has one, or not at all.

    Args:
        question: In words.
        lines: As a `TextReader` returns them.
        near: How near texts are to a question, for lines that no other sign tells apart.
    """
    rows = rows_of(lines)
    if not rows:
        return None
    kind = kind_asked(question)
    if not fitting(kind, rows):
        return None
    wanted = _words(question)
    few = sum(len(row.text.split()) for row in rows) <= _FEW_WORDS
    if (kind is None and not _names_one(wanted, rows)) or (few and kind in (None, "name")):
        return _all_of(question, rows, near)
    scores = _scores(question, kind, wanted, rows, near)
    best = max(range(len(rows)), key=lambda index: (scores[index], -index))
    if scores[best] <= 0:
        return _all_of(question, rows, near)
    return Quoted(rows=(rows[best],), whole=False)


def kind_asked(question: str) -> str | None:
    """What kind of line is asked for, such as "total" or "date"; None if the question does not say."""
    return next((kind for kind, pattern in _ASKED if pattern.search(question)), None)


def claims(rows: Sequence[WrittenRow], picture: str) -> tuple[Claim, ...]:
    """Rows as an answer's evidence: each line, and where in which picture it was read."""
    return tuple(
        Claim(
            text=line.text,
            evidence=f"read in {picture} at ({', '.join(str(round(side)) for side in line.box)}), "
            f"confidence {line.confidence:.2f}",
        )
        for row in rows
        for line in row.lines
    )


def fitting(kind: str | None, rows: Sequence[WrittenRow]) -> list[WrittenRow]:
    """The rows that could be of a kind that `kind_asked` tells; all if it has no form by which to tell."""
    if kind == "name":
        return [row for row in rows if sum(map(str.isalpha, row.text)) > 1]
    fits = _FITS.get(kind or "") if kind != "place" else None
    return [row for row in rows if fits is None or fits.search(row.text)]


def _all_of(question: str, rows: list[WrittenRow], near: Nearness) -> Quoted:
    """All rows if they are short, else those nearest to the question."""
    if sum(len(row.text.split()) for row in rows) <= _SHORT_WORDS:
        return Quoted(rows=tuple(rows), whole=True)
    scores = near(question, [row.text for row in rows])
    tallest = max(row.height for row in rows)
    ranked = sorted(range(len(rows)), key=lambda index: -(scores[index] + 0.3 * rows[index].height / tallest))
    return Quoted(rows=tuple(rows[index] for index in sorted(ranked[:_MOST_LINES])), whole=False)


def _scores(
    question: str, kind: str | None, wanted: set[str], rows: Sequence[WrittenRow], near: Nearness
) -> list[float]:
    """How well each row answers; 0 and less is not at all."""
    nearness = near(question, [row.text for row in rows])
    tallest, top, bottom = max(row.height for row in rows), rows[0].top, rows[-1].top
    most = max((_amount(row.text) for row in rows), default=0.0)
    out = []
    for number, row in enumerate(rows):
        shared = len(wanted & _words(row.text)) / max(1, len(wanted))
        score = (0.0 if kind == "name" else shared) + max(0.0, nearness[number] - _NEARBY)
        fits = _FITS.get(kind or "")
        if fits is not None:
            score += 1.0 if fits.search(row.text) else -2.0
        if kind == "total":
            score += _total(row.text, most) + 0.2 * number / len(rows)
        if kind == "date":
            score -= 0.5 if _ENDS.search(row.text) else 0.0
        if kind == "name":
            part = (row.top - top) / max(1.0, bottom - top)
            score += row.height / tallest + (0.8 * (1 - part / _TITLE_PART) if part < _TITLE_PART else -0.4)
            score += _like_a_name(row.text)
        out.append(score)
    return out


def _total(text: str, most: float) -> float:
    """How much a row looks like the sum of a bill, and not like a part of it or what is still owed."""
    amount = _amount(text)
    if _SUBTOTAL.search(text) or not amount:
        return -0.6
    named = 1.0 if _TOTAL.search(text) else 0.0
    grand = 0.4 if re.search(r"\bgrand\b|^total\b", text, re.IGNORECASE) else 0.0
    return named + grand + 0.5 * amount / most


def _amount(text: str) -> float:
    """The last amount of money in a row; 0 if there is none."""
    found = _AMOUNT.findall(text)
    return float(found[-1].replace(" ", "").replace(",", ".")) if found else 0.0


def _like_a_name(text: str) -> float:
    """Names have letters; lines with a street, a telephone number, a date or a sum are none."""
    letters = sum(character.isalpha() or character == " " for character in text) / max(1, len(text))
    other = (_PLACE, _PHONE, _DATE, _WEB, _MONEY, _LABELLED)
    return 0.6 * letters - 0.8 * sum(bool(pattern.search(text)) for pattern in other)


def _names_one(wanted: set[str], rows: Sequence[WrittenRow]) -> bool:
    """Whether a row of several has a word of the question."""
    return len(rows) > 1 and any(wanted & _words(row.text) for row in rows)


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if word not in _SMALL and len(word) > 1}


def _joined(rows: Sequence[WrittenRow]) -> str:
    return " ".join(row.text for row in rows)


def _within(line: TextLine, other: TextLine) -> bool:
    """Whether most of a line's box lies in another's, which says much the same: boxes of slanted lines overlap, too."""
    matches = difflib.SequenceMatcher(None, line.text.lower(), other.text.lower(), autojunk=False).get_matching_blocks()
    if sum(match.size for match in matches) < 0.6 * len(line.text):
        return False
    left, top = max(line.box[0], other.box[0]), max(line.box[1], other.box[1])
    right, bottom = min(line.box[2], other.box[2]), min(line.box[3], other.box[3])
    area = (line.box[2] - line.box[0]) * (line.box[3] - line.box[1])
    return max(0.0, right - left) * max(0.0, bottom - top) > 0.6 * max(1.0, area)
