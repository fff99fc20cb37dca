"""Keys and values of media that text looks at: how many bytes of them running sequences may hold, and do."""

from __future__ import annotations

from tutti.engine.sequence import Sequence
from tutti.errors import CapacityError

_Memory = tuple[str, str, str, int]
"""Tenant, modality, digest and states: those who look at the same hold it once."""


class MediaBudget:
    """Accounts for the memories; the tensors themselves belong to the runner and the sequences.

    Args:
        budget_bytes: Most that all running sequences hold together.
        state_bytes: What a state of a medium takes; 0 for a model whose text does not look at media.
    """

    def __init__(self, budget_bytes: int = 0, state_bytes: int = 0) -> None:
        self.budget_bytes = budget_bytes
        self._state_bytes = state_bytes
        self._holders: dict[_Memory, int] = {}

    @property
    def held_bytes(self) -> int:
        """What running sequences hold."""
        return self._bytes(set(self._holders))

    def check(self, sequence: Sequence) -> None:
        """Refuse a sequence whose media would not fit even alone.

        Raises:
            CapacityError: They would not.
        """
        if (needed := self._bytes(_memories(sequence))) > self.budget_bytes:
            raise CapacityError(
                f"The request's media need keys and values of {needed:,} bytes, but the cache holds "
                f"{self.budget_bytes:,} of media; give fewer media or give the engine a larger cache."
            )

    def admit(self, sequence: Sequence) -> bool:
        """Count a sequence's media in; False, and nothing is counted, when there is no room for them."""
        wanted = _memories(sequence)
        if self._bytes(wanted | set(self._holders)) > self.budget_bytes:
            return False
        for memory in wanted:
            self._holders[memory] = self._holders.get(memory, 0) + 1
        return True

    def release(self, sequence: Sequence) -> None:
        """Count the media of an admitted sequence out."""
        for memory in _memories(sequence):
            self._holders[memory] -= 1
            if not self._holders[memory]:
                del self._holders[memory]

    def _bytes(self, memories: set[_Memory]) -> int:
        return sum(states for *_, states in memories) * self._state_bytes


def _memories(sequence: Sequence) -> set[_Memory]:
    media = ((sequence.media[number], states) for number, states in sequence.looked_at.items())
    return {(sequence.tenant, medium.modality, medium.digest, states) for medium, states in media}
