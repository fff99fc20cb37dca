"""Files of a run that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from tutti.checkpoints.folders import system_error
from tutti.errors import writing


def save_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors as safetensors.

    Raises:
        CapacityError: There is no room left.
        InputError: The place cannot be written to.
    """
    partial = file.with_name(file.name + ".partial")
    with writing(file):
        # cloned, because safetensors refuses tensors that share memory (tied weights)
        held = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(held, partial)
        except (OSError, SafetensorError) as error:
            partial.unlink(missing_ok=True)  # where there is no room, it would take some
            raise (system_error(error) or OSError(errno.EIO, str(error))) from None
        _put(partial, file)


def save_text(text: str, file: Path) -> None:
    """Write text. Errors as for `save_tensors`."""
    partial = file.with_name(file.name + ".partial")
    with writing(file):
        try:
            partial.write_text(text, encoding="utf-8")
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _put(partial, file)


def _put(partial: Path, file: Path) -> None:
    """Give a complete file its name, after it has reached the disk: a power cut leaves the old one or the new one."""
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)
