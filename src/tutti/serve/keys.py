"""API keys and whose they are. Kept are digests only: who reads the file or the memory learns no key.

Keys are random, 256 bits, so that a plain SHA-256 of one cannot be guessed; a chosen word would need a slow hash, and
is refused by its length.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from tutti.errors import InputError
from tutti.media.text_files import read_lines

_PREFIX = "tutti-"
_SHORTEST = 20
_TENANT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Keys:
    """Which tenant a key belongs to.

    Args:
        tenants: SHA-256 of a key, in hexadecimal → tenant.
    """

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._tenants = dict(tenants)

    def __len__(self) -> int:
        return len(self._tenants)

    @classmethod
    def read(cls, path: Path | None, listed: str | None) -> Keys:
        """Keys of a file and of the environment.

        Args:
            path: A file with a tenant and a digest a line, as `new_key` writes them; `#` begins a comment.
            listed: `TENANT:KEY` pairs with commas between them, in the clear.

        Raises:
            InputError: The file cannot be read, or a line or pair is not of that form.
        """
        tenants: dict[str, str] = {}
        if path is not None:
            tenants |= _from_file(path)
        for pair in filter(None, (listed or "").split(",")):
            tenant, colon, key = pair.strip().partition(":")
            if not colon or not _TENANT.fullmatch(tenant) or len(key) < _SHORTEST:
                raise InputError(
                    "TUTTI_API_KEYS is not of the form TENANT:KEY,TENANT:KEY with keys of "
                    f"{_SHORTEST} characters or more; `tutti serve --new-key TENANT` makes a good one."
                )
            tenants[digest(key)] = tenant
        return cls(tenants)

    def tenant(self, authorization: str | None, plain: str | None = None) -> str | None:
        """Whose a key is; None if none is named that is known.

        Args:
            authorization: The header `Authorization`, as OpenAI's clients send it.
            plain: The header `x-api-key`, as Anthropic's send it; read where the other is not given.
        """
        scheme, _, key = (authorization or f"Bearer {plain or ''}").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return None
        given = digest(key.strip())
        found = None
        for known, tenant in self._tenants.items():  # all of them, so that the time reveals nothing
            if hmac.compare_digest(known, given):
                found = tenant
        return found


def bearer_of_basic(authorization: str | None) -> str | None:
    """The header of a browser that was asked for a key: its password is the key (RFC 7617); others stay as they are."""
    scheme, _, coded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        _, _, key = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except ValueError:  # of base64 and of UTF-8
        return None
    return f"Bearer {key}"


def new_key(tenant: str) -> tuple[str, str]:
    """A fresh key for a tenant, and the line for the file of keys.

    Raises:
        InputError: The tenant's name has other characters than letters, digits, `_`, `.` and `-`.
    """
    if not _TENANT.fullmatch(tenant):
        raise InputError(f"{tenant!r} is no name for a tenant; expected up to 64 letters, digits, '_', '.' and '-'.")
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, f"{tenant} {digest(key)}"


def digest(key: str) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _from_file(path: Path) -> dict[str, str]:
    tenants: dict[str, str] = {}
    for number, line in read_lines(path):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not _TENANT.fullmatch(words[0]) or not _DIGEST.fullmatch(words[1]):
            raise InputError(
                f"Line {number} of {path} is not a tenant and the SHA-256 of a key; "
                "`tutti serve --new-key TENANT` prints such a line."
            )
        tenants[words[1]] = words[0]
    if not tenants:
        raise InputError(f"The file of keys {path} holds no key; `tutti serve --new-key TENANT` prints a line for it.")
    return tenants
