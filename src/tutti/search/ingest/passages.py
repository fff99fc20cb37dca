"""Where a text is cut into passages: as long as one vector holds, at words, each with the end of the one before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tutti.interfaces import TextBounded

TextSpan: TypeAlias = tuple[int, int]
"""First character of a piece of text, and the one behind it."""
_MOST_TOKENS = 96
"""No passage is longer, even where the model reads more: the vector of a long text is near to few queries."""
_SHARED = 6
"""A passage repeats at most this part of the one before."""
_WORDS, _SHARED_WORDS = 60, 10
"""Length of a passage and what it repeats, where the model does not state what it reads."""


def passages_of(text: str, bounds: TextBounded | None) -> Iterator[TextSpan]:
    """Spans of a text that together hold all of its words.

    Args:
        text: Any text.
        bounds: Counts tokens; None cuts by words.
    """
    words = [found.span() for found in re.finditer(r"\S+", text)]
    if bounds is None:
        step = _WORDS - _SHARED_WORDS
        for start in range(0, max(1, len(words) - _SHARED_WORDS), step):
            if some := words[start : start + _WORDS]:
                yield some[0][0], some[-1][1]
        return
    yield from _packed(text, words, bounds, min(bounds.max_text_tokens, _MOST_TOKENS))


def _packed(text: str, words: Sequence[TextSpan], bounds: TextBounded, most: int) -> Iterator[TextSpan]:
    known: dict[str, int] = {}
    pieces: list[tuple[TextSpan, int]] = []
    for word in words:
        pieces += _pieces(text, word, bounds, most, known)
    start = 0
    while start < len(pieces):
        end, taken = start, 0
        while end < len(pieces) and taken + pieces[end][1] <= most:
            taken += pieces[end][1]
            end += 1
        # Words together may take more tokens than each by itself.
        while end > start + 1 and bounds.text_size(_between(text, pieces, start, end)).tokens > most:
            end -= 1
        if taken:
            yield pieces[start][0][0], pieces[end - 1][0][1]
        if end == len(pieces):
            return
        back, repeated = end, 0
        while back - 1 > start and repeated + pieces[back - 1][1] <= most // _SHARED:
            back -= 1
            repeated += pieces[back][1]
        start = back


def _pieces(
    text: str, word: TextSpan, bounds: TextBounded, most: int, known: dict[str, int]
) -> Iterator[tuple[TextSpan, int]]:
    """A word with its tokens; one that is longer than a passage, such as a text without spaces, in halves of halves."""
    start, end = word
    spelled = text[start:end]
    tokens = known.get(spelled)
    if tokens is None:
        tokens = known[spelled] = bounds.text_size(spelled).tokens
    if tokens <= most or end - start < 2:
        yield word, min(tokens, most)
        return
    middle = (start + end) // 2
    yield from _pieces(text, (start, middle), bounds, most, known)
    yield from _pieces(text, (middle, end), bounds, most, known)


def _between(text: str, pieces: Sequence[tuple[TextSpan, int]], start: int, end: int) -> str:
    return " ".join(text[pieces[start][0][0] : pieces[end - 1][0][1]].split())
