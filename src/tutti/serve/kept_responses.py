"""Responses that are kept for a while, so that a conversation goes on: bounded in number, bytes and time per tenant."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tutti.content import Media, Message, Text

Absence: TypeAlias = Literal["never", "deleted", "expired", "evicted", "restarted"]
"""Why a response is not here."""
_ID = re.compile(r"resp_([0-9a-f]{8})([0-9a-f]{8})([0-9a-f]{16})([0-9a-f]{16})")
_DELETED = 4096
"""Deleted ids that are remembered for a tenant; older ones count as evicted."""
_OF_A_MESSAGE = 200
"""Bytes of a message beside its content, roughly,"""
_OF_A_VALUE = 50
"""and of a value of JSON."""


@dataclass(frozen=True, kw_only=True)
class KeptLimits:
    """How much is kept."""

    responses: int = 256
    """Of one tenant; the oldest makes room."""
    bytes: int = 64 * 2**20
    """Of one tenant, media included."""
    all_bytes: int = 512 * 2**20
    """Of all tenants together."""
    seconds: float = 3600.0
    """How long a response is kept."""


@dataclass(frozen=True, kw_only=True)
class KeptResponse:
    """A response, and the conversation that it ends."""

    response: dict[str, Any]
    """As it was sent."""
    items: Sequence[dict[str, Any]]
    """What was asked, as it was sent."""
    turns: tuple[Message, ...]
    """All turns up to the answer, media included, without instructions."""

    @property
    def size(self) -> int:
        """Bytes, roughly; media are held as they were sent, too, in base64."""
        turns = sum(_OF_A_MESSAGE + sum(_bytes(part) for part in turn.parts) for turn in self.turns)
        return turns + _json_bytes(self.response) + _json_bytes(self.items)


def _json_bytes(value: object) -> int:
    """Of strings in lists and dictionaries, and roughly of what holds them."""
    if isinstance(value, str):
        return _OF_A_VALUE + len(value)
    if isinstance(value, dict):
        return _OF_A_VALUE + sum(_OF_A_VALUE + _json_bytes(one) for one in value.values())
    if isinstance(value, list | tuple):
        return _OF_A_VALUE + sum(map(_json_bytes, value))
    return _OF_A_VALUE


def _bytes(part: Text | Media) -> int:
    if isinstance(part, Text):
        return len(part.text.encode(errors="replace"))
    source = part.source
    return len(source) if isinstance(source, (bytes, str)) else int(getattr(source, "nbytes", 0))


class KeptResponses:
    """The responses of all tenants, in memory.

    An id tells who it was made for, in which run of the server and when, and is signed with a key of the run: so one
    that is not here any more can be told from one that never was, without remembering it.

    Args:
        limits: How much is kept.
        clock: Seconds that only grow.
    """

    def __init__(self, limits: KeptLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._run, self._key = secrets.token_hex(4), secrets.token_bytes(32)
        self._begun = clock()
        self._kept: dict[str, OrderedDict[str, tuple[KeptResponse, int]]] = {}
        self._deleted: dict[str, OrderedDict[str, None]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return sum(len(kept) for kept in self._kept.values())

    @property
    def size(self) -> int:
        """Bytes that are held."""
        with self._lock:
            return sum(size for kept in self._kept.values() for _, size in kept.values())

    def new_id(self, tenant: str) -> str:
        """An id for a response of a tenant."""
        head = f"{self._run}{int(self._clock() - self._begun):08x}{secrets.token_hex(8)}"
        return f"resp_{head}{self._signature(tenant, head)}"

    def put(self, tenant: str, name: str, kept: KeptResponse) -> bool:
        """Keep a response; older ones make room. Returns whether it is kept: it is not where it alone is too large."""
        size = kept.size
        with self._lock:
            own = self._kept.setdefault(tenant, OrderedDict())
            self._expire()
            if size > self.limits.bytes:
                return False
            while own and (len(own) >= self.limits.responses or self._held(own) + size > self.limits.bytes):
                own.popitem(last=False)
            while sum(map(self._held, self._kept.values())) + size > self.limits.all_bytes:
                fullest = max(self._kept.values(), key=self._held)
                if not fullest:
                    return False
                fullest.popitem(last=False)
            own[name] = (kept, size)
            return True

    def get(self, tenant: str, name: str) -> KeptResponse | Absence:
        """A response of a tenant, or why it is not here."""
        with self._lock:
            self._expire()
            own = self._kept.get(tenant)
            found = own.get(name) if own is not None else None
            return found[0] if found is not None else self._absence(tenant, name)

    def delete(self, tenant: str, name: str) -> Absence | None:
        """Forget a response. Returns why it is not here, if it is not."""
        with self._lock:
            self._expire()
            if self._kept.get(tenant, OrderedDict()).pop(name, None) is None:
                return self._absence(tenant, name)
            deleted = self._deleted.setdefault(tenant, OrderedDict())
            deleted[name] = None
            if len(deleted) > _DELETED:
                deleted.popitem(last=False)
            return None

    def _absence(self, tenant: str, name: str) -> Absence:
        found = _ID.fullmatch(name)
        if found is None:
            return "never"
        run, made, _, signature = found.groups()
        if run != self._run:
            return "restarted"
        if not hmac.compare_digest(signature, self._signature(tenant, name.removeprefix("resp_")[:32])):
            return "never"
        if name in self._deleted.get(tenant, ()):
            return "deleted"
        return "expired" if self._clock() - self._begun - int(made, 16) > self.limits.seconds else "evicted"

    def _expire(self) -> None:
        """Forget what is too old. The lock is held."""
        now = self._clock() - self._begun
        for kept in self._kept.values():
            while kept and now - int(next(iter(kept))[13:21], 16) > self.limits.seconds:
                kept.popitem(last=False)

    def _signature(self, tenant: str, head: str) -> str:
        return hmac.new(self._key, f"{tenant}\0{head}".encode(), hashlib.sha256).hexdigest()[:16]

    @staticmethod
    def _held(kept: OrderedDict[str, tuple[KeptResponse, int]]) -> int:
        return sum(size for _, size in kept.values())
