"""The folder of a page's files: held while its process lives, and removed later if that process was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "tutti-page-"
_YOUNG_S = 60.0
"""A folder so young may not be held yet by whoever has just made it."""


def held_folder(parent: Path | None = None) -> tuple[Path, int | None]:
    """A new folder for its owner alone.

    Args:
        parent: Where; the system's place for temporary files if None.

    Returns:
        The folder, and the handle that holds it until it is closed, or the process is gone; None where this system has
        no such locks.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).resolve()
    return folder, _hold(folder)


def remove_abandoned(parent: Path | None = None, now: float | None = None) -> int:
    """Remove folders of pages whose process was killed, so that nobody's uploads stay: those that nobody holds.

    Args:
        parent: Where they are; the system's place for temporary files if None.
        now: By the system's clock; that of this moment if None.

    Returns:
        How many were removed.
    """
    removed, moment = 0, time.time() if now is None else now
    for folder in Path(tempfile.gettempdir() if parent is None else parent).glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            if folder.is_symlink() or status.st_uid != os.getuid() or moment - status.st_ctime < _YOUNG_S:
                continue
        except (OSError, AttributeError):  # gone already; or a system without users
            continue
        handle = _hold(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
            removed += not folder.exists()
    return removed


def _hold(folder: Path) -> int | None:
    """Lock a folder; None where somebody else has, or there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
