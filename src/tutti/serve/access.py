"""Which hosts a server goes by, and which browser pages from elsewhere may ask it (cross-origin resource sharing).

Source: the Fetch standard, section 3.3 (the CORS protocol).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tutti.errors import InputError

Headers: TypeAlias = list[tuple[bytes, bytes]]
ANY = "*"
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_METHODS = b"GET, POST, DELETE, OPTIONS"
_EXPOSED = b"x-request-id, request-id, retry-after"
_AGE_S = b"600"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask from a browser, and by which names."""

    origins: frozenset[str] = frozenset()
    """Of pages from elsewhere, as `https://chat.example`; `*` is every page."""
    hosts: frozenset[str] = frozenset()
    """Names that this machine goes by besides `localhost`, where there are no keys."""

    def check(self, has_keys: bool) -> None:
        """Refuse what would open the server further than was meant.

        Raises:
            InputError: Every page may ask and there are no keys, or an origin is none.
        """
        for origin in self.origins:
            if origin != ANY and ("://" not in origin or origin.count("/") != 2):
                raise InputError(f"{origin[:80]!r} is no origin; expected one such as https://chat.example:8080, or *.")
        if ANY in self.origins and not has_keys:
            raise InputError(
                "With --allow-origin '*' and without keys, every page that a browser on this machine shows could ask; "
                "name the origins, or give --keys FILE."
            )

    def allows(self, origin: str | None) -> bool:
        """Whether pages of an origin may ask."""
        return origin is not None and (origin in self.origins or ANY in self.origins)

    def is_own(self, headers: Mapping[str, str]) -> bool:
        """Whether a request was made to this machine by one of its names, and by no page from elsewhere."""
        host, origin = headers.get("host", ""), headers.get("origin")
        name = host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0] or host
        if name not in _OWN_NAMES | self.hosts:
            return False
        return origin is None or origin.rpartition("://")[2] == host or self.allows(origin)

    def preflight(self, headers: Mapping[str, str]) -> Headers:
        """The answer to a browser's preflight request (CORS) for a page of an allowed origin."""
        told = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _AGE_S),
        ]
        wanted = headers.get("access-control-request-headers")
        if wanted is not None:
            told.append((b"access-control-allow-headers", wanted.encode("latin-1")))
        if headers.get("access-control-request-private-network") == "true":
            told.append((b"access-control-allow-private-network", b"true"))
        return told

    def told(self, origin: str | None) -> Headers:
        """Headers of every response to a page of an origin."""
        if origin is None or not self.allows(origin):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        ]


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks beforehand; it sends no key with that."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
