"""Folders that are written whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutti.checkpoints.headers import INDEX
from tutti.errors import CapacityError, CheckpointError, unwritable, writing

_OWN_ENDINGS = (".safetensors", ".json", ".txt", ".model", ".jinja", ".md")
"""What a checkpoint folder may hold to be replaced without asking."""


@contextmanager
def replace_folder(target: Path, mark: str) -> Iterator[Path]:
    """An empty folder that takes the place of `target` at the end, or leaves no trace if something goes wrong.

    Args:
        target: The place.
        mark: The file by which a folder that may be replaced is known.

    Raises:
        CapacityError: There is no room left.
        CheckpointError: There is a folder of something else in the place.
        InputError: It cannot be written there.
    """
    with writing(target):
        check_replaceable(target, mark)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        (scratch / "new").mkdir()  # mkdtemp's own folder is closed to everyone else, and would stay so
        yield scratch / "new"
        if target.exists():
            target.rename(scratch / "old")
        (scratch / "new").rename(target)
    except BaseException as error:
        if (scratch / "old").exists() and not target.exists():
            (scratch / "old").rename(target)
        shutil.rmtree(scratch, ignore_errors=True)
        refused = system_error(error)
        told = unwritable(target, refused) if refused is not None else None
        if isinstance(told, CapacityError):  # anything else may be about a file that was read
            raise told from None
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def system_error(error: BaseException) -> OSError | None:
    """The system's error behind one that writing raised, also where safetensors tells it in its own form, or None."""
    if isinstance(error, OSError):
        return error
    from safetensors import SafetensorError

    if not isinstance(error, SafetensorError):
        return None
    found = re.search(r"(?:os error|code:) (\d+)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


def other_files(folder: Path) -> dict[str, bytes]:
    """Whatever a checkpoint holds beside its weights, `config.json` and an adapter, but for what may run code."""
    kept = (".json", ".txt", ".model", ".jinja", ".md")
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.is_file()
        and (file.suffix in kept or file.name.startswith("LICENSE"))
        and file.name not in ("config.json", "adapter_config.json", INDEX)
    }


def check_replaceable(target: Path, mark: str) -> None:
    """Only a checkpoint, or the place for one, may be overwritten: empty, or with the card of one to come.

    Raises:
        CheckpointError: It is a file, or a folder of something else.
    """
    if not target.exists():
        return
    inside = list(target.iterdir()) if target.is_dir() and not target.is_symlink() else None
    names = {file.name for file in inside or ()}
    if inside is None or not all(map(_belongs, inside)) or not (mark in names or names <= {"README.md"}):
        raise CheckpointError(f"{target} exists and is not a checkpoint; it is left alone: choose another folder.")


def _belongs(file: Path) -> bool:
    return file.is_file() and (file.suffix in _OWN_ENDINGS or file.name.startswith(("LICENSE", ".")))
