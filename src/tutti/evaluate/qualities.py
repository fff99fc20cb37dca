"""Colours, places in a picture and times in a recording, as an English sentence names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tutti.evaluate.objects import ADJECTIVES, objects_in

COLOURS = frozenset(
    "black white grey gray red orange yellow green blue purple violet pink brown beige turquoise cyan magenta maroon "
    "golden silver navy teal".split()
)
_LINKS = frozenset("is are was were looks look appears appear mostly mainly very quite all entirely completely".split())
_FRAME = r"(?:picture|image|photo|photograph|frame|screen|page|scene|shot|sign|receipt)"
_PLACE = re.compile(
    rf"\b(?:on|at|in|to|towards?|near)\s+the\s+(?:very\s+|far\s+)?"
    rf"(?P<place>(?:(?:upper|lower|top|bottom)[\s-]+)?(?:left|right|top|bottom|centre|center|middle)"
    rf"|(?:upper|lower))(?:[\s-]+hand)?(?:\s+(?:side|half|corner|edge|part|third|area))?"
    rf"(?!\s+(?:side\s+|corner\s+|part\s+)?of\s+(?!the\s+{_FRAME}\b|this\s+{_FRAME}\b))",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:(?P<h>\d{1,2}):)?(?P<m>\d{1,3}):(?P<s>\d{2}(?:\.\d+)?)\b(?!\s*(?:am|pm|h\b|o'clock))")
_SECONDS = re.compile(r"\b(?P<s>\d+(?:\.\d+)?)\s?(?:s|sec|secs|seconds?)\b(?!\s+(?:long|of)\b)", re.IGNORECASE)


def colours_in(tokens: Sequence[str]) -> Iterator[tuple[int, str, str | None]]:
    """Colours that tokens name: index, word, and the object that is said to have the colour, if one is named."""
    objects = list(objects_in(list(tokens)))
    inside = {index for start, length, _ in objects for index in range(start, start + length)}
    starts = {start: name for start, _, name in objects}
    ends = {start + length: name for start, length, name in objects}
    for index, word in enumerate(tokens):
        if word in COLOURS and index not in inside:
            yield index, word, _described(tokens, index, starts, ends)


def _described(tokens: Sequence[str], index: int, starts: dict[int, str], ends: dict[int, str]) -> str | None:
    after = index + 1
    while after < len(tokens) and (tokens[after] in ADJECTIVES or tokens[after] in COLOURS | {"and", ","}):
        if after in starts:
            break
        after += 1
    if after in starts:
        return starts[after]
    before, linked = index, False
    while before > 0 and before not in ends and tokens[before - 1] in _LINKS | ADJECTIVES | COLOURS | {"and"}:
        before -= 1
        linked = linked or tokens[before] in _LINKS
    return ends.get(before) if linked else None


def places_in(sentence: str) -> Iterator[tuple[str, int, int]]:
    """Places of the picture that a sentence names, such as "top left", and where in the sentence.

    What lies left or right of another thing is no place of the picture.
    """
    for found in _PLACE.finditer(sentence):
        words = re.split(r"[\s-]+", found["place"].lower())
        named = {"upper": "top", "lower": "bottom", "center": "centre", "middle": "centre"}
        yield " ".join(named.get(word, word) for word in words), *found.span()


def times_in(sentence: str) -> Iterator[tuple[float, int, int]]:
    """Times that a sentence names, in seconds, and where in the sentence."""
    for found in _CLOCK.finditer(sentence):
        yield 3600 * float(found["h"] or 0) + 60 * float(found["m"]) + float(found["s"]), *found.span()
    for found in _SECONDS.finditer(sentence):
        yield float(found["s"]), *found.span()
