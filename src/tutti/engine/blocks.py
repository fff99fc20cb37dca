"""Blocks of the key-value cache: who holds which, and which hold something worth finding again.

Source: paged attention: Kwon et al. 2023 (vLLM), section 4. We differ in: blocks of a sequence are laid side by side
where there is room, so that the runner can read them as a view instead of gathering them.
"""

from __future__ import annotations

from collections import OrderedDict

from tutti.engine.sequence import Sequence
from tutti.errors import ContextOverflow


class BlockManager:
    """Accounts for the blocks; the tensors themselves belong to the runner.

    A block is *held* while sequences count on it. A block that was full when its last sequence let it go is *kept*:
    free to be taken, but found again by its digest until then. All others are *blank*.

    Args:
        blocks: How many there are.
        block_tokens: Tokens a block holds.
    """

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.blocks = blocks
        self.block_tokens = block_tokens
        self._holders = [0] * blocks
        self._blank = set(range(blocks))
        self._kept: OrderedDict[int, None] = OrderedDict()  # least recently let go first
        self._by_digest: dict[bytes, int] = {}
        self._digest_of: dict[int, bytes] = {}
        self._expected: dict[bytes, Sequence] = {}  # full blocks of prompts that a running sequence will compute

    @property
    def free(self) -> int:
        """Blocks that can be taken."""
        return len(self._blank) + len(self._kept)

    @property
    def capacity_tokens(self) -> int:
        """Tokens that fit if one sequence holds everything."""
        return self.blocks * self.block_tokens

    def holders(self, block: int) -> int:
        """How many sequences count on a block."""
        return self._holders[block]

    def check(self, tokens: int) -> None:
        """Refuse a sequence that would not fit even alone.

        Raises:
            ContextOverflow: It would not.
        """
        if tokens > self.capacity_tokens:
            raise ContextOverflow(
                f"The request needs keys and values of {tokens} tokens, but the cache holds {self.capacity_tokens}; "
                "shorten the prompt or give the engine a larger cache."
            )

    def awaits(self, sequence: Sequence) -> bool:
        """Whether a running sequence is just computing a block that this one can share as soon as it is there."""
        shared = len(self._shared(sequence))
        return shared < self._shareable(sequence) and sequence.digest(shared) in self._expected

    def admit(self, sequence: Sequence) -> bool:
        """Give a sequence blocks for all its tokens, sharing those that are already computed.

        Returns:
            False, and nothing is taken, when too few blocks are free.
        """
        shared = self._shared(sequence)
        needed = -(-len(sequence.tokens) // self.block_tokens) - len(shared)
        if needed > self.free - sum(1 for block in shared if not self._holders[block]):
            return False
        for block in shared:
            self._hold(block)
        sequence.blocks = list(shared)
        sequence.contiguous = all(block == shared[0] + place for place, block in enumerate(shared))
        sequence.computed = sequence.reused_tokens = len(shared) * self.block_tokens
        hoped = -(-(sequence.prompt_tokens + sequence.max_tokens) // self.block_tokens) - len(shared)
        for _ in range(needed):
            self._extend(sequence, hoped)
        for index in range(len(shared), self._shareable(sequence)):
            self._expected.setdefault(sequence.digest(index), sequence)
        return True

    def room(self, sequence: Sequence, tokens: int) -> int:
        """Make room for more tokens behind a running sequence's own, as far as blank blocks go; for how many it is."""
        while len(sequence.blocks) * self.block_tokens < len(sequence.tokens) + tokens and self._blank:
            self._extend(sequence, 1)
        return min(tokens, len(sequence.blocks) * self.block_tokens - len(sequence.tokens))

    def grow(self, sequence: Sequence) -> bool:
        """Make room for all of a running sequence's tokens; False (and nothing taken) when no block is free."""
        if len(sequence.blocks) * self.block_tokens >= len(sequence.tokens):
            return True
        if not self.free:
            return False
        self._extend(sequence, 1)
        return True

    def commit(self, sequence: Sequence, computed: int) -> None:
        """Record that so many tokens of a sequence are computed, and make its newly full blocks known to others."""
        first, stop = sequence.computed // self.block_tokens, computed // self.block_tokens
        sequence.computed = computed
        for index in range(first, stop):
            digest, block = sequence.digest(index), sequence.blocks[index]
            if self._expected.get(digest) is sequence:
                del self._expected[digest]
            if digest not in self._by_digest:
                self._by_digest[digest] = block
                self._digest_of[block] = digest

    def release(self, sequence: Sequence) -> None:
        """Let go of everything a sequence holds."""
        for index in range(sequence.computed // self.block_tokens, self._shareable(sequence)):
            if self._expected.get(sequence.digest(index)) is sequence:
                del self._expected[sequence.digest(index)]
        # From the end, so that of a chain the last links are taken first: a chain is found from its beginning.
        for block in reversed(sequence.blocks):
            self._holders[block] -= 1
            if self._holders[block]:
                continue
            if block in self._digest_of:
                self._kept[block] = None
            else:
                self._blank.add(block)
        sequence.blocks = []
        sequence.computed = 0

    def _shareable(self, sequence: Sequence) -> int:
        """Full blocks, but never the last token's: from its hidden state the next token is drawn."""
        return (len(sequence.tokens) - 1) // self.block_tokens

    def _shared(self, sequence: Sequence) -> list[int]:
        """Blocks already computed that hold the beginning of this sequence."""
        found: list[int] = []
        for index in range(self._shareable(sequence)):
            block = self._by_digest.get(sequence.digest(index))
            if block is None:
                break
            found.append(block)
        return found

    def _extend(self, sequence: Sequence, hoped: int) -> None:
        """Append one block: the one beside the last if it is free, else where the sequence may grow longest."""
        beside = sequence.blocks[-1] + 1 if sequence.blocks else -1
        if beside in self._blank or beside in self._kept:
            block = beside
        elif hoped > 1:
            block = self._start_of_run(hoped)
        else:
            block = next(iter(self._blank)) if self._blank else next(iter(self._kept))
        self._hold(block, forget=True)
        if sequence.blocks and block != beside:
            sequence.contiguous = False
        sequence.blocks.append(block)

    def _start_of_run(self, hoped: int) -> int:
        """Where to begin a sequence of `hoped` blocks: among the blank ones if they have room, else among all free.

        In a run behind another sequence's blocks it begins in the middle, so that both can grow.
        """
        start, length = self._longest_run(self._blank)
        if length < hoped:
            start, length = self._longest_run(self._blank | self._kept.keys())
        slack = (length - hoped) // 2
        return start + slack if start and slack > 0 else start

    @staticmethod
    def _longest_run(free: set[int]) -> tuple[int, int]:
        best = (0, 0)
        start = previous = -2
        for block in sorted(free):
            if block != previous + 1:
                start = block
            previous = block
            if block - start + 1 > best[1]:
                best = (start, block - start + 1)
        return best

    def _hold(self, block: int, forget: bool = False) -> None:
        self._blank.discard(block)
        self._kept.pop(block, None)
        if forget and (digest := self._digest_of.pop(block, None)) is not None:
            del self._by_digest[digest]
        self._holders[block] += 1
