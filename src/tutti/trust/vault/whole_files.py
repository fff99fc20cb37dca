"""Files that are there whole or not at all, whatever ends the process, and a lock over a folder of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from tutti.errors import InputError, writing


def write_whole(path: Path, content: bytes) -> None:
    """Write a file for its owner only; after a crash it has its old content or its new one.

    Raises:
        CapacityError: There is no room.
        InputError: The place cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with writing(path):
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        sync_folder(path.parent)


def destroy(path: Path) -> None:
    """Write over a file and remove it; nothing happens where there is none.

    On media that write elsewhere than where they are told (flash, snapshots) the first is no more than an effort.
    """
    with writing(path):
        try:
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have what a folder lists on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, waiting for it; the system releases it when the process ends for whatever reason."""
    with writing(folder):
        lock = (folder / ".lock").open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def private_bytes(path: Path, what: str, most_bytes: int = 1 << 16) -> bytes:
    """The content of a file that only its owner may read.

    Args:
        path: The file.
        what: What it holds, as the beginning of a sentence ("The root key").
        most_bytes: A larger file is refused.

    Raises:
        InputError: There is none, others may read or write it, or it is too large.
    """
    try:
        with path.expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & 0o077:
                raise InputError(
                    f"{what} in {path} can be read or written by others (mode {mode:04o}); expected 0600: "
                    f"chmod 600 {path}"
                )
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(
            f"{what} in {path} cannot be read: {error.strerror or error}; name the file that holds it."
        ) from None
    if len(content) > most_bytes:
        raise InputError(f"{what} in {path} has more than {most_bytes:,} bytes; name the file that holds it.")
    return content
