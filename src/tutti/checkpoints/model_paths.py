"""From a model's name to its folder: a folder, a built-in name or a hub id."""

from __future__ import annotations

import re
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path

from tutti.checkpoints.layouts import is_gguf
from tutti.errors import CheckpointError

BUILT_IN = ("tutti-mini", "whisper-base")
"""Checkpoints that lie inside the package."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def find_folder(name: str | PathLike[str]) -> Path:
    """The folder of a checkpoint. A folder that exists comes first; a hub id is downloaded.

    Raises:
        CheckpointError: There is no such checkpoint.
    """
    text = fspath(name)
    path = Path(text).expanduser()
    if text and path.is_dir():
        return path
    if path.is_file() and is_gguf(path):
        raise CheckpointError(f"{text} is a file of llama.cpp's; convert it once: tutti convert {text} --into FOLDER.")
    if path.is_file():
        raise CheckpointError(f"{text} is a file; expected the folder of a checkpoint, with config.json in it.")
    if text in BUILT_IN:
        folder = Path(str(files("tutti") / "assets" / text))
        if not folder.is_dir():
            raise CheckpointError(f"{text} is not part of this installation; install Tutti again.")
        return folder
    if _HUB_ID.fullmatch(text):
        from tutti.checkpoints.hub import download

        return download(text)
    raise CheckpointError(
        f"There is no model {text!r}; expected {', '.join(BUILT_IN)}, the folder of a checkpoint, "
        'or a hub id such as "organization/name".'
    )
