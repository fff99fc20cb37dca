"""Authenticated encryption with nonces that may be drawn at random without end: XAES-256-GCM.

A nonce of 192 random bits: the first 96 derive a key for this message by NIST SP 800-108r1 (counter mode, CMAC), the
others are the nonce of AES-256-GCM (NIST SP 800-38D) under it. With 96 random bits alone, a key would have to be
changed after 2^32 messages, and a restart or a second process would have to share a counter; here 2^80 messages of one
key stay below a chance of 2^-32 that a nonce comes twice. Source: C2SP, "XAES-256-GCM" (its test vectors are ours).
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from tutti.errors import MissingExtra

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16
_BLOCK = 16


def random_key() -> bytes:
    """A fresh key of 256 bits, from the system's generator."""
    return os.urandom(KEY_BYTES)


def sealed(key: bytes, content: bytes, associated: bytes) -> bytes:
    """Nonce, ciphertext and tag of a content.

    Args:
        key: 32 bytes.
        content: What is encrypted.
        associated: What is authenticated with it and not stored: opening it takes the same.

    Raises:
        MissingExtra: The extra `vault` is not installed.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + encrypted(key, nonce, content, associated)


def opened(key: bytes, blob: bytes, associated: bytes) -> bytes:
    """The content of `sealed`; all of it is authenticated before any of it is returned.

    Raises:
        ValueError: The key or what is associated is another, or the blob was changed or cut.
        MissingExtra: The extra `vault` is not installed.
    """
    exceptions, _ = _library()
    if len(blob) < NONCE_BYTES + TAG_BYTES:
        raise ValueError
    nonce = blob[:NONCE_BYTES]
    try:
        content: bytes = _gcm(key, nonce).decrypt(nonce[12:], blob[NONCE_BYTES:], associated)
    except exceptions.InvalidTag:
        raise ValueError from None
    return content


def encrypted(key: bytes, nonce: bytes, content: bytes, associated: bytes) -> bytes:
    """Ciphertext and tag under a nonce of 24 bytes, which must never be used twice; for `sealed`, and test vectors."""
    found: bytes = _gcm(key, nonce).encrypt(nonce[12:], content, associated)
    return found


def _gcm(key: bytes, nonce: bytes) -> Any:
    """AES-256-GCM under the key that belongs to a nonce."""
    _, (aesgcm, cipher) = _library()
    encrypt = cipher(key)
    first = int.from_bytes(encrypt(bytes(_BLOCK)), "big")
    subkey = ((first << 1) & (2**128 - 1)) ^ (0x87 if first >> 127 else 0)  # K1 of CMAC: SP 800-38B, section 6.1
    halves = b"".join(
        encrypt((int.from_bytes(bytes((0, counter, 0x58, 0)) + nonce[:12], "big") ^ subkey).to_bytes(_BLOCK, "big"))
        for counter in (1, 2)
    )
    return aesgcm(halves)


def check_installed() -> None:
    """Refuse what needs encryption before anything is made.

    Raises:
        MissingExtra: The extra `vault` is not installed.
    """
    _library()


@cache
def _library() -> tuple[Any, tuple[Any, Any]]:
    try:
        from cryptography import exceptions
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtra("Encryption", "vault") from None

    def block(key: bytes) -> Any:
        return Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update  # noqa: S305 - a single block, as a PRF

    return exceptions, (AESGCM, block)
