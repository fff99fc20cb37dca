"""Packs: a folder with `index.jsonl` and, unless it is text only, `data.zip`, whose members are stored as they are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tutti.content import Part
from tutti.errors import InputError
from tutti.media import Limits, wrap
from tutti.training.data import MOST_SHOWN, Example, list_field, read_json_lines, text_field


class PackReader:
    """A pack as a sequence of examples; media are read when an example is asked for.

    May be handed to worker processes: each opens the archive for itself.

    Args:
        folder: The pack.
        limits: Budgets of a medium; the defaults when not given.

    Raises:
        InputError: The index is missing or malformed, or the archive is missing, damaged, or lacks members.
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder, self.limits = Path(folder), limits or Limits()
        self.rows: list[dict[str, Any]] = read_json_lines(self.folder / "index.jsonl", _checked)
        """What the index says, in its order."""
        self._archive: zipfile.ZipFile | None = None
        files = [row["file"] for row in self.rows if "file" in row]
        if files:
            members = set(self._opened().namelist())
            missing = [file for file in files if file not in members]
            if missing:
                raise InputError(
                    f"{self.folder / 'data.zip'} lacks {len(missing)} of the {len(files)} members that the index names "
                    f"({', '.join(missing[:MOST_SHOWN])}); copy the pack again."
                )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Example:
        """The example of a row.

        Raises:
            InputError: Its member is damaged or of no known format.
            CapacityError: Its member has more bytes than allowed.
        """
        row = self.rows[index]
        file = row.get("file")
        known = ("file", "label", "text")
        return Example(
            key=str(file or row.get("code") or index),
            media=(self._part(file),) if file else (),
            texts=tuple(row.get("text", ())),
            label=row.get("label"),
            attributes={key: value for key, value in row.items() if key not in known},
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_archive": None}

    def content(self, file: str) -> bytes:
        """The bytes of a member, as `file` of a row names it.

        Raises:
            InputError: There is no such member, or it is damaged.
            CapacityError: It has more bytes than allowed.
        """
        archive = self._opened()
        try:
            self.limits.check_bytes(self._where(file), archive.getinfo(file).file_size)
            return archive.read(file)
        except KeyError:
            raise InputError(f"{self.folder / 'data.zip'} has no member {file!r}; copy the pack again.") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise InputError(f"{self._where(file)} is damaged ({error}); copy the pack again.") from None

    def _part(self, file: str) -> Part:
        content = self.content(file)
        try:
            return wrap(content, limits=self.limits)
        except InputError as error:
            raise InputError(f"{self._where(file)}: {error}") from None

    def _where(self, file: str) -> str:
        return f"{file} in {self.folder / 'data.zip'}"

    def _opened(self) -> zipfile.ZipFile:
        if self._archive is None:
            file = self.folder / "data.zip"
            try:
                self._archive = zipfile.ZipFile(file)
            except OSError as error:
                raise InputError(f"Cannot read {file}: {error.strerror or error}.") from None
            except zipfile.BadZipFile as error:
                raise InputError(f"{file} is not a whole zip archive ({error}); copy the pack again.") from None
        return self._archive


def _checked(where: str, row: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - rows are known by their file
    if "file" in row:
        text_field(row, "file")
        texts = row.get("text")
        if texts != [] and not all(isinstance(text, str) for text in list_field(row, "text")):
            raise InputError("'text' has entries that are not text; expected a list of texts.")
    return dict(row)
