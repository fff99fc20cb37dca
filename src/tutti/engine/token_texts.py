"""How likely the tokens of an answer were, each with the text that it adds: joined, the tokens are the answer."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from tutti.content import TokenLogprob
from tutti.engine.detokenizer import TextStream


class TokenTexts:
    """The tokens of one answer, each held until its text is given out.

    A token alone has another text than in its place: a tokenizer leaves out the space before a first word, and a
    character of several tokens is none of them. So a token's text is what it adds to the answer: one that ends within
    a character adds nothing, and the one that completes the character has all of it. Tokens of a stop string are left
    out, as it is.

    Args:
        answer: The text that they make.
    """

    def __init__(self, answer: TextStream) -> None:
        self._answer = answer
        self._held: deque[tuple[TokenLogprob, int, int]] = deque()
        self._placed = 0

    def add(self, one: TokenLogprob) -> None:
        """Add the token that was pushed to the answer last."""
        start, self._placed = self._placed, max(self._placed, self._answer.complete)
        self._held.append((one, start, self._placed))

    def given(self, last: bool = False) -> tuple[TokenLogprob, ...]:
        """Those whose text was given out since the last call; at the end, all that are left."""
        text, told = self._answer.text, []
        while self._held and (last or self._is_given(self._held[0][2])):
            one, start, end = self._held.popleft()
            if start >= len(text) and self._answer.stopped:
                continue
            ends = last and not self._held and not self._answer.stopped
            told.append(replace(one, token=text[start:] if ends else text[start:end]))
        return tuple(told)

    def _is_given(self, end: int) -> bool:
        """Whether the text of the first token held is out; one that ends within a character may have more to come."""
        return end <= len(self._answer.text) and (len(self._held) > 1 or not self._answer.has_pending)
