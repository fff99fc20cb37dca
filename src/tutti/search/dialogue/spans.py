"""A turn while it is read: its text, which words are accounted for, and what stands before a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tutti.processing.words import folded

_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_UNITS = dict(zip("one two three four five six seven eight nine".split(), range(1, 10), strict=True))
_TEENS = dict(
    zip(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        range(10, 20),
        strict=True,
    )
)
_SPELLED = re.compile(
    rf"\b(?:(?P<hundreds>a|{'|'.join(_UNITS)}) hundred(?: and)?(?: (?=(?:{'|'.join([*_TENS, *_TEENS])})))?)?"
    rf"(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<units>{'|'.join(_UNITS)}))?|(?P<teens>{'|'.join(_TEENS)}))?\b"
)
NEGATION = re.compile(
    r"(?:\b(?:not|no|nor|without|except|excluding|avoid|other than|anything but|never)\b"
    r"|\bnothing (?:from|by|in|with)\b|\bn't\b|\bhate\b)((?:[\s,]+[\w'’-]+){0,6}?)[\s,]*$"
)
_FILLERS = frozenset(
    (
        "a an the that this these those any of from by in with is are be it too want like need please one ones "
        "brand colour color and or nor more something anything me show"
    ).split()
)


class TurnText:
    """A turn's text, and which of its characters some rule has read.

    Args:
        text: As it was typed; compared folded, with numbers in digits.
    """

    def __init__(self, text: str) -> None:
        plain = folded(text).replace("’", "'").replace("don't", "do n't").replace("doesn't", "does n't")
        self.text = _SPELLED.sub(_digits, re.sub(r"\s+", " ", plain)).strip()
        self._taken = bytearray(len(self.text))

    def find(self, pattern: str) -> Iterator[re.Match[str]]:
        """What matches and was not read yet; the caller takes what it reads."""
        for found in re.finditer(pattern, self.text):
            if found.end() > found.start() and not any(self._taken[found.start() : found.end()]):
                yield found

    def first(self, pattern: str) -> re.Match[str] | None:
        """The first of these, taken."""
        found = next(self.find(pattern), None)
        if found is not None:
            self.take(found)
        return found

    def take(self, found: re.Match[str], group: int | str = 0) -> str:
        """Note that some characters have been read."""
        start, end = found.span(group)
        self._taken[start:end] = b"\1" * (end - start)
        return found[group]

    def negated(self, start: int, items: frozenset[str] = frozenset()) -> bool:
        """Whether what starts here is not wanted; between "not" and it may stand fillers and items of the same list."""
        before = re.split(r"[.;!?]|\bbut (?!not\b|no\b)(?<!anything but )", self.text[max(0, start - 60) : start])[-1]
        if re.search(r"\banything but [\w' ]*$", self.text[max(0, start - 60) : start]):
            before = "not "
        found = NEGATION.search(before)
        if found is None:
            return False
        return all(word in _FILLERS or word in items for word in re.findall(r"[\w'-]+", found[1]))

    def rest(self) -> list[tuple[str, int]]:
        """The words that nothing has read, with their places."""
        return [(found[0], found.start()) for found in self.find(r"[^\W_][\w'-]*")]


def _digits(found: re.Match[str]) -> str:
    if not found[0] or not any(found.groupdict().values()):
        return found[0]
    hundreds = found["hundreds"]
    total = 100 * (1 if hundreds == "a" else _UNITS[hundreds]) if hundreds else 0
    total += (
        _TENS.get(found["tens"] or "", 0) + _UNITS.get(found["units"] or "", 0) + _TEENS.get(found["teens"] or "", 0)
    )
    return f"{total} " if found[0].endswith(" ") else str(total)
