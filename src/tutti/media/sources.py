"""From a part's source (path, bytes, `data:` URL) to an open file within the budget of bytes."""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tutti.content import Media, ReadFile, data_url_bytes, is_data_url
from tutti.errors import CapacityError, InputError, TuttiError
from tutti.media.limits import Limits

_quiet_lock = threading.RLock()


def array_of(part: Media) -> NDArray[np.generic] | None:
    """The source of `part` when it is a numpy array, otherwise None."""
    return cast("NDArray[np.generic]", part.source) if isinstance(part.source, np.ndarray) else None


@contextmanager
def opened(part: Media, limits: Limits) -> Iterator[BinaryIO]:
    """Open the encoded content of `part` for reading, and close it at the end.

    Raises:
        InputError: The source is missing, empty, a folder, remote, or of a type that cannot be read.
        CapacityError: It has more bytes than allowed.
    """
    file = _open(part, limits)
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        limits.check_bytes(part.name, size)
        if size == 0:
            raise InputError(f"{part.name} is empty; expected {_expected(part)}.")
        yield file
    finally:
        file.close()


def _expected(part: Media) -> str:
    known = {"image": "a picture", "audio": "a recording", "video": "a video", "motion": "motion readings"}
    return known.get(part.modality, "a PNG picture" if part.modality in ("depth", "thermal") else "a medium")


def _open(part: Media, limits: Limits) -> BinaryIO:
    source = part.source.content if isinstance(part.source, ReadFile) else part.source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, str) and is_data_url(source):
        limits.check_bytes(
            part.name, len(source) * 3 // 4
        )  # before decoding; base64 is four characters for three bytes
        return io.BytesIO(data_url_bytes(source))
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        raise InputError(f"{source} is a remote address and remote fetch is off; download it and give the file's path.")
    if isinstance(source, (str, os.PathLike)):
        return _open_path(os.fspath(source))
    raise InputError(
        f"The {part.modality} source is of type {type(source).__name__}; "
        "expected a path, bytes, a data: URL or a numpy array."
    )


def _open_path(path: str) -> BinaryIO:
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder; expected a file.")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is a device or a pipe; expected a file.")
        return Path(path).open("rb")  # `opened` closes it
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from None
    except ValueError:
        raise InputError(f"{path!r} is not a path; expected one without null characters.") from None


@contextmanager
def decoding(name: str, what: str) -> Iterator[None]:
    """Turn whatever a decoder raises over hostile bytes into one sentence.

    Args:
        name: The medium's name.
        what: What it should have been, as in "a readable PNG picture".

    Raises:
        InputError: The decoder failed.
        CapacityError: It ran out of memory.
    """
    try:
        yield
    except TuttiError:
        raise
    except MemoryError:
        raise CapacityError(f"{name} needs more memory than there is: use a smaller file.") from None
    except Exception as error:  # decoders raise anything, from SyntaxError to struct.error
        raise InputError(f"{name} is not {what}: it is damaged or cut off; get a whole copy.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep readers' warnings about odd metadata off the user's terminal.

    Under a lock, because the filters are global: two threads leaving in the wrong order would lose the user's own.
    """
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
