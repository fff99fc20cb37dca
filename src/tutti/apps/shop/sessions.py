"""Sessions of a tenant on disk: a file each, replaced as a whole, so that a kill leaves the last answered turn."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.media.whole_files import write_whole
from tutti.search.dialogue.wishes import ShopState

_FORMAT = 1
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 200


class Sessions:
    """The sessions of one tenant.

    Args:
        folder: Of all tenants.
        tenant: Whose.
        sealer: Seals what is written; None writes it as it is.
    """

    def __init__(self, folder: Path, tenant: str, sealer: Sealer | None = None) -> None:
        if not _TENANT.fullmatch(tenant):
            raise InputError(f"The tenant {tenant!r} was named; expected up to 64 letters, digits, dots, - and _.")
        self.folder, self.sealer = folder / tenant / "sessions", sealer

    def load(self, session: str) -> ShopState:
        """The state of a session; a new one where there is none.

        Raises:
            InputError: It was sealed with another key, or is damaged.
        """
        file = self._file(session)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return ShopState()
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror or error}.") from None
        try:
            plain = self.sealer.unseal(content, _context(session)) if self.sealer is not None else content
            values = json.loads(plain)
            if values["format"] != _FORMAT:
                raise InputError(f"The session {session!r} is of format {values['format']}; expected {_FORMAT}.")
            return ShopState.from_dict(values["state"])
        except (ValueError, KeyError, TypeError):
            sealed = "" if self.sealer is not None else ", or was sealed and no key was given"
            raise InputError(f"The session {session!r} cannot be read: it is damaged{sealed}; forget it.") from None

    def save(self, session: str, state: ShopState) -> None:
        """Write a state, whole and on the disk when this returns."""
        content = json.dumps({"format": _FORMAT, "state": state.to_dict()}).encode()
        if self.sealer is not None:
            content = self.sealer.seal(content, _context(session))
        file = self._file(session)
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, content)

    def forget(self, session: str) -> bool:
        """Remove a session; whether there was one."""
        file = self._file(session)
        found = file.exists()
        for each in (file, file.with_suffix(".lock"), *self.folder.glob(f".{file.name}.*.part")):
            each.unlink(missing_ok=True)
        return found

    @contextlib.contextmanager
    def held(self, session: str) -> Iterator[None]:
        """Hold a session, so that of two turns at a time one waits for the other."""
        lock = self._file(session).with_suffix(".lock")
        with writing(lock):
            lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = lock.open("a")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _file(self, session: str) -> Path:
        if not session or len(session) > _LONGEST:
            raise InputError(f"A session's name has {len(session)} characters; expected 1 to {_LONGEST}.")
        return self.folder / f"{hashlib.sha256(session.encode()).hexdigest()[:40]}.json"


def _context(session: str) -> str:
    """What a state is sealed for: of one session, it does not open as another's."""
    return f"shop session {session}"
