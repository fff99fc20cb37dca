"""Where feedback is kept: per tenant, added to as it comes, encrypted where there is a key, erased when its time ends.

Without a sealer a tenant has a file of JSON lines, to which each feedback is appended and synced before it counts as
kept. With one, each feedback is a sealed file of its own, bound to its name, so that destroying the tenant's key
(`tutti vault shred`) makes it unreadable and finds it by its head. Media are kept only where that is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tutti.content.feedback import Feedback
from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.media.text_files import decoded, json_object
from tutti.media.whole_files import locked, sync_folder, write_whole

_LOG = "feedback.jsonl"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FeedbackStore:
    """The feedback of one tenant. Threads and processes may share the folder.

    Args:
        folder: Of all tenants; it is made at the first feedback, for its owner only.
        tenant: Whose.
        sealer: Encrypts for that tenant.
        now: The time, for retention.
    """

    def __init__(
        self, folder: Path, tenant: str, sealer: Sealer | None = None, now: Callable[[], datetime] = _utc_now
    ) -> None:
        if not tenant or len(quote(tenant, safe="")) > 200:
            raise InputError(f"{tenant[:40]!r} is no name of a tenant; expected 1 to 200 characters.")
        self.tenant, self._root = tenant, folder
        self.folder = folder / f"tenant-{quote(tenant, safe='')}"
        self._sealer, self._now = sealer, now

    def add(self, feedback: Feedback, media: dict[str, bytes] | None = None) -> Feedback:
        """Keep one; when this returns it is on the disk.

        Args:
            feedback: The value.
            media: Digest → content of those of its media that are to be kept with it.

        Raises:
            CapacityError: There is no room; nothing was kept.
            InputError: The folder cannot be written, or the tenant was erased.
        """
        with self._locked(make=True):
            for digest, content in (media or {}).items():
                self._put(self._medium_path(digest), content, f"feedback medium {digest}")
            if self._sealer is None:
                self._append(feedback.to_json().encode() + b"\n")
            else:
                path = self._sealed_path(feedback.id)
                self._put(path, feedback.to_json().encode(), f"feedback file {path.name}")
        return feedback

    def all(self) -> list[Feedback]:
        """What is kept, the oldest first; what is past its time is erased beforehand.

        Raises:
            InputError: Something is damaged, or encrypted while no key was given.
        """
        if not self.folder.exists():
            return []
        with self._locked():
            kept = self._read()
            now = self._now()
            if gone := {one.id for one in kept if one.ends <= now}:
                self._remove(gone, kept)
                kept = [one for one in kept if one.id not in gone]
        return sorted(kept, key=lambda one: (one.moment, one.id))

    def erase(self, which: Callable[[Feedback], bool]) -> int:
        """Erase some, with media that nothing else here is about. Returns how many."""
        if not self.folder.exists():
            return 0
        with self._locked():
            kept = self._read()
            gone = {one.id for one in kept if which(one)}
            if gone:
                self._remove(gone, kept)
        return len(gone)

    def erase_tenant(self) -> None:
        """Erase all that is kept of the tenant, readable or not."""
        if self.folder.exists():
            with self._locked(), writing(self.folder):
                shutil.rmtree(self.folder)

    def medium(self, digest: str) -> bytes | None:
        """The content of a medium that was kept; None if it was not."""
        path = self._medium_path(digest)
        if not path.exists():
            return None
        content = _bytes_of(path)
        return content if self._sealer is None else self._sealer.unseal(content, f"feedback medium {digest}")

    def _read(self) -> list[Feedback]:
        found = [Feedback.from_dict(json_object(line)) for line in self._sealed()]
        if (self.folder / _LOG).exists():
            found += self._lines()
        return list({one.id: one for one in found}.values())

    def _sealed(self) -> Iterator[str]:
        for path in sorted(self.folder.glob("*.sealed")):
            if self._sealer is None:
                raise InputError(
                    f"Feedback of tenant {self.tenant!r} is encrypted; name the vault that it was kept with (--vault)."
                )
            yield decoded(self._sealer.unseal(_bytes_of(path), f"feedback file {path.name}"), path.name)

    def _lines(self) -> Iterator[Feedback]:
        content = _bytes_of(self.folder / _LOG)
        whole = content[: content.rfind(b"\n") + 1]  # what follows was cut off while it was written: it never counted
        for number, line in enumerate(whole.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                yield Feedback.from_dict(json_object(decoded(line, _LOG)))
            except (InputError, ValueError) as error:
                raise InputError(
                    f"Line {number} of {self.folder / _LOG} is damaged ({error}); remove the line, or restore the file "
                    "from your copy."
                ) from None

    def _append(self, line: bytes) -> None:
        path = self.folder / _LOG
        with writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                size = _whole_size(file.fileno())
                try:
                    file.truncate(size)  # a tail that another process was killed in
                    file.seek(size)
                    rest = memoryview(line)
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except BaseException:
                    with contextlib.suppress(OSError):
                        file.truncate(size)
                    raise
            sync_folder(self.folder)

    def _remove(self, gone: set[str], kept: list[Feedback]) -> None:
        left = [one for one in kept if one.id not in gone]
        lost = {medium.digest for one in kept for medium in one.media} - {
            medium.digest for one in left for medium in one.media
        }
        with writing(self.folder):
            if (self.folder / _LOG).exists():
                own = "".join(f"{one.to_json()}\n" for one in self._lines() if one.id not in gone)
                write_whole(self.folder / _LOG, own.encode())
            if self._sealer is not None:
                for name in gone:
                    self._sealed_path(name).unlink(missing_ok=True)
            for digest in lost:
                self._medium_path(digest).unlink(missing_ok=True)
            sync_folder(self.folder)

    def _sealed_path(self, name: str) -> Path:
        if self._sealer is None:
            raise InputError("Without a key nothing is sealed; name a vault.")
        return self.folder / f"{self._sealer.digest(f'feedback {name}')}.sealed"

    def _medium_path(self, digest: str) -> Path:
        if self._sealer is None:
            return self.folder / "media" / hashlib.sha256(digest.encode()).hexdigest()
        return self.folder / "media" / f"{self._sealer.digest(f'feedback medium {digest}')}.sealed"

    def _put(self, path: Path, content: bytes, context: str) -> None:
        with writing(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, content if self._sealer is None else self._sealer.seal(content, context))

    @contextlib.contextmanager
    def _locked(self, *, make: bool = False) -> Iterator[None]:
        with writing(self._root):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._root):
            if make:
                with writing(self.folder):
                    self.folder.mkdir(mode=0o700, exist_ok=True)
            if self.folder.exists():
                for part in [*self.folder.glob(".*.part"), *self.folder.glob("media/.*.part")]:  # of a killed process
                    part.unlink(missing_ok=True)
            yield


def _whole_size(handle: int) -> int:
    """Bytes up to the end of the last whole line, without reading all of a long file."""
    end = os.fstat(handle).st_size
    while end > 0:
        begin = max(0, end - 65_536)
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
