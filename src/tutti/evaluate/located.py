"""A text that is changed for reading, with the place of each character in the original."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tutti.evaluate.language import plain
from tutti.processing.words import folded, marks

Span = tuple[int, int]
"""Start and end of a stretch of a text, in characters."""


@dataclass(frozen=True, slots=True)
class LocatedText:
    """A text, and for each of its characters, and for its end, the place in the original."""

    text: str
    places: tuple[int, ...]

    @classmethod
    def plain(cls, original: str) -> LocatedText:
        """What `language.plain` makes of a text."""
        pieces: list[str] = []
        places: list[int] = []
        for found in _clusters().finditer(original):
            piece = plain(found[0])
            pieces.append(piece)
            places += [found.start()] * len(piece)
        return cls("".join(pieces), (*places, len(original)))

    def folded(self) -> LocatedText:
        """The text caseless."""
        pieces: list[str] = []
        places: list[int] = []
        for found in _clusters().finditer(self.text):
            piece = folded(found[0])
            pieces.append(piece)
            places += [self.places[found.start()]] * len(piece)
        return LocatedText("".join(pieces), (*places, self.places[-1]))

    def replaced(self, pattern: re.Pattern[str], by: Callable[[re.Match[str]], tuple[str, str]]) -> LocatedText:
        """The text with each match replaced.

        Args:
            pattern: What to look for.
            by: From a match to its beginning that stays, and what stands for the rest.
        """
        text, places, done = "", list[int](), 0
        for found in pattern.finditer(self.text):
            head, tail = by(found)
            keep = found.start() + len(head)
            text += self.text[done:keep] + tail
            places += [*self.places[done:keep], *[self.places[keep]] * len(tail)]
            done = found.end()
        return LocatedText(text + self.text[done:], (*places, *self.places[done:]))

    def split(self, pattern: re.Pattern[str]) -> Iterator[LocatedText]:
        """The stretches between matches."""
        done = 0
        for start, end in [*(found.span() for found in pattern.finditer(self.text)), (len(self.text),) * 2]:
            yield LocatedText(self.text[done:start], self.places[done : start + 1])
            done = end

    def span(self, start: int, end: int) -> Span:
        """Where a stretch of this text stands in the original."""
        return self.places[start], max(self.places[start], self.places[end])


def _clusters() -> re.Pattern[str]:
    """What must stay together when a text is made plain: raised digits, a digit with a fraction, a letter's marks."""
    return re.compile(rf"[⁰¹²³⁴-⁹⁻]+|[0-9]?[¼-¾⅐-⅞]|.[{marks()}]*", re.DOTALL)
