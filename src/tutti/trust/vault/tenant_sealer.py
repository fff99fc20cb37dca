"""What seals for one tenant: the `Sealer` that searching, caches and the server are given.

A sealed blob is `magic (6) · name of the key (8) · nonce (24) · ciphertext · tag (16)`: 54 bytes more than the content.
Authenticated with it are magic, key and context; the context says what a thing is and where it belongs
(`"index row 4f2…"`), and opening asks for the same, so that a blob cannot be put in another's place.

Rooms to come (feedback, drafts) use it in the same way: a file or a row each is one `seal(content, context)`, with the
kind of thing and its own name in the context (`"feedback 17"`, `"draft 2026-11/3"`); where the name of a file would
tell something, its name is `digest(name)`. `tutti.trust.vault.SealedFiles` is a folder of that kind, ready to use.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tutti.errors import InputError
from tutti.trust.vault import aead

MAGIC = b"tutti\x01"
_NAME_BYTES = 8
HEAD_BYTES = len(MAGIC) + _NAME_BYTES


class KeyRing(NamedTuple):
    """A tenant's keys, unwrapped."""

    state: tuple[int, ...]
    """Of the file that they came from: another one means other keys."""
    keys: Mapping[bytes, bytes]
    """Name → key."""
    active: bytes
    """The name of the key that seals."""
    first: bytes
    """The oldest key, from which that of digests is derived, so that it stays."""


class TenantSealer:
    """Seals and opens for a tenant. Threads may share it, and so may processes that are forked.

    Args:
        tenant: Whose.
        load: The tenant's keys as they are now.
        state: What the file of keys looks like now, cheaply; raises where the tenant was erased.
    """

    def __init__(self, tenant: str, load: Callable[[], KeyRing], state: Callable[[], tuple[int, ...]]) -> None:
        self.tenant = tenant
        self._load, self._state = load, state
        self._lock = threading.Lock()
        self._ring = load()

    def __repr__(self) -> str:
        return f"TenantSealer({self.tenant!r})"

    def seal(self, content: bytes, context: str) -> bytes:
        """Content as it may lie on a disk.

        Args:
            content: What is encrypted.
            context: What it is and where it belongs; not kept, and needed to open it.

        Raises:
            InputError: The tenant was erased.
        """
        ring = self._current()
        head = MAGIC + ring.active
        return head + aead.sealed(ring.keys[ring.active], content, head + context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The content again, all of it or none.

        Raises:
            InputError: It was not sealed, or with a key that the tenant has not, or as something else, or was changed
                or cut; or the tenant was erased.
        """
        ring = self._current()
        if sealed[: len(MAGIC)] != MAGIC or len(sealed) < HEAD_BYTES:
            raise InputError(
                f"Of tenant {self.tenant!r}, something is not sealed or was cut; restore it from your copy."
            )
        head = sealed[:HEAD_BYTES]
        key = ring.keys.get(head[len(MAGIC) :])
        if key is None:
            raise InputError(
                f"Something was sealed with key {head[len(MAGIC) :].hex()}, which tenant {self.tenant!r} has not in "
                "this vault; open it with the vault and the tenant that it was sealed with."
            )
        try:
            return aead.opened(key, sealed[HEAD_BYTES:], head + context.encode())
        except ValueError:
            raise InputError(
                f"What was sealed for tenant {self.tenant!r} was changed, cut, or put in another's place; nothing of "
                "it was read. Restore it from your copy."
            ) from None

    def digest(self, text: str) -> str:
        """64 hexadecimal digits that stand for a text: always the same, and without the key they say nothing of it."""
        own = hmac.digest(self._current().first, b"tutti digests", "sha256")
        return hmac.new(own, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def _current(self) -> KeyRing:
        with self._lock:
            if self._state() != self._ring.state:
                self._ring = self._load()
            return self._ring
