"""Who runs now: every running sequence decodes each step, and prompts are read in chunks with what budget is left.

Sources: iteration-level scheduling: Yu et al. 2022 (Orca), section 3; chunked prefill: Agrawal et al. 2024
(Sarathi-Serve), section 4; preemption by recomputing: Kwon et al. 2023 (vLLM), section 4.5.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

from tutti.engine.blocks import BlockManager
from tutti.engine.media_budget import MediaBudget
from tutti.engine.sequence import Sequence


class Work(NamedTuple):
    """A sequence's share of a step: its next so many tokens that are not computed yet."""

    sequence: Sequence
    tokens: int
    draft: tuple[int, ...] = ()
    """Guesses at what follows, which the step checks."""

    @property
    def stop(self) -> int:
        """How many tokens are computed after this work."""
        return self.sequence.computed + self.tokens

    @property
    def last(self) -> bool:
        """Whether a new token is drawn after this work, or only a chunk of the prompt is read."""
        return self.stop == len(self.sequence.tokens)

    @property
    def rows(self) -> int:
        """Tokens that the step computes for it, guesses and all."""
        return self.tokens + len(self.draft)

    @property
    def asked(self) -> int:
        """Logits that are asked for: behind its last token, and behind each guess."""
        return 1 + len(self.draft) if self.last else 0


class Scheduler:
    """Two queues, oldest first. The oldest running sequence is never set back, so all come to their end.

    Args:
        blocks: Where room for keys and values is taken from.
        max_running: Most sequences that run at once.
        step_tokens: Most tokens of a step; above `max_running`, so that prompts advance while all others decode.
        media: Where room for what is looked at is taken from; nothing is looked at if None.
    """

    def __init__(
        self, blocks: BlockManager, max_running: int, step_tokens: int, media: MediaBudget | None = None
    ) -> None:
        self.blocks = blocks
        self.media = media or MediaBudget()
        self.max_running = max_running
        self.step_tokens = step_tokens
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.preemptions = 0
        """How often a sequence was set back to make room."""

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        insort(self.waiting, sequence, key=_arrival)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence that is done, and free its blocks."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._release(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)

    def schedule(self) -> list[Work]:
        """Decide the next step."""
        preemptions = self.preemptions
        work = self._decodes()
        budget = self.step_tokens - len(work)
        for sequence in self.running:
            pending = len(sequence.tokens) - sequence.computed
            if pending > 1 and budget:
                work.append(Work(sequence, min(pending, budget)))
                budget -= work[-1].tokens
        # What a preemption has freed is for those who run; admitting someone to it would only set them back again.
        if self.waiting and preemptions == self.preemptions:
            self._admit(work, budget)
        return work

    def _decodes(self) -> list[Work]:
        """One token for each sequence whose prompt is read, oldest first; the youngest gives way if blocks run out."""
        work: list[Work] = []
        place = 0
        while place < len(self.running):
            sequence = self.running[place]
            if len(sequence.tokens) - sequence.computed == 1:
                while not self.blocks.grow(sequence):
                    if self._preempt_youngest() is sequence:
                        return work
                work.append(Work(sequence, 1))
            place += 1
        return work

    def _preempt_youngest(self) -> Sequence:
        sequence = self.running.pop()
        self._release(sequence)
        sequence.memories.clear()
        self.preemptions += 1
        insort(self.waiting, sequence, key=_arrival)
        return sequence

    def _admit(self, work: list[Work], budget: int) -> None:
        """Start waiting sequences in order of arrival, while there is room.

        One that waits only for a block that another is computing is passed over; one that lacks room is not, or a long
        prompt would wait forever while short ones slip by.
        """
        for sequence in list(self.waiting):
            if not budget or len(self.running) >= self.max_running:
                return
            if self.blocks.awaits(sequence):
                continue
            if not self.media.admit(sequence):
                return
            if not self.blocks.admit(sequence):
                self.media.release(sequence)
                return
            self.waiting.remove(sequence)
            insort(self.running, sequence, key=_arrival)
            work.append(Work(sequence, min(len(sequence.tokens) - sequence.computed, budget)))
            budget -= work[-1].tokens

    def _release(self, sequence: Sequence) -> None:
        self.blocks.release(sequence)
        self.media.release(sequence)


def _arrival(sequence: Sequence) -> int:
    return sequence.arrival
