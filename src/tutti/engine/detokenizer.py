"""From tokens to text as it comes: nothing shown is ever taken back, and no stop string is shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items

Detokenize = Callable[[list[int]], str]

_WINDOW_TOKENS = 64
_OVERLAP_TOKENS = 24
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


class TextStream:
    """The text of one answer, in pieces; together they are the whole, always.

    Held back are the bytes of a character that is not complete yet, and what may be the beginning of a stop string.

    Args:
        detokenize: The text of a list of token ids.
        stop: Strings that end the text and are not part of it.
    """

    def __init__(self, detokenize: Detokenize, stop: Items[str] = ()) -> None:
        self.text = ""
        """What was given out so far."""
        self.stopped = False
        """Whether a stop string was found,"""
        self.stopped_by: str | None = None
        """and which."""
        self.complete = 0
        """Characters of the answer that no later token changes: those of `text`, and those held back."""
        self._detokenize = detokenize
        self._stop = tuple(stop)
        self._window: list[int] = []
        self._known = 0  # characters of the window's text that are in `_settled`
        self._settled = 0  # characters of the answer that the window no longer reaches back to
        self._pending = ""  # characters of the answer behind `text`

    @property
    def has_pending(self) -> bool:
        """Whether something is held back, such as the beginning of a character."""
        return bool(self._pending)

    def push(self, token: int) -> str:
        """Add a token; the piece of text that can be shown now, perhaps none."""
        if len(self._window) >= _WINDOW_TOKENS:
            self._slide()
        self._window.append(token)
        self._read()
        stable = len(self._pending.rstrip(_INCOMPLETE))
        self.complete = len(self.text) + stable
        if (end := self._find_stop(self._pending[:stable])) is not None:
            return self._end(end)
        return self._give(stable - self._held_back(self._pending[:stable]))

    def finish(self) -> str:
        """The rest, at the end."""
        end = self._find_stop(self._pending)
        return self._end(len(self._pending) if end is None else end)

    def texts_of(self, tokens: Items[int]) -> list[str]:
        """What each of some tokens would add, in the place of the next one."""
        before = self._detokenize(self._window)
        return [self._added(before, token) for token in tokens]

    def _added(self, before: str, token: int) -> str:
        whole = self._detokenize([*self._window, token])
        return whole[len(before) :] if whole.startswith(before) else self._detokenize([token])

    def _read(self) -> None:
        whole = self._detokenize(self._window)
        given = len(self.text) - self._settled
        self._pending = whole[self._known + given :]

    def _slide(self) -> None:
        """Shorten the window, so that a long answer is not read from its beginning for each token.

        The tokens kept are read both before and after, so that what a tokenizer does at the beginning of a text (a
        space left out, say) cancels out.
        """
        window = self._window[-_OVERLAP_TOKENS:]
        known = len(self._detokenize(window))
        if self._pending.endswith(_INCOMPLETE) or len(self._pending) > known:
            return
        self._window, self._known = window, known
        self._settled = len(self.text) + len(self._pending)

    def _find_stop(self, text: str) -> int | None:
        places = [(place, stop) for stop in self._stop if (place := text.find(stop)) >= 0]
        if not places:
            return None
        first, self.stopped_by = min(places)
        return first

    def _held_back(self, text: str) -> int:
        """Length of the longest end of the text that is the beginning of a stop string."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stop):
                return length
        return 0

    def _give(self, characters: int) -> str:
        piece, self._pending = self._pending[:characters], self._pending[characters:]
        self.text += piece
        return piece

    def _end(self, end: int) -> str:
        self.stopped = end < len(self._pending)
        piece = self._give(end)
        self._pending = ""
        return piece
