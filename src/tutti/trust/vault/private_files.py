"""Files for their owner alone: read only where nobody else may, and destroyed."""

from __future__ import annotations

import os
from pathlib import Path

from tutti.errors import InputError, writing
from tutti.media.whole_files import sync_folder


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
