"""Embeddings of media that were encoded before, so that a second question on the same medium encodes nothing.

What goes first when there is no room is what costs least to compute again for the bytes it takes, and of those, what
was not used for longest. Source: GreedyDual-Size: Cao and Irani 1997, section 3.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from itertools import count
from typing import Protocol

from torch import Tensor


def embedding_key(tenant: str, modality: str, digest: str, weights_digest: str) -> bytes:
    """What an embedding depends on, as 256 bits. Tenants never share an entry, so none can learn what another sent.

    Args:
        tenant: Who asks.
        modality: Which trunk encodes.
        digest: Of the decoded arrays: dtype, shape and bytes.
        weights_digest: Of the model.
    """
    key = hashlib.sha256()
    for part in (tenant, modality, digest, weights_digest):
        data = part.encode()
        key.update(len(data).to_bytes(8, "little"))
        key.update(data)
    return key.digest()


class Worth:
    """Which of many entries goes first: the account behind a bounded store.

    Args:
        max_bytes: Most bytes of all entries together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        """Bytes of all entries."""
        self._entries: dict[bytes, tuple[int, float]] = {}
        self._ranks: dict[bytes, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, bytes]] = []
        self._inflation = 0.0  # rises to the worth of what was dropped, so that old worth fades
        self._uses = count()

    def add(self, key: bytes, size: int, seconds: float) -> list[bytes]:
        """Enter an entry of `size` bytes that took `seconds` to compute.

        Returns:
            The keys of the entries that have to go for it; its own if it alone is too large.
        """
        self.remove(key)
        self._entries[key] = (size, seconds / max(1, size))
        self.bytes += size
        self.use(key)
        dropped = [key] if size > self.max_bytes else []
        while self.bytes - (size if dropped[:1] == [key] else 0) > self.max_bytes:
            dropped.append(self._least())
            self._inflation = self._ranks[dropped[-1]][0]
            self.remove(dropped[-1])
        if dropped[:1] == [key]:
            self.remove(key)
        return dropped

    def use(self, key: bytes) -> None:
        """Count an entry as used just now."""
        rank = (self._inflation + self._entries[key][1], next(self._uses))
        self._ranks[key] = rank
        heapq.heappush(self._heap, (*rank, key))
        if len(self._heap) > 64 + 4 * len(self._ranks):  # mostly ranks that are no longer true
            self._heap = [(*rank, key) for key, rank in self._ranks.items()]
            heapq.heapify(self._heap)

    def remove(self, key: bytes) -> None:
        """Forget an entry, if there is one."""
        if key in self._entries:
            self.bytes -= self._entries.pop(key)[0]
            del self._ranks[key]

    def _least(self) -> bytes:
        while True:
            worth, use, key = heapq.heappop(self._heap)
            if self._ranks.get(key) == (worth, use):
                return key


class Shelf(Protocol):
    """A second place, larger and slower, that outlives the process. Implementation: `tutti.engine.embedding_shelf`."""

    def get(self, key: bytes, tenant: str = "") -> tuple[Tensor, float] | None:
        """The embedding kept for a tenant under this key and the seconds it took to compute, or None."""
        ...

    def put(self, key: bytes, embedding: Tensor, seconds: float, tenant: str = "") -> None:
        """Keep an embedding for a tenant."""
        ...


class EmbeddingCache:
    """A bounded store in memory, and behind it perhaps one on disk. Safe to share between threads and engines.

    Args:
        max_bytes: Most bytes of embeddings kept in memory; a larger embedding is not kept there at all. A picture of
            Llama-3.2-Vision takes 105 MB in float32.
        shelf: The store behind it.
    """

    def __init__(self, max_bytes: int = 256 * 2**20, shelf: Shelf | None = None) -> None:
        self.hits = 0
        """Look-ups that found something."""
        self.misses = 0
        """Look-ups that found nothing."""
        self._shelf = shelf
        self._worth = Worth(max_bytes)
        self._entries: dict[bytes, Tensor] = {}
        self._lock = threading.Lock()

    @property
    def max_bytes(self) -> int:
        """Most bytes held in memory."""
        return self._worth.max_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes held in memory now."""
        return self._worth.bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, tenant: str = "") -> Tensor | None:
        """The embedding (N, D), on the CPU, kept under this key, which holds the tenant already, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self.hits += 1
                self._worth.use(key)
                return found
        shelved = self._shelf.get(key, tenant) if self._shelf is not None else None
        with self._lock:
            if shelved is None:
                self.misses += 1
                return None
            self.hits += 1
            self._keep(key, *shelved)
            return shelved[0]

    def put(self, key: bytes, embedding: Tensor, seconds: float = 0.0, tenant: str = "") -> None:
        """Keep an embedding (N, D) that took `seconds` to compute; others give way until all fit."""
        # A view would keep alive the whole tensor that it looks into, which the budget does not count.
        # On the CPU, wherever the model is: a GPU's memory is for weights, keys and values.
        embedding = embedding.detach().cpu() if embedding.device.type != "cpu" else embedding.detach().clone()
        with self._lock:
            self._keep(key, embedding, seconds)
        if self._shelf is not None:
            self._shelf.put(key, embedding, seconds, tenant)

    def _keep(self, key: bytes, embedding: Tensor, seconds: float) -> None:
        self._entries[key] = embedding
        for dropped in self._worth.add(key, embedding.numel() * embedding.element_size(), seconds):
            del self._entries[dropped]
