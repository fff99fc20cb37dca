"""Where a database lies: a folder of this machine, or a prefix in an object store, as in s3://bucket/db.

LanceDB and Arrow find an object store's keys and its address where its own tools do: AWS_ACCESS_KEY_ID, AWS_REGION,
AWS_ENDPOINT_URL, … for s3://; a key's file for gs://, LanceDB in GOOGLE_SERVICE_ACCOUNT and Arrow in
GOOGLE_APPLICATION_CREDENTIALS.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from tutti.errors import InputError, MissingExtra, ProviderError, writing

STORES = ("s3", "gs")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def arrow() -> Any:
    """PyArrow, which comes with LanceDB.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("Search", "search") from None
    return pyarrow


def is_address(text: str) -> bool:
    """Whether a place is named as scheme://… rather than by a path."""
    return _ADDRESS.match(text) is not None


@dataclass(frozen=True, slots=True)
class Location:
    """A folder on this machine or in an object store. Every method raises a `ProviderError` where the store fails."""

    name: str
    """As LanceDB takes it: a path, or an address."""

    @classmethod
    def of(cls, named: str | PathLike[str] | Location) -> Location:
        """The location that a user names.

        Raises:
            InputError: It is an address of no store that can be written to.
        """
        if isinstance(named, Location):
            return named
        text = fspath(named)
        address = _ADDRESS.match(text)
        if address is None:
            return cls(str(Path(text).expanduser()))
        if address[1] not in STORES or not text[address.end() :].strip("/"):
            known = " or ".join(f"{scheme}://BUCKET/DB" for scheme in STORES)
            raise InputError(f"{text} is no place for a database; expected a folder, or {known}.")
        return cls(text.rstrip("/"))

    def __truediv__(self, name: str) -> Location:
        return Location(f"{self.name}/{name}")

    def __str__(self) -> str:
        return self.name

    @property
    def remote(self) -> bool:
        """Whether it is in an object store."""
        return is_address(self.name)

    def is_folder(self) -> bool:
        """Whether there is such a folder, or anything below such a prefix."""
        return self._kind() == "Directory"

    def is_file(self) -> bool:
        """Whether there is a file of this name."""
        return self._kind() == "File"

    def make(self) -> None:
        """Make the folder; an object store has none.

        Raises:
            OSError: It cannot be made.
        """
        if not self.remote:
            Path(self.name).mkdir(parents=True, exist_ok=True)

    def folders(self) -> list[str]:
        """The names of the folders in it."""
        return sorted(entry.base_name for entry in self._entries() if entry.type.name == "Directory")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file in it and its folders: its name, and what is in it."""
        store, _ = self._opened()
        for entry in self._entries(recursive=True):
            if entry.is_file:
                with reached(self), store.open_input_stream(entry.path) as file:
                    yield entry.path, file.read()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock, which the system releases when the process ends for whatever reason.

        An object store has no such lock, so nothing is held there.

        Raises:
            InputError: Another process writes, or the folder is read-only.
        """
        if self.remote:
            yield
            return
        with writing(self.name):
            lock = (Path(self.name) / ".lock").open("a")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"Another process is writing to {self}; wait until it has ended.") from None
            yield

    def _kind(self) -> str:
        store, path = self._opened()
        with reached(self):
            return str(store.get_file_info(path).type.name)

    def _entries(self, *, recursive: bool = False) -> list[Any]:
        from pyarrow.fs import FileSelector

        store, path = self._opened()
        with reached(self):
            found = store.get_file_info(FileSelector(path, allow_not_found=True, recursive=recursive))
        return sorted(found, key=lambda entry: str(entry.path))

    def _opened(self) -> tuple[Any, str]:
        arrow()
        from pyarrow.fs import FileSystem, LocalFileSystem

        if not self.remote:
            return LocalFileSystem(), self.name
        with reached(self):
            return FileSystem.from_uri(self.name)  # type: ignore[no-any-return]


@contextmanager
def reached(place: Location, besides: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn an object store's errors into a sentence.

    Args:
        place: In the store, or here, which changes nothing.
        besides: Errors that are not its.

    Raises:
        ProviderError: It cannot be reached, or refuses.
    """
    try:
        yield
    except besides:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        if not place.remote:
            raise
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ProviderError(
            f"{place} cannot be reached or refuses access: {reason}; check the bucket's name, and the variables that "
            "hold its address, region and keys."
        ) from None
