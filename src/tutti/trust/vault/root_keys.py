"""Root keys, which wrap the keys of tenants: from a file, the environment, an age identity, or a command of a KMS.

How one is named: `file:PATH` (mode 0600), `env:NAME` (base64 of 32 bytes), `age:IDENTITY` (mode 0600; the root key lies
in the vault, encrypted to it), or `command:WORDS`. A command is run with `wrap` or `unwrap` as its last word, is given
base64 of some 100 bytes on stdin and answers in base64: the root key never leaves its KMS. It is named by whoever opens
the vault and never stored in it, so that nobody who can write there can have a command run.
"""

from __future__ import annotations

import base64
import binascii
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tutti.errors import InputError, MissingExtra, ProviderError
from tutti.media.whole_files import write_whole
from tutti.settings import secret_of
from tutti.trust.vault import aead
from tutti.trust.vault.private_files import private_bytes

KINDS = ("file", "env", "age", "command")
_COMMAND_SECONDS = 60.0
_LARGEST_ANSWER = 1 << 16


class RootKey(Protocol):
    """Wraps and unwraps the keys of tenants."""

    def wrap(self, content: bytes, about: bytes) -> bytes:
        """A key as it may lie on a disk, bound to what it is."""
        ...

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """The key again.

        Raises:
            ValueError: It was wrapped by another root key or about something else, or was changed.
        """
        ...


@dataclass(frozen=True)
class KeySource:
    """Where a root key comes from.

    Args:
        kind: One of `KINDS`.
        value: Path, name, or command.
    """

    kind: str
    value: str

    @classmethod
    def parse(cls, text: str) -> KeySource:
        """From `KIND:VALUE`.

        Raises:
            InputError: It is of another form.
        """
        kind, colon, value = text.partition(":")
        if not colon or kind not in KINDS or not value.strip():
            raise InputError(
                f"{text!r} names no root key; expected file:PATH, env:NAME, age:IDENTITY_FILE or command:WORDS."
            )
        return cls(kind, value)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    def fresh(self, folder: Path, root: str) -> RootKey:
        """A root key for a new vault or rotation: made where there is none yet, and otherwise taken as it is.

        Args:
            folder: Of the vault.
            root: The root's name in it.

        Raises:
            InputError: What is there is no key.
        """
        if self.kind == "file" and not Path(self.value).expanduser().exists():
            path = Path(self.value).expanduser()
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, base64.b64encode(aead.random_key()) + b"\n")
        if self.kind == "age" and not age_file(folder, root).exists():
            identities = _identities(Path(self.value))
            recipients = [identity.to_public() for identity in identities]
            write_whole(age_file(folder, root), _age().encrypt(aead.random_key(), recipients))
        return self.opened(folder, root)

    def opened(self, folder: Path, root: str) -> RootKey:
        """The root key.

        Raises:
            InputError: It is not there, can be read by others, or is cut.
        """
        if self.kind == "command":
            return CommandRoot(self.value)
        if self.kind == "age":
            return SecretRoot(_from_age(Path(self.value), age_file(folder, root)))
        if self.kind == "env":
            text = secret_of(self.value)
            if not text:
                raise InputError(f"The variable {self.value} for the root key is not set; expected base64 of 32 bytes.")
            return SecretRoot(_decoded(text.encode(errors="replace"), f"The root key in {self.value}"))
        path = Path(self.value).expanduser()
        return SecretRoot(_decoded(private_bytes(path, "The root key"), f"The root key in {path}"))


@dataclass(frozen=True, repr=False)
class SecretRoot:
    """A root key whose 32 bytes are in this process."""

    secret: bytes

    def wrap(self, content: bytes, about: bytes) -> bytes:
        """As `RootKey`."""
        return aead.sealed(self.secret, content, about)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """As `RootKey`."""
        return aead.opened(self.secret, wrapped, about)


@dataclass(frozen=True)
class CommandRoot:
    """A root key that a command of the user's uses, and never shows."""

    command: str

    def wrap(self, content: bytes, about: bytes) -> bytes:
        """As `RootKey`. What it is about goes along inside, since a command knows no associated data."""
        return self._run("wrap", len(about).to_bytes(4, "big") + about + content)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """As `RootKey`."""
        content = self._run("unwrap", wrapped)
        begun = len(about).to_bytes(4, "big") + about
        if not content.startswith(begun):
            raise ValueError
        return content[len(begun) :]

    def _run(self, what: str, content: bytes) -> bytes:
        """Run the command.

        Raises:
            ProviderError: It fails, or takes too long.
            ValueError: It refuses to unwrap.
        """
        try:
            words = [*shlex.split(self.command), what]
            done = subprocess.run(  # noqa: S603 - the user's own command, which is what was asked for
                words,
                input=base64.b64encode(content) + b"\n",
                stdout=subprocess.PIPE,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ProviderError(f"The command for the root key, {self.command!r}, cannot be run: {reason}.") from None
        if done.returncode:
            raise ProviderError(
                f"The command for the root key, {self.command!r}, ended with exit code {done.returncode} when asked to "
                f"{what}; run it by hand to see why."
            )
        try:
            return base64.b64decode(done.stdout[:_LARGEST_ANSWER].strip(), validate=True)
        except binascii.Error:
            raise ProviderError(
                f"The command for the root key, {self.command!r}, answered {what} with something else than base64."
            ) from None


def age_file(folder: Path, root: str) -> Path:
    """Where a root key that is encrypted to an age identity lies."""
    return folder / f"root-{root}.age"


def _decoded(text: bytes, what: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != aead.KEY_BYTES:
        raise InputError(
            f"{what} is no key: found {len(secret)} bytes of base64, expected {aead.KEY_BYTES}. If it was cut, restore "
            "it from your copy: without it, nothing of the vault can be read."
        )
    return secret


def _from_age(identity: Path, file: Path) -> bytes:
    age = _age()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"The vault's root key in {file} cannot be read: {error.strerror}; restore it from your copy."
        ) from None
    try:
        secret: bytes = age.decrypt(content, _identities(identity))
    except age.DecryptError:
        raise InputError(
            f"The age identity in {identity} does not open {file}: it is another one, or the file was changed or cut."
        ) from None
    if len(secret) != aead.KEY_BYTES:
        raise InputError(f"{file} holds {len(secret)} bytes, expected a key of {aead.KEY_BYTES}; restore your copy.")
    return secret


def _identities(path: Path) -> list[Any]:
    """The identities in a file, as `age-keygen` writes them."""
    age = _age()
    text = private_bytes(path, "The age identity").decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        found = [age.x25519.Identity.from_str(line) for line in lines]
    except age.IdentityError:
        found = []
    if not found:
        raise InputError(f"{path} holds no age identity; expected lines as `age-keygen` writes: AGE-SECRET-KEY-1…")
    return found


def _age() -> Any:
    try:
        import pyrage
    except ImportError:
        raise MissingExtra("Keys of age", "vault") from None
    return pyrage


def new_name() -> str:
    """A random name of 16 hexadecimal digits, for roots and keys."""
    return os.urandom(8).hex()
