"""Where in a picture the words stand that identify: from lines with boxes to boxes to cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutti.content import TextLine
from tutti.trust.pieces import Box
from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS, IdentifierKind, find_identifiers

_NARROW, _WIDE = set("ijl.,:;'|!1()[] tfr"), set("mwMW@%")
_MARGIN = 1.5
"""Letters that are covered beside a word, since only the line's box is known."""
_ROUND = 0.15
"""Of a line's height, covered around it."""
_TILTED = 0.4
"""Of a line's length; a box higher than that holds a line that is tilted, and is covered whole."""
_MOST_OF_LINE = 0.7
"""A line of which more than so much would be covered is covered whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWords:
    """Words that identify, and where in a picture."""

    kind: IdentifierKind
    box: Box
    """Left, top, right, bottom in pixels."""


def identifying_boxes(
    lines: Sequence[TextLine],
    names: Sequence[str] = (),
    kinds: Sequence[IdentifierKind] = IDENTIFIER_KINDS,
    *,
    whole: bool = False,
) -> list[FoundWords]:
    """What to cover of lines that were read.

    Args:
        lines: In reading order; what says "born" may stand on the line before a date.
        names: As for `find_identifiers`.
        kinds: As for `find_identifiers`.
        whole: Cover whole lines rather than the words in them.
    """
    text = "\n".join(line.text for line in lines)
    found = []
    for one in find_identifiers(text, names, kinds):
        place = 0
        for line in lines:
            start, end = max(one.start - place, 0), min(one.end - place, len(line.text))
            if start < end:
                found.append(FoundWords(kind=one.kind, box=_part(line, start, end, whole)))
            place += len(line.text) + 1
    return found


def _part(line: TextLine, start: int, end: int, whole: bool) -> Box:
    """The box of some letters of a line."""
    left, top, right, bottom = line.box
    around = _ROUND * (bottom - top)
    widths = [0.6 if letter in _NARROW else 1.4 if letter in _WIDE else 1.0 for letter in line.text]
    length = sum(widths)
    first = max(0.0, sum(widths[:start]) - _MARGIN)
    last = min(length, sum(widths[:end]) + _MARGIN)
    if whole or (bottom - top) > _TILTED * (right - left) or last - first > _MOST_OF_LINE * length:
        first, last = 0.0, length
    scale = (right - left) / length
    return (left + first * scale - around, top - around, left + last * scale + around, bottom + around)
