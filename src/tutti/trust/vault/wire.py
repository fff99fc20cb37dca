"""Media encrypted from a client to the one server that may read them: what lies between sees ciphertext.

HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. A sealed medium is `head ·
encapsulated key (32) · ciphertext · tag (16)`; the head (version, key, request, place, count, time) is authenticated as
HPKE's `info`. A request's media name one another (place and count), so that none can be left out or swapped. Each is
accepted once and for five minutes, so that none can be sent again. The sender is not authenticated: API keys and TLS
are for that.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media.whole_files import write_whole
from tutti.trust.vault.private_files import private_bytes

SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM"
MEDIA_TYPE = "application/vnd.tutti.sealed"
WINDOW_S = 300.0
"""How long a sealed medium is accepted after it was made, and how far clocks may be apart."""
MOST_REMEMBERED = 1_000_000
"""Media of the last minutes, so that none is accepted twice; more at once are refused."""
_HEAD = struct.Struct("!4sB8s16sHHQ4s")
_MAGIC, _VERSION, _RESERVED = b"tsm\x00", 1, bytes(4)
_OVERHEAD = _HEAD.size + 32 + 16
_MOST_MEDIA = 2**16 - 1


class SealedHead(NamedTuple):
    """What a sealed medium says of itself, authenticated."""

    request: bytes
    """16 random bytes that all media of a request share."""
    place: int
    total: int
    """How many media the request has."""


class MediaRecipient:
    """A server's key for media, and what it has accepted. Threads may share it.

    Args:
        private: X25519, 32 bytes.
        clock: Seconds since 1970.
    """

    def __init__(self, private: bytes, clock: Callable[[], float] = time.time) -> None:
        self.private, self.clock = private, clock
        self._started = clock()
        self._lock = threading.Lock()
        self._seen: dict[bytes, float] = {}
        """Media that were accepted → until when that is remembered; the oldest first."""

    def __repr__(self) -> str:
        return f"MediaRecipient({self.fingerprint})"

    @classmethod
    def read(cls, path: Path | None = None) -> MediaRecipient:
        """A key of a file of mode 0600, made where there is none; without a file, a fresh one.

        Raises:
            InputError: Others may read it, or it is no key.
            MissingExtra: The extra `vault` is not installed.
        """
        _library()
        if path is None:
            return cls(os.urandom(32))
        if not path.expanduser().exists():
            write_whole(path.expanduser(), base64.b64encode(os.urandom(32)) + b"\n")
        try:
            secret = base64.b64decode(private_bytes(path, "The key for media").strip(), validate=True)
        except ValueError:
            secret = b""
        if len(secret) != 32:
            raise InputError(f"{path} holds no key for media: expected base64 of 32 bytes; remove it for a fresh one.")
        return cls(secret)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        found: bytes = self._key().public_key().public_bytes_raw()
        return found

    @property
    def fingerprint(self) -> str:
        """What people compare: SHA-256 of the public key."""
        return fingerprint(self.public)

    def open(self, sealed: bytes) -> tuple[SealedHead, bytes]:
        """A medium, once.

        Raises:
            InputError: It is for another key, was changed or cut, is too old, or was sent before.
            CapacityError: Too many are remembered.
        """
        suite, _, invalid = _library()
        if len(sealed) < _OVERHEAD:
            raise InputError("An encrypted medium was cut; send the request again.")
        head = sealed[: _HEAD.size]
        magic, version, name, request, place, count, made_ms, reserved = _HEAD.unpack(head)
        if (magic, version, reserved) != (_MAGIC, _VERSION, _RESERVED):
            raise InputError("An encrypted medium is of no form that this server reads; use a client of its version.")
        if name != _name(self.public):
            raise InputError(
                "A medium was encrypted to another key than this server's, which changes when it starts unless it has "
                "--media-key; fetch /apps/media-key and send the request again."
            )
        try:
            content: bytes = suite.decrypt(sealed[_HEAD.size :], self._key(), head)
        except (invalid, ValueError):  # the latter of a public key that is none
            raise InputError("An encrypted medium was changed or cut on its way; send the request again.") from None
        self._accept(request + place.to_bytes(2, "big"), made_ms / 1000)
        return SealedHead(request, place, count), content

    def _accept(self, name: bytes, made_s: float) -> None:
        """Remember a medium that was authenticated, unless it was here before."""
        now = self.clock()
        if abs(now - made_s) > WINDOW_S or made_s < self._started - 1.0:
            raise InputError(
                f"An encrypted medium was made {now - made_s:.0f} s ago by its clock, or before this server started; "
                f"within {WINDOW_S:.0f} s is accepted: set the clocks, and send the request again."
            )
        with self._lock:
            while self._seen and self._seen[oldest := next(iter(self._seen))] < now:
                del self._seen[oldest]
            if name in self._seen:
                raise InputError("An encrypted medium was sent before; a request is accepted once: encrypt it anew.")
            if len(self._seen) >= MOST_REMEMBERED:
                raise CapacityError("Too many encrypted media came within minutes; send this request again later.")
            self._seen[name] = now + 2 * WINDOW_S

    def _key(self) -> Any:
        _, keys, _ = _library()
        return keys.X25519PrivateKey.from_private_bytes(self.private)


@dataclass(frozen=True)
class MediaSender:
    """Seals the media of requests to a server's public key: a `tutti.interfaces.MediaSealer`."""

    public: bytes
    clock: Callable[[], float] = time.time

    def sealed(self, media: Sequence[bytes]) -> list[str]:
        """All media of one request as `data:` URLs.

        Raises:
            CapacityError: There are more than a request can name.
        """
        suite, keys, _ = _library()
        if len(media) > _MOST_MEDIA:
            raise CapacityError(f"There are {len(media):,} media; a request encrypts at most {_MOST_MEDIA:,}.")
        key, request = keys.X25519PublicKey.from_public_bytes(self.public), os.urandom(16)
        made_ms = int(self.clock() * 1000)
        urls = []
        for place, content in enumerate(media):
            head = _HEAD.pack(_MAGIC, _VERSION, _name(self.public), request, place, len(media), made_ms, _RESERVED)
            blob = head + suite.encrypt(content, key, head)
            urls.append(f"data:{MEDIA_TYPE};base64,{base64.b64encode(blob).decode()}")
        return urls


def fingerprint(public: bytes) -> str:
    """What people compare of a public key."""
    return f"sha256:{hashlib.sha256(public).hexdigest()}"


def missing(heads: Sequence[SealedHead]) -> bool:
    """Whether of the media that were sealed for one request some are left out, or come from another."""
    return bool(heads) and (
        len({(head.request, head.total) for head in heads}) != 1
        or [head.place for head in heads] != list(range(heads[0].total))
    )


def _name(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:8]


def _library() -> tuple[Any, Any, type[Exception]]:
    """HPKE's suite, the module of X25519 keys, and what a failed decryption raises."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric import x25519
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
    except ImportError:
        raise MissingExtra("Encryption of media", "vault") from None
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM), x25519, InvalidTag
