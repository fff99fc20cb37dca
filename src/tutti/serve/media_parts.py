"""From an address in a request to a medium, and its estimated cost, before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from tutti.content import (
    Audio,
    Document,
    Image,
    Media,
    Modality,
    Part,
    Text,
    Video,
    data_url_bytes,
    is_data_url,
)
from tutti.errors import InputError
from tutti.media import Fetcher, MediaDecoder, MediaRoot
from tutti.serve.admission import Cost

_KINDS = {"image": Image, "audio": Audio, "video": Video, "document": Document}


class MediaOpener:
    """Opens `data:` URLs, and those addresses and paths that were allowed.

    Args:
        decoder: Reads the headers of media, within its limits.
        fetcher: Fetches remote addresses, if any are allowed.
        root: The folder whose files may be named, if any.
    """

    def __init__(self, decoder: MediaDecoder, fetcher: Fetcher | None = None, root: MediaRoot | None = None) -> None:
        self.decoder, self._fetcher, self._root = decoder, fetcher, root

    def open(self, address: str, modality: Modality | None) -> Part:
        """The medium at an address.

        Args:
            address: A `data:` URL, or an address or path that was allowed.
            modality: The expected one; None detects it from the content.

        Raises:
            InputError: It is not allowed, or cannot be opened.
            CapacityError: It is larger than allowed.
        """
        content = self._content(address)
        if not content:
            raise InputError("The medium is empty; expected the bytes of a picture, a recording or a video.")
        part: Part = _KINDS[modality or self.decoder.modality(content)](content)
        return part

    def cost(self, parts: Sequence[Part]) -> Cost:
        """Estimated cost of media, from their headers.

        Raises:
            InputError: A header cannot be read.
            CapacityError: A header exceeds a limit.
        """
        cost = Cost()
        for part in parts:
            if isinstance(part, Media):
                size = self.decoder.size(part)
                cost += Cost(bytes=size.bytes, pixels=size.pixels, seconds=size.seconds)
        return cost

    def _content(self, address: str) -> bytes:
        if is_data_url(address):
            return data_url_bytes(address)
        if address.lower().startswith(("http:", "https:")):
            if self._fetcher is not None:
                return self._fetcher.fetch(address)
            raise InputError(
                "A remote address was given, and this server fetches none; send the medium as a data: URL, or start "
                "the server with --allow-media-domain."
            )
        if self._root is not None:
            return self._root.read(address)
        raise InputError(
            "A path was given, and this server opens none; send the medium as a data: URL, or start the server "
            "with --media-root."
        )


def texts(parts: Sequence[Part]) -> list[str]:
    """The words among parts."""
    return [part.text for part in parts if isinstance(part, Text)]


def as_data_url(data: str) -> str:
    """Base64 as a `data:` URL, which it may be already; no other address can come of it."""
    return data if is_data_url(data) else f"data:application/octet-stream;base64,{data}"
