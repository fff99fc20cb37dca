"""What a clinical text states of findings and body parts: present or absent, on which side, how large, now or before.

Rules over words, in the manner of NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009), in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tutti.trust.clinical import lexicon

Polarity = Literal["present", "absent", "uncertain"]
Side = Literal["left", "right", "both", ""]
Tense = Literal["now", "before"]
_END = re.compile(r"(?<!\bDr)(?<!\bvs)[.!?](?=\s|$)|\n+|;")
_COMMA = re.compile(
    r",\s+|(?<!\bleft)(?<!\bright)\s+(?:and|but|however|although|while|whereas)\s+"
    r"(?=(?:no|without|there|a|an|the|left|right)\b)",
    re.IGNORECASE,
)
_FRESH = re.compile(r",\s*(?:(?:a|an|the)\s|\d|left|right|bilateral)[^,]*$", re.IGNORECASE)
_NEAR = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that a text states of one subject."""

    subject: str
    """Name of a finding or of a body part."""
    is_part: bool
    """Whether the subject is a body part."""
    polarity: Polarity
    side: Side
    size_mm: float | None
    """Largest extent; None where none is stated."""
    tense: Tense
    start: int
    """Of the sentence in the text, in characters."""
    end: int


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence of a text begins and ends, without the space around it."""
    begin = 0
    for found in (*_END.finditer(text), None):
        end = len(text) if found is None else found.end()
        piece = text[begin:end]
        if piece.strip(" \t\r\n.;!?"):
            first = begin + len(piece) - len(piece.lstrip())
            yield first, begin + len(piece.rstrip())
        begin = end


def statements(text: str, *, tense: Tense = "now") -> list[Statement]:
    """All statements of a text, in its order.

    Args:
        text: In English.
        tense: Of the text as a whole: what a report of an earlier examination states was so before.
    """
    found: list[Statement] = []
    for start, end in sentences(text):
        if not lexicon.OF_OTHERS.search(text, start, end):
            found += _of_sentence(text[start:end], start, end, tense)
    return found


def _of_sentence(sentence: str, start: int, end: int, tense: Tense) -> Iterator[Statement]:
    last: tuple[str, bool, Side] | None = None
    sized = sentence
    for begin, stop in _segments(sentence):
        segment = sentence[begin:stop]
        when: Tense = "before" if tense == "before" or lexicon.BEFORE.search(segment) else "now"
        size = _size(segment)
        subjects = list(_subjects(segment))
        for name, is_part, place, stop_place in subjects:
            side = _side(segment, place, stop_place)
            polarity = _polarity(sized, begin + place, begin + stop_place)
            yield Statement(
                subject=name, is_part=is_part, polarity=polarity, side=side,
                size_mm=size if not is_part and polarity == "present" else None, tense=when, start=start, end=end,
            )  # fmt: skip
            if not is_part:
                last = (name, is_part, side)
        if not subjects and size is not None and last is not None:
            yield Statement(
                subject=last[0], is_part=False, polarity="present", side=last[2], size_mm=size, tense=when,
                start=start, end=end,
            )  # fmt: skip


def _segments(sentence: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for comma in _COMMA.finditer(sentence):
        yield begin, comma.start()
        begin = comma.end() if comma[0].startswith(",") else comma.start()
    yield begin, len(sentence)


def _subjects(segment: str) -> Iterator[tuple[str, bool, int, int]]:
    found: list[tuple[str, bool, int, int]] = []
    for match in lexicon.FINDING.finditer(segment):
        place = next(int(name[1:]) for name, value in match.groupdict().items() if value is not None)
        found.append((lexicon.FINDINGS[place].name, False, match.start(), match.end()))
    found += [(match[1].lower(), True, match.start(), match.end()) for match in lexicon.PART.finditer(segment)]
    yield from sorted(found, key=lambda one: one[2])


def _side(segment: str, start: int, end: int) -> Side:
    """The nearest word for a side: before the subject, else behind it; "" where another subject stands between."""
    if lexicon.BOTH_SIDES.search(segment):
        return "both"
    before = list(lexicon.SIDE.finditer(segment, max(0, start - _NEAR), start))
    if before and not _between(segment, before[-1].end(), start):
        return _named(before[-1][1])
    after = lexicon.SIDE.search(segment, end)
    if after is not None and not _between(segment, end, after.start(), parts=False):
        return _named(after[1])
    return ""


def _between(segment: str, start: int, end: int, *, parts: bool = True) -> bool:
    piece = segment[start:end]
    return bool(lexicon.FINDING.search(piece) or (parts and lexicon.PART.search(piece)))


def _named(word: str) -> Side:
    word = word.lower()
    return "left" if word == "left" else "right" if word == "right" else "both"


def _size(segment: str) -> float | None:
    sizes = []
    for match in lexicon.SIZE.finditer(segment):
        numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", match[0])]
        sizes.append(max(numbers) * (10 if match[3].lower().startswith("c") else 1))
    return max(sizes) if sizes else None


def _polarity(sentence: str, start: int, end: int) -> Polarity:
    scope = _scope(sentence, start)
    if lexicon.UNCERTAIN.search(scope) or sentence[end : end + 2].strip().startswith("?"):
        return "uncertain"
    absent = lexicon.ABSENT_AFTER.search(sentence[end:])
    if absent is not None and not lexicon.FINDING.search(absent[0]):
        return "absent"
    negation = list(lexicon.ABSENT_BEFORE.finditer(scope))
    if not negation:
        return "present"
    between = scope[negation[-1].end() :]
    # A side or a size behind a comma begins a statement of its own: "no effusion, left lower lobe pneumonia".
    fresh = "," in between and re.search(
        r",\s*(?:(?:a|an|the)\s|\d|left|right|bilateral)[^,]*$", between, re.IGNORECASE
    )
    return "present" if fresh else "absent"


def _scope(sentence: str, start: int) -> str:
    """The words before a subject that may be about it."""
    ends = list(lexicon.ENDS_SCOPE.finditer(sentence, 0, start))
    return sentence[ends[-1].end() if ends else 0 : start]
