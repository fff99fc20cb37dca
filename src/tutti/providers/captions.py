"""Final words to captions: up to the end of a sentence, a pause, or what two lines on a screen hold."""

from __future__ import annotations

from collections.abc import Sequence

from tutti.content import Segment, TimedWord

_MOST_LETTERS, _MOST_SECONDS = 84, 7.0
"""Two lines of 42, and how long a caption stands at most: the usual guidance for subtitles."""
_PAUSE_S = 1.0
_LEAST_LETTERS = 12
"""A sentence shorter than this waits for the next one, unless a pause follows."""
_ENDS = (".", "?", "!", "…", "。", "？", "！")


class CaptionLines:
    """Joins words as they become final."""

    def __init__(self) -> None:
        self._open: list[TimedWord] = []

    def add(self, words: Sequence[TimedWord]) -> list[Segment]:
        """Take the next final words; the captions that end with or before them."""
        closed: list[Segment] = []
        for word in words:
            if self._open and not self._has_room(word):
                closed += self.close()
            self._open.append(word)
            if word.text.endswith(_ENDS) and len(self._text()) >= _LEAST_LETTERS:
                closed += self.close()
        return closed

    def close(self) -> list[Segment]:
        """End the open caption, if there is one."""
        if not self._open:
            return []
        caption = Segment(start_s=self._open[0].start_s, end_s=self._open[-1].end_s, text=self._text())
        self._open = []
        return [caption]

    def _has_room(self, word: TimedWord) -> bool:
        first, last = self._open[0], self._open[-1]
        return (
            len(self._text()) + 1 + len(word.text) <= _MOST_LETTERS
            and word.end_s - first.start_s <= _MOST_SECONDS
            and word.start_s - last.end_s < _PAUSE_S
        )

    def _text(self) -> str:
        return " ".join(one.text for one in self._open)
