"""Parts of a message: text and media, each with its modality, source and content digest."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from tutti.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[object]  # type: ignore[type-var]

Modality = Literal["text", "image", "audio", "video", "depth", "thermal", "motion", "document"]
Source: TypeAlias = "str | os.PathLike[str] | bytes | Array"
"""A path, a `data:` URL, encoded bytes, or a numpy array of decoded values."""


@dataclass(frozen=True, slots=True)
class ReadFile(os.PathLike[str]):
    """The path of a file that was read already, with its content, so that it is not opened again."""

    path: str
    content: bytes = field(repr=False)

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        """The path, as of any other."""
        return self.path


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str
    modality: ClassVar[Modality] = "text"

    @property
    def digest(self) -> str:
        """SHA-256 of modality and content, as 64 hexadecimal digits."""
        return hashlib.sha256(b"text\0" + self.text.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, eq=False)
class Media:
    """What all media parts share: a source that is decoded later, by `tutti.media`, within limits."""

    source: Source
    modality: ClassVar[Modality]

    @property
    def name(self) -> str:
        """What to call the medium in a message to the user: its path, or the form it came in."""
        if isinstance(self.source, str) and is_data_url(self.source):
            return f"{self.modality} from a data: URL"
        if isinstance(self.source, (str, os.PathLike)):
            return os.fspath(self.source)
        if isinstance(self.source, bytes):
            return f"{self.modality} of {len(self.source)} bytes"
        return f"{self.modality} array"

    @property
    def digest(self) -> str:
        """SHA-256 over modality, form and content, as 64 hexadecimal digits.

        A file, its bytes and its `data:` URL are one content. Paths are read in pieces, so a file's digest costs no
        memory. Arrays contribute their shape and type, which keeps a 30 x 150 picture apart from a 150 x 30 one with
        the same bytes.

        Raises:
            InputError: The source is a path that cannot be read or a `data:` URL that cannot be decoded.
        """
        source = self.source.content if isinstance(self.source, ReadFile) else self.source
        encoded = isinstance(source, (str, bytes, os.PathLike))
        state = hashlib.sha256(f"{self.modality}\0{self._rate()}\0{'file' if encoded else 'array'}\0".encode())
        if isinstance(source, bytes):
            state.update(source)
        elif isinstance(source, str) and is_data_url(source):
            state.update(data_url_bytes(source))
        elif isinstance(source, (str, os.PathLike)):
            try:
                with Path(source).open("rb") as file:
                    while piece := file.read(1 << 20):
                        state.update(piece)
            except OSError as error:
                raise InputError(f"Cannot read {self.name}: {error.strerror or error}.") from None
            except ValueError:
                raise InputError(f"{self.name!r} is not a path; expected one without null characters.") from None
        else:
            state.update(f"{source.shape}\0{source.dtype.str}\0".encode())
            state.update(source.tobytes())
        return state.hexdigest()

    def _rate(self) -> str:
        return ""


@dataclass(frozen=True, eq=False)
class Image(Media):
    """A picture. Arrays are (H, W), (H, W, 3) or (H, W, 4) of uint8."""

    modality: ClassVar[Modality] = "image"


@dataclass(frozen=True, eq=False)
class Audio(Media):
    """A recording. Arrays are (S,) or (S, C) of float32 in [-1, 1] or int16, and need `sample_rate_hz`."""

    modality: ClassVar[Modality] = "audio"
    sample_rate_hz: int | None = None

    def _rate(self) -> str:
        return str(self.sample_rate_hz)


@dataclass(frozen=True, eq=False)
class Video(Media):
    """Moving pictures with their sound. Arrays are (F, H, W, 3) of uint8 and need `frames_per_s`."""

    modality: ClassVar[Modality] = "video"
    frames_per_s: float | None = None

    def _rate(self) -> str:
        return str(self.frames_per_s)


@dataclass(frozen=True, eq=False)
class Depth(Media):
    """A depth map. Arrays are (H, W) of float32 metres; files are 16-bit PNG in millimetres."""

    modality: ClassVar[Modality] = "depth"


@dataclass(frozen=True, eq=False)
class Thermal(Media):
    """A thermal picture. Arrays are (H, W) of float32 kelvin; files are 16-bit PNG in centikelvin."""

    modality: ClassVar[Modality] = "thermal"


@dataclass(frozen=True, eq=False)
class Motion(Media):
    """Inertial readings. Arrays are (S, 6): acceleration in m/s² (x, y, z), rotation in rad/s (x, y, z)."""

    modality: ClassVar[Modality] = "motion"
    sample_rate_hz: float | None = None

    def _rate(self) -> str:
        return str(self.sample_rate_hz)


@dataclass(frozen=True, eq=False)
class Document(Media):
    """A PDF. Models are given its pages, as pictures with their text."""

    modality: ClassVar[Modality] = "document"


Part: TypeAlias = Text | Media


_SHORTEST_LINE = 16
"""Of wrapped base64, in characters: with shorter ones, a small content could be spread over a long text."""


def is_data_url(text: str) -> bool:
    """Whether a text is a `data:` URL; the scheme may be written in any case (RFC 3986, section 3.1)."""
    return text[:5].lower() == "data:"


def data_url_bytes(url: str) -> bytes:
    """Decode the payload of a `data:` URL (RFC 2397).

    The base64 text may be percent-encoded, and may be wrapped into lines of one length (RFC 2045, section 6.8);
    otherwise it is decoded strictly: what two decoders would read differently is refused.

    Raises:
        InputError: There is no comma, or the base64 text is not well formed.
    """
    header, comma, payload = url.partition(",")
    if not comma:
        raise InputError("A data: URL without a comma was given; expected data:TYPE;base64,CONTENT.")
    if not header.rstrip().lower().endswith(";base64"):
        return unquote_to_bytes(payload)
    coded = unquote_to_bytes(payload) if "%" in payload else payload.encode(errors="surrogatepass")
    coded = _unwrapped(coded)
    try:
        content = base64.b64decode(coded, validate=True)
    except ValueError as error:  # binascii.Error is one
        raise InputError(f"The base64 text of a data: URL is not well formed: {error}.") from None
    if len(coded) % 4:  # which the decoder lets pass
        raise InputError("The base64 text of a data: URL is not well formed: Excess padding.")
    return content


def _unwrapped(coded: bytes) -> bytes:
    """A text of lines in one piece, if the lines are long and of one length; otherwise the text as it is."""
    lines = coded.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n")
    even = all(len(line) == len(lines[0]) for line in lines[:-1]) and len(lines[-1]) <= len(lines[0])
    return b"".join(lines) if even and (len(lines) == 1 or len(lines[0]) >= _SHORTEST_LINE) else coded
