"""Which words of a stream are final: those that two successive hypotheses agree on.

Source: Macháček, Dabre and Bojar 2023 (Turning Whisper into Real-Time Transcription System), LocalAgreement-2 after Liu
et al. 2020. We differ in: words already final are found in a new hypothesis by the fewest edits, not by their times,
since Whisper tells the times of segments only; capitals and punctuation do not count as a difference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tutti.content import Segment, TimedWord

_MOST_MISSED = 2
"""After so many hypotheses that do not hold what is final, the next one is placed by its times."""
_SAID = frozenset("%&+=@#$€£¥§°")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word of a hypothesis."""

    word: TimedWord
    segment: int
    """Number of the segment it stands in."""

    @property
    def key(self) -> str:
        """What is compared: letters and digits, or the signs themselves where it has none."""
        return key_of(self.word.text)


def key_of(text: str) -> str:
    """What two words are compared by."""
    return _SIGNS.sub("", text).casefold() or text


def words_of(segments: Sequence[Segment], within_s: float) -> list[HeardWord]:
    """The words of a hypothesis, each with a share of its segment's time by its letters.

    Args:
        segments: In order of time.
        within_s: Where what was heard ends; no word ends later.
    """
    words: list[HeardWord] = []
    for number, segment in enumerate(segments):
        texts = [text for text in segment.text.split() if _is_word(text)]
        letters = sum(len(text) + 1 for text in texts)
        start, end = min(segment.start_s, within_s), min(max(segment.start_s, segment.end_s), within_s)
        at = 0
        for text in texts:
            begins, at = at, at + len(text) + 1
            span = [start + (end - start) * place / letters for place in (begins, at)]
            words.append(HeardWord(TimedWord(start_s=span[0], end_s=span[1], text=text), number))
    return words


def _is_word(text: str) -> bool:
    """Whether it is said: it holds a letter, a digit, or a sign that has a name; dots and dashes alone are not."""
    return any(one.isalnum() or one in _SAID for one in text)


class LocalAgreement:
    """The words of one stretch of sound, from hypothesis to hypothesis.

    Words are compared by `HeardWord.key`. What is final stays so; a hypothesis that no longer holds it is passed over.
    """

    def __init__(self) -> None:
        self._final: list[HeardWord] = []
        """As the newest hypothesis has them."""
        self._guess: list[HeardWord] = []
        self._missed = 0
        """Hypotheses in a row that did not hold the final words."""

    @property
    def guess(self) -> list[TimedWord]:
        """What the newest hypothesis has behind the final words."""
        return [one.word for one in self._guess]

    def agreed(self, words: Sequence[HeardWord], *, all_of_them: bool = False) -> list[TimedWord]:
        """Take a hypothesis of the whole stretch; the words that become final by it.

        Args:
            words: In order of time.
            all_of_them: Nothing more comes: all words become final.
        """
        place = self._behind(words)
        self._missed = self._missed + 1 if place is None else 0
        if place is None:
            if not all_of_them and self._missed <= _MOST_MISSED:
                return []
            last_s = self._final[-1].word.end_s
            place = next((at for at, one in enumerate(words) if one.word.start_s >= last_s), len(words))
        rest = list(words[place:])
        count = len(rest) if all_of_them else _common(rest, self._guess)
        self._final = [*words[: place + count]]
        self._guess = rest[count:]
        return [one.word for one in rest[:count]]

    @property
    def final(self) -> list[TimedWord]:
        """The words that are final, as the newest hypothesis has them."""
        return [one.word for one in self._final]

    def cut(self) -> list[TimedWord]:
        """Forget the segments that another one follows and whose words are all final; the words of these.

        `shift` is called next, since the sound up to the end of the last word is to be left out.
        """
        heard = [*self._final, *self._guess]
        still_open = min((one.segment for one in [*heard[-1:], *self._guess[:1]]), default=0)
        done = [one.word for one in self._final if one.segment < still_open]
        self._final = self._final[len(done) :]
        return done

    def shift(self, seconds: float) -> None:
        """The sound before is gone: what is kept lies so much earlier, and begins with segment 0 again."""
        first = min((one.segment for one in [*self._final, *self._guess]), default=0)

        def moved(one: HeardWord) -> HeardWord:
            word = one.word
            earlier = TimedWord(
                start_s=max(0.0, word.start_s - seconds), end_s=max(0.0, word.end_s - seconds), text=word.text
            )
            return HeardWord(earlier, one.segment - first)

        self._final, self._guess = [moved(one) for one in self._final], [moved(one) for one in self._guess]

    def _behind(self, words: Sequence[HeardWord]) -> int | None:
        """How many words of a hypothesis stand for the final ones; None if more than a third would have to be changed.

        It is the beginning that differs by the fewest edits, of several the longest.
        """
        known = [one.key for one in self._final]
        if not known:
            return 0
        keys = [one.key for one in words]
        row = list(range(len(keys) + 1))
        for number, one in enumerate(known, 1):
            before, row = row, [number]
            for at, key in enumerate(keys, 1):
                row.append(min(before[at - 1] + (key != one), before[at] + 1, row[at - 1] + 1))
        fewest = min(row)
        if fewest > max(1, len(known) // 3):
            return None
        return max(at for at, edits in enumerate(row) if edits == fewest)


def _common(words: Sequence[HeardWord], others: Sequence[HeardWord]) -> int:
    """How many words two hypotheses begin with alike."""
    count = 0
    for one, other in zip(words, others, strict=False):
        if one.key != other.key:
            break
        count += 1
    return count
