"""Guesses at the next tokens of an answer, which one step of the model then checks together.

An answer often repeats what its prompt or itself has said: names, numbers, lines of a file. The tokens that followed
the last few where they stood before are guessed; the step computes them as further rows of the same sequence, and those
that greedy choice would have taken anyway are kept. Rows of a compiled step depend on no other row, so that answers are
the same, to the last token, with and without (decision 202).

Source: Saxena 2023 (prompt look-up decoding); checking guesses in one step: Leviathan et al. 2023, section 2. We differ
in: how many are guessed follows from how many were right so far and from what a row more takes.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence as Items
from weakref import WeakKeyDictionary

from tutti.engine.blocks import BlockManager
from tutti.engine.scheduler import Work
from tutti.engine.sequence import Sequence

MOST_DRAFTED = 8
"""Tokens that are guessed at most."""
MOST_ROWS = 12
"""Rows of a step, guesses and all, up to which one is guessed: those that read a matrix together."""
_ROW_SHARE = 0.09
"""What a row more takes, of a step of one row (`benchmarks/drafting.py`)."""
_LONGEST, _SHORTEST = 3, 2
"""Last tokens that must have stood side by side before."""
_HITS, _TRIALS = 2.0, 3.0
"""As if so many of so many had been right before the first."""
_FORGET = 0.85
"""How much of what was counted still counts at the next guess."""
_PATIENCE = 24
"""Places to guess that are left out, where guesses do not pay, before one token is tried again."""
_MEDIUM = -1


class Drafter:
    """Guesses for one sequence, and learns how often they are right.

    Args:
        tokens: Of the prompt.
        spans: Starts and ends of media among them, whose placeholders are no tokens.
    """

    def __init__(self, tokens: Items[int], spans: Items[tuple[int, int]] = ()) -> None:
        self._tokens = array("q", tokens)
        for start, stop in spans:
            self._tokens[start:stop] = array("q", [_MEDIUM]) * (stop - start)
        self._hits, self._trials, self._left_out = _HITS, _TRIALS, 0

    def guess(self, tokens: Items[int], most: int) -> tuple[int, ...]:
        """What may follow a sequence's tokens, at most so many; empty where nothing is known, or it would not pay."""
        self._tokens.extend(tokens[len(self._tokens) :])
        length = min(most, self._length())
        place = self._found() if length > 0 or self._left_out >= _PATIENCE else None
        if place is None:
            return ()
        if length <= 0:
            length = min(most, 1)
        guessed = self._tokens[place : place + length].tolist()
        while len(guessed) < length:  # what goes round goes on
            guessed.append(guessed[place - len(self._tokens)])
        return tuple(guessed[: guessed.index(_MEDIUM)] if _MEDIUM in guessed else guessed)

    def learn(self, guessed: int, right: int) -> None:
        """Count how many of the last guess were right: the first ones, up to one that was not."""
        self._left_out = 0
        self._hits = self._hits * _FORGET + right
        self._trials = self._trials * _FORGET + right + (right < guessed)

    def _length(self) -> int:
        """How many guesses bring most tokens for the time that they take; counts what is left out."""
        length = best_length(self._hits / self._trials)
        self._left_out += length == 0
        return length

    def _found(self) -> int | None:
        """Behind where the last tokens stood before, the last time."""
        width, known = self._tokens.itemsize, self._tokens.tobytes()
        for count in range(_LONGEST, _SHORTEST - 1, -1):
            wanted = known[-count * width :]
            at = len(known) - count * width  # what is found begins before, so that they do not find themselves
            while at > 0 and (at := known.rfind(wanted, 0, at + len(wanted) - 1)) >= 0:
                if at % width == 0:
                    return at // width + count
        return None


def best_length(right: float, most: int = MOST_DRAFTED) -> int:
    """How many tokens to guess where such a share of guesses is right, each if the one before is; 0 does not pay.

    Guessing L brings 1 + p + … + p^L tokens on average, for 1 + L times the share that a row more takes.
    """
    best, length, tokens = 1.0, 0, 1.0
    for count in range(1, most + 1):
        tokens += right**count
        rate = tokens / (1 + _ROW_SHARE * count)
        if rate > best:
            best, length = rate, count
    return length


class Drafters:
    """Guesses for the sequences of a step, where few run.

    Args:
        blocks: Where keys and values of guesses find room.
        most: Tokens that are guessed for a sequence at most.
    """

    def __init__(self, blocks: BlockManager, most: int) -> None:
        self._blocks, self.most = blocks, most
        self._drafters: WeakKeyDictionary[Sequence, Drafter] = WeakKeyDictionary()
        self.guessed = 0
        """Tokens that were guessed,"""
        self.right = 0
        """and of them those that were right."""

    def drafted(self, work: Items[Work]) -> list[Work]:
        """The work of a step with guesses behind single tokens, oldest sequence first."""
        left = min(self.most * len(work), MOST_ROWS - sum(one.tokens == 1 for one in work))
        out = []
        for one in work:
            draft = self._draft(one, min(left, self.most)) if left > 0 and _may(one) else ()
            left -= len(draft)
            out.append(one._replace(draft=draft) if draft else one)
        return out

    def learn(self, work: Work, right: int) -> None:
        """Count how many of a work's guesses were right."""
        if not work.draft:
            return
        self.guessed += len(work.draft)
        self.right += right
        self._drafters[work.sequence].learn(len(work.draft), right)

    def _draft(self, work: Work, most: int) -> tuple[int, ...]:
        sequence = work.sequence
        most = min(most, sequence.max_tokens - (len(sequence.tokens) - sequence.prompt_tokens) - 1)
        if most <= 0:
            return ()
        drafter = self._drafters.get(sequence)
        if drafter is None:
            media = zip(sequence.media, sequence.starts, strict=True)
            spans = [(start, start + medium.tokens) for medium, start in media]
            drafter = self._drafters[sequence] = Drafter(sequence.tokens, spans)
        draft = drafter.guess(sequence.tokens, most)
        return draft[: self._blocks.room(sequence, len(draft))]


def _may(work: Work) -> bool:
    """Whether greedy choice alone decides on what comes."""
    sequence = work.sequence
    return work.tokens == 1 and work.last and sequence.sampler.greedy and not sequence.views
