"""Files of a run that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

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
        except SafetensorError as error:  # its own form of the system's errors
            found = re.search(r"code: (\d+)", str(error))
            code = int(found[1]) if found else errno.EIO
            raise OSError(code, os.strerror(code)) from None
        _put(partial, file)


def save_text(text: str, file: Path) -> None:
    """Write text. Errors as for `save_tensors`."""
    partial = file.with_name(file.name + ".partial")
    with writing(file):
        partial.write_text(text, encoding="utf-8")
        _put(partial, file)


def _put(partial: Path, file: Path) -> None:
    """Give a complete file its name, after it has reached the disk: a power cut leaves the old one or the new one."""
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)
