"""A folder of sealed files: media that are kept, feedback, drafts. Names are digests, and each is there whole or not.

Example, for a room that keeps drafts:

    files = SealedFiles(folder / "drafts", vault.sealer(tenant), "draft")
    files.put("2026-11/3", text.encode())
    files.get("2026-11/3")
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tutti.errors import InputError, writing
from tutti.interfaces import Sealer
from tutti.media.whole_files import write_whole

_FILE = re.compile(r"[0-9a-f]{64}\.sealed")


class SealedFiles:
    """Contents by name, for one tenant.

    Args:
        folder: Made if it is missing, for its owner only.
        sealer: The tenant's.
        kind: What they are, which is part of what each is bound to.
    """

    def __init__(self, folder: Path, sealer: Sealer, kind: str) -> None:
        self.folder, self.kind, self._sealer = folder, kind, sealer
        with writing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """Keep a content under a name, in the place of what was there.

        Raises:
            CapacityError: There is no room.
            InputError: The tenant was erased, or the folder cannot be written.
        """
        # The name lies inside, so that all of them can be listed, and is bound to the file's own name.
        inner = name.encode(errors="surrogatepass")
        framed = len(inner).to_bytes(4, "big") + inner + content
        write_whole(self._path(name), self._sealer.seal(framed, self._context(self._path(name).name)))

    def get(self, name: str) -> bytes | None:
        """The content under a name; None where there is none.

        Raises:
            InputError: It was changed, cut, or put in another's place, or the key is not the one.
        """
        path = self._path(name)
        return self._read(path)[1] if path.exists() else None

    def delete(self, name: str) -> bool:
        """Remove what is under a name; whether there was anything."""
        path = self._path(name)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def names(self) -> Iterator[str]:
        """All names, in no order."""
        for path in self.folder.iterdir():
            if _FILE.fullmatch(path.name):
                yield self._read(path)[0]

    def _read(self, path: Path) -> tuple[str, bytes]:
        try:
            sealed = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        framed = self._sealer.unseal(sealed, self._context(path.name))
        size = int.from_bytes(framed[:4], "big")
        return framed[4 : 4 + size].decode(errors="surrogatepass"), framed[4 + size :]

    def _path(self, name: str) -> Path:
        return self.folder / f"{self._sealer.digest(f'{self.kind} {name}')}.sealed"

    def _context(self, file: str) -> str:
        return f"{self.kind} file {file}"
