"""Ed25519 keys of the people who sign (RFC 8032), in PEM files, by `cryptography`."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from tutti.errors import InputError, MissingExtra, writing


def make_key(path: str | Path) -> str:
    """Make a private key in a file of mode 0600, which must not exist.

    Returns:
        Its public key, in base64.

    Raises:
        InputError: The file exists or cannot be written.
        MissingExtra: The extra is not installed.
    """
    serialization, keys = _library()
    private = keys.Ed25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = Path(path).expanduser()
    with writing(file):
        out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(out, "wb") as key:
            key.write(content)
    return _public(private)


def signed(path: str | Path, content: bytes, password: str | None = None) -> tuple[str, str]:
    """Sign with the private key of a PEM file.

    Returns:
        Public key and signature, in base64.

    Raises:
        InputError: The file is no Ed25519 key, or its password is not the one.
        MissingExtra: The extra is not installed.
    """
    serialization, keys = _library()
    file = Path(path).expanduser()
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read the key {path}: {error.strerror or error}.") from None
    try:
        private = serialization.load_pem_private_key(pem, password.encode() if password else None)
    except (ValueError, TypeError):
        raise InputError(
            f"{path} is no private key that can be opened; expected Ed25519 as PEM, and its password where it has one."
        ) from None
    if not isinstance(private, keys.Ed25519PrivateKey):
        raise InputError(f"{path} is a key of another kind; expected Ed25519: tutti radiology key FILE makes one.")
    return _public(private), base64.b64encode(private.sign(content)).decode()


def holds(public_key: str, signature: str, content: bytes) -> bool:
    """Whether a signature is by a key, over a content."""
    _, keys = _library()
    from cryptography.exceptions import InvalidSignature

    try:
        key = keys.Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _public(private: Any) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtra("Signing", "radiology") from None
    return serialization, ed25519
