"""Media from one folder of this machine, and from nowhere else on it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tutti.errors import InputError
from tutti.media.limits import Limits


class MediaRoot:
    """A folder whose files may be named in requests.

    The path is walked from the folder down, each step relative to the one before and none through a link: there is no
    moment between the check and the opening in which a link could be put in the way.

    Args:
        folder: The folder; links in its own path are followed.
        limits: Budget of bytes.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        try:
            self._folder = folder.resolve(strict=True)
        except OSError:
            raise InputError(f"The media root {folder} does not exist; give a folder.") from None
        if not self._folder.is_dir():
            raise InputError(f"The media root {folder} is no folder.")
        self._limits = limits

    def read(self, address: str) -> bytes:
        """The content of a file.

        Args:
            address: A path below the folder, or a `file:` URL of one.

        Raises:
            InputError: It is not below the folder, does not exist, or is no plain file. All are reported alike, so that
                nobody learns what exists elsewhere.
            CapacityError: It has more bytes than allowed.
        """
        refused = InputError(
            "There is no such file below the media root; give a path relative to it, without links or '..'."
        )
        try:
            steps = self._steps(address)
            if not steps or any(step in ("", ".", "..") for step in steps):
                raise refused
            file = self._opened(steps)
        except (OSError, ValueError):
            raise refused from None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise refused
            self._limits.check_bytes("The file", found.st_size)
            with os.fdopen(os.dup(file), "rb") as content:
                return content.read(self._limits.max_bytes)
        finally:
            os.close(file)

    def _steps(self, address: str) -> list[str]:
        if address[:5].lower() == "file:":
            parts = urlsplit(address)
            if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
                raise ValueError
            address = unquote(parts.path, errors="strict")
        if address.startswith("/"):
            inside = f"{self._folder}/"
            if not address.startswith(inside):
                raise ValueError
            address = address.removeprefix(inside)
        return address.split("/")

    def _opened(self, steps: list[str]) -> int:
        place = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for step in steps[:-1]:
                further = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = further
            # Not waiting, or a pipe that somebody put there would hold the thread forever.
            return os.open(steps[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        finally:
            os.close(place)
