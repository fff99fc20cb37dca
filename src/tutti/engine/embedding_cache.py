"""Embeddings of media that were encoded before, so that a second question on the same medium encodes nothing."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

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


class EmbeddingCache:
    """A bounded store, least recently used out first. Safe to share between threads and engines.

    Args:
        max_bytes: Most bytes of embeddings kept; a larger embedding is not kept at all.
    """

    def __init__(self, max_bytes: int = 256 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        """Bytes held now."""
        self.hits = 0
        """Look-ups that found something."""
        self.misses = 0
        """Look-ups that found nothing."""
        self._entries: OrderedDict[bytes, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Tensor | None:
        """The embedding (N, D) kept under this key, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return found

    def put(self, key: bytes, embedding: Tensor) -> None:
        """Keep an embedding (N, D), and drop the least recently used ones until all fit."""
        size = embedding.numel() * embedding.element_size()
        with self._lock:
            if (old := self._entries.pop(key, None)) is not None:
                self.bytes -= old.numel() * old.element_size()
            if size > self.max_bytes:
                return
            # A view would keep alive the whole tensor that it looks into, which the budget does not count.
            self._entries[key] = embedding.detach().clone()
            self.bytes += size
            while self.bytes > self.max_bytes:
                _, dropped = self._entries.popitem(last=False)
                self.bytes -= dropped.numel() * dropped.element_size()
