"""Digests of a checkpoint: what makes its points comparable with those of another load."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from tutti.checkpoints.model_paths import find_folder

_PREPROCESSING = ("preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json")


def digests(path: str | PathLike[str]) -> tuple[str, str]:
    """SHA-256 of the weights with their configuration, and of the files that make the model's inputs.

    An adapter in the folder is part of the weights, since it is loaded with them.

    Raises:
        CheckpointError: There is no such checkpoint.
    """
    folder = find_folder(path)
    weights = [folder / "config.json", folder / "adapter_config.json", *sorted(folder.glob("*.safetensors"))]
    return _digest(weights), _digest(folder / name for name in _PREPROCESSING)


def _digest(files: Iterable[Path]) -> str:
    state = hashlib.sha256()
    for file in files:
        if file.is_file():
            with file.open("rb") as content:
                state.update(f"{file.name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\0".encode())
    return state.hexdigest()
