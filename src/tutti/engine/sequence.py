"""A sequence: one request's tokens, media, options, random numbers and state. It owns every fact about itself."""

from __future__ import annotations

import hashlib
import sys
from array import array

from torch import Tensor

from tutti.content import FinishReason, SamplingOptions
from tutti.engine.sampling import Constraint, Sampler
from tutti.errors import InputError
from tutti.models.layers.adapted import NO_ADAPTER
from tutti.models.layers.attention import MediaMemory
from tutti.processing.prompt import Prompt, View


class Sequence:
    """One request on its way through the engine.

    Args:
        arrival: Its place in the order of requests; the highest is the youngest.
        prompt: Its ids must not be empty.
        options: How tokens are drawn.
        tenant: Whose it is; nothing is shared between tenants.
        max_tokens: Most tokens to generate, at most what `options` asks.
        block_tokens: Tokens a block of the key-value cache holds.
        constraint: What the answer must keep to, if anything.
        adapter: Number of the adapter that it goes through; nothing is shared between adapters.

    Raises:
        InputError: An option is outside its range.
    """

    def __init__(
        self,
        arrival: int,
        prompt: Prompt,
        options: SamplingOptions,
        tenant: str,
        max_tokens: int,
        block_tokens: int,
        constraint: Constraint | None = None,
        adapter: int = NO_ADAPTER,
    ) -> None:
        self.arrival = arrival
        self.adapter = adapter
        self.options = options
        self.max_tokens = max_tokens
        self.tokens: list[int] = prompt.input_ids.tolist()
        """Prompt and answer."""
        self.prompt_tokens = len(self.tokens)
        self.media = tuple(prompt.media)
        self.starts = tuple(prompt.starts)
        self.views = tuple(prompt.views)
        self.looked_at: dict[int, int] = {}
        """Number of a medium that tokens look at → how many of its states they see at most."""
        for view in self.views:
            self.looked_at[view.medium] = max(view.states, self.looked_at.get(view.medium, 0))
        self.tenant = tenant
        self.embeddings: dict[int, Tensor] = {}
        """Medium's number → (N, D), while its places are being computed."""
        self.memories: dict[int, MediaMemory] = {}
        """Medium's number → its keys and values, while the sequence runs and its tokens look at them."""
        self.blocks: list[int] = []
        """Blocks of the cache that hold its keys and values, in order."""
        self.contiguous = True
        """Whether those blocks lie side by side, in order."""
        self.computed = 0
        """How many of its tokens have keys and values in those blocks."""
        self.reused_tokens = 0
        """Tokens of the prompt found in the cache when it was last admitted."""
        self.finish_reason: FinishReason | None = None
        self.error: Exception | None = None
        """Why it failed, if it did."""
        self._block_tokens = block_tokens
        self._digests: list[bytes] = []
        spans = [(start, start + medium.tokens) for medium, start in zip(self.media, self.starts, strict=True)]
        self.media_stop = spans[-1][1] if spans else 0
        """Behind this position there are no media."""
        filled = {position for start, stop in spans for position in range(start, stop)}
        present = (token for place, token in enumerate(self.tokens) if place not in filled)
        self.sampler = Sampler(options, present, constraint)

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.finish_reason is not None or self.error is not None

    @property
    def generated(self) -> list[int]:
        """The answer's tokens so far."""
        return self.tokens[self.prompt_tokens :]

    def view_stop(self, view: View) -> int:
        """The place behind the last token that looks, those of the answer included where it is theirs, too."""
        return sys.maxsize if view.stop == self.prompt_tokens else view.stop

    def digest(self, block: int) -> bytes:
        """256 bits for everything that the keys and values of this full block depend on.

        Chained: each block's digest holds the one before, the first one the tenant, and all of them the adapter. Media
        enter by their own digest, since every placeholder has the same token id, and where they are looked at, too.
        """
        while len(self._digests) <= block:
            self._digests.append(self._next_digest())
        return self._digests[block]

    def _next_digest(self) -> bytes:
        start = len(self._digests) * self._block_tokens
        stop = start + self._block_tokens
        before = self._digests[-1] if self._digests else hashlib.sha256(self.tenant.encode()).digest()
        digest = hashlib.sha256(before)
        digest.update(self.adapter.to_bytes(4, "little", signed=True))
        digest.update(array("q", self.tokens[start:stop]).tobytes())
        for medium, place in zip(self.media, self.starts, strict=True):
            if place < stop and place + medium.tokens > start:
                digest.update(hashlib.sha256(f"{medium.modality}\0{medium.digest}".encode()).digest())
                digest.update((place - start).to_bytes(8, "little", signed=True))
        for view in self.views:
            first, last = max(view.first, start), min(self.view_stop(view), stop)
            if first < last:
                medium = self.media[view.medium]
                looked_at = f"{medium.modality}\0{medium.digest}\0{first - start}\0{last - start}\0{view.states}"
                digest.update(hashlib.sha256(looked_at.encode()).digest())
        return digest.digest()


def check_prompt(prompt: Prompt) -> None:
    """Refuse a prompt that is empty or whose media do not fit their places.

    Raises:
        InputError: It is, or they do not.
    """
    if not len(prompt.input_ids):
        raise InputError("The prompt is empty; expected at least one token.")
    if len(prompt.media) != len(prompt.starts):
        raise InputError(
            f"The prompt has {len(prompt.media)} media but {len(prompt.starts)} places; expected one place for each."
        )
    behind = 0
    for number, (medium, start) in enumerate(zip(prompt.media, prompt.starts, strict=True)):
        if start < behind or start + medium.tokens > len(prompt.input_ids):
            raise InputError(
                f"Medium {number} ({medium.modality}) is to fill tokens {start} to {start + medium.tokens} of a prompt "
                f"of {len(prompt.input_ids)}; expected places inside the prompt, behind those of the medium before."
            )
        behind = start + medium.tokens
    for view in prompt.views:
        within = 0 <= view.first < view.stop <= len(prompt.input_ids)
        if not (within and 0 <= view.medium < len(prompt.media) and view.states > 0):
            raise InputError(
                f"Tokens {view.first} to {view.stop} of a prompt of {len(prompt.input_ids)} are to look at "
                f"{view.states} states of medium {view.medium} of {len(prompt.media)}; expected tokens of the prompt, "
                "one of its media and at least one state."
            )
