"""Any file to tune on, by what is in it: conversations, questions with answers, preferences, verdicts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tutti.errors import InputError
from tutti.media.text_files import read_lines
from tutti.training.conversations import read_llava, read_messages
from tutti.training.data import BadRow, Dialogue, Preference, RatedAnswer
from tutti.training.preferences import read_preferences, read_verdicts
from tutti.training.tables import QUESTION, read_captions, read_cases, read_table

TuningRow: TypeAlias = Dialogue | Preference | RatedAnswer

_KEYS: Sequence[tuple[frozenset[str], str]] = (
    (frozenset({"messages"}), "messages"),
    (frozenset({"conversations"}), "llava"),
    (frozenset({"chosen", "rejected"}), "preferences"),
    (frozenset({"prompt", "completion"}), "verdicts"),
    (frozenset({"question", "expected"}), "suite"),
)
"""Keys of a file's first object → what the file is; the first that fits."""


@dataclass(frozen=True, kw_only=True)
class TuningFile:
    """What a file holds."""

    name: str
    kind: str
    """messages, llava, preferences, verdicts, suite, table or shards."""
    digest: str
    """SHA-256 of the file, or of all files of a folder."""
    rows: tuple[TuningRow, ...]
    bad: tuple[BadRow, ...]
    """Rows that cannot be learned from."""


def read_tuning_file(path: Path, *, media_folder: Path | None = None, question: str = QUESTION) -> TuningFile:
    """Read a file, or a folder with a table or shards, whatever is in it.

    Args:
        path: JSONL of `messages`, LLaVA JSON (or JSONL), a suite, preferences or verdicts; CSV or TSV; a tar archive; a
            folder with one table or with shards.
        media_folder: Where paths of media start, and which they may not leave; the file's folder when not given.
        question: Asked where a file holds answers only.

    Raises:
        InputError: It cannot be read, or it is none of these. Malformed rows are no error here.
    """
    files = _files(path)
    kind = "shards" if files[0].suffix == ".tar" else _kind(files[0])
    bad: list[BadRow] = []
    folder = media_folder or files[0].parent
    readers: dict[str, Callable[[], Sequence[TuningRow]]] = {
        "messages": partial(read_messages, files[0], folder, bad),
        "llava": partial(read_llava, files[0], folder, bad),
        "preferences": partial(read_preferences, files[0], folder, bad),
        "verdicts": partial(read_verdicts, files[0], folder, bad),
        "suite": partial(read_cases, files[0], folder, bad),
        "table": partial(read_table, files[0], folder, bad, question),
        "shards": partial(read_captions, files, bad, question),
    }
    rows = tuple(readers[kind]())
    if not rows and not bad:
        raise InputError(f"{path} holds no row; expected at least one to learn from.")
    return TuningFile(name=path.name, kind=kind, digest=_digest(files), rows=rows, bad=tuple(bad))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"There is no file {path}; expected the data to learn from.")
    shards = sorted(path.glob("*.tar"))
    tables = sorted([*path.glob("*.csv"), *path.glob("*.tsv")])
    if shards:
        return shards
    if len(tables) != 1:
        raise InputError(f"The folder {path} has {len(tables)} tables and no shards; expected one table, or shards.")
    return tables


def _kind(file: Path) -> str:
    if file.suffix in (".csv", ".tsv"):
        return "table"
    if file.suffix == ".json":
        return "llava"
    keys = _first_keys(file)
    for wanted, kind in _KEYS:
        if wanted <= keys:
            return kind
    known = "; ".join(" and ".join(sorted(wanted)) for wanted, _ in _KEYS)
    raise InputError(
        f"The first object of {file} has the keys {', '.join(sorted(keys)) or 'none'}; expected those of one of the "
        f"known forms ({known}), or a .csv, .json or .tar file."
    )


def _first_keys(file: Path) -> set[str]:
    """Keys of the first line that is an object."""
    for _, line in read_lines(file):
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return set(value)
    return set()


def _digest(files: Sequence[Path]) -> str:
    state = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            state.update(hashlib.file_digest(content, "sha256").digest())
    return state.hexdigest()
