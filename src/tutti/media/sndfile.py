"""Recordings that libsndfile reads: WAV and its forms for more than 4 GB, FLAC, OGG, AIFF, AU and CAF."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import soundfile

from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.containers import check_rate
from tutti.media.sniff import SOUNDS, Format
from tutti.media.sources import decoding

SNDFILE_FORMATS = {
    sniff.WAV: {"WAV", "WAVEX"},
    sniff.RF64: {"RF64"},
    sniff.W64: {"W64"},
    sniff.FLAC: {"FLAC"},
    sniff.OGG: {"OGG"},
    sniff.AIFF: {"AIFF"},
    sniff.AU: {"AU"},
    sniff.CAF: {"CAF"},
}
"""Format → what libsndfile calls it."""
_UNKNOWN_CODING = (4, 18)
"""libsndfile's `SF_ERR_UNSUPPORTED_ENCODING` and its finer `SFE_UNIMPLEMENTED`."""


@contextmanager
def sound_file(file: BinaryIO, found: Format, name: str) -> Iterator[Any]:
    """Open a recording from its first byte.

    Args:
        file: Open.
        found: Its format, one of `SNDFILE_FORMATS`.
        name: What to call it in errors.

    Raises:
        InputError: It is damaged, coded in a way that is not read, or its rate is none that recordings have.
    """
    file.seek(0)
    source = (_AsRF64 if file.read(4) == b"BW64" else _Source)(file)
    file.seek(0)
    with decoding(name, f"a readable {found.name} recording"):
        try:
            sound = soundfile.SoundFile(source)
        except soundfile.LibsndfileError as error:
            if error.code in _UNKNOWN_CODING:
                raise InputError(
                    f"{name} is {found.name} coded in a way that Tutti does not read; convert it to WAV or FLAC."
                ) from None
            raise
        with sound:
            if sound.format not in SNDFILE_FORMATS[found]:
                raise InputError(
                    f"{name} is not a recording that Tutti reads: its content is {sound.format}; expected {SOUNDS}."
                )
            check_rate(name, sound.samplerate)
            yield sound


class _Source:
    """A file as libsndfile asks for it: where a hostile header leads before its beginning, it stays where it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go somewhere, if there is such a place."""
        with contextlib.suppress(ValueError, OSError):
            self._file.seek(offset, whence)
        return self._file.tell()

    def read(self, count: int = -1) -> bytes:
        """Bytes from where the file stands."""
        return self._file.read(count)

    def readinto(self, buffer: Any) -> int:
        """As `read`, into a buffer."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class _AsRF64(_Source):
    """A BW64 file under the name that libsndfile knows: both have the same chunks (ITU-R BS.2088-1, section 3)."""

    def read(self, count: int = -1) -> bytes:
        """Bytes from where the file stands, with RF64 for its first four."""
        start = self._file.tell()
        content = self._file.read(count)
        return b"RF64"[start : start + len(content)] + content[max(0, 4 - start) :]
