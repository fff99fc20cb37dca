"""Media that clients encrypted to this server: its public key as a route, and an opener that decrypts them.

What a client encrypted is plain only in this process's memory: not in a proxy before it, not in a log or a span.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from tutti.content import Media, Modality, Part, data_url_bytes
from tutti.errors import InputError
from tutti.media import Fetcher, MediaDecoder, MediaRoot
from tutti.serve.admission import Cost
from tutti.serve.applications import TenantOf
from tutti.serve.media_parts import MediaOpener
from tutti.trust.vault import wire

_KEPT_S = 30.0
"""How long a medium waits for the rest of its request to be read, at most."""


class SealedMediaOpener(MediaOpener):
    """As `MediaOpener`, for encrypted media, too.

    Args:
        decoder: As there.
        fetcher: As there.
        root: As there.
        recipient: The server's key.
        only: Refuse media that are not encrypted.
    """

    def __init__(
        self,
        decoder: MediaDecoder,
        fetcher: Fetcher | None = None,
        root: MediaRoot | None = None,
        *,
        recipient: wire.MediaRecipient,
        only: bool = False,
    ) -> None:
        super().__init__(decoder, fetcher, root)
        self.recipient, self._only = recipient, only
        self._here = threading.local()
        self._heads: dict[int, tuple[Part, wire.SealedHead, float]] = {}
        self._lock = threading.Lock()

    def open(self, address: str, modality: Modality | None) -> Part:
        """As `MediaOpener.open`.

        Raises:
            InputError: An encrypted medium was changed, cut or sent before; or a plain one is not accepted here.
        """
        self._here.head = None
        part = super().open(address, modality)
        head: wire.SealedHead | None = self._here.head
        if head is not None:
            now = time.monotonic()
            with self._lock:
                for old in [name for name, (_, _, until) in self._heads.items() if until < now]:
                    del self._heads[old]
                self._heads[id(part)] = (part, head, now + _KEPT_S)
        return part

    def cost(self, parts: Sequence[Part]) -> Cost:
        """As `MediaOpener.cost`, which sees all parts of a request: none that was encrypted with it may be left out.

        Raises:
            InputError: One is.
        """
        heads = []
        with self._lock:
            for part in parts:
                kept = self._heads.pop(id(part), None) if isinstance(part, Media) else None
                if kept is not None:
                    heads.append(kept[1])
        if wire.missing(heads):
            raise InputError(
                "Of the media that were encrypted for this request some are left out, doubled or in another order; "
                "send the request again."
            )
        return super().cost(parts)

    def _content(self, address: str) -> bytes:
        if not address.startswith(f"data:{wire.MEDIA_TYPE}"):
            if self._only:
                raise InputError(
                    "A medium came unencrypted, and this server accepts encrypted ones only; use `tutti ask "
                    "--encrypt`, or fetch /apps/media-key."
                )
            return super()._content(address)
        self._here.head, content = self.recipient.open(data_url_bytes(address))
        return content


class MediaKey:
    """The application that publishes the server's public key for media: `GET /apps/media-key`.

    Args:
        recipient: The server's key.
    """

    name = "media-key"

    def __init__(self, recipient: wire.MediaRecipient) -> None:
        self._recipient, self.fingerprint = recipient, recipient.fingerprint

    def router(self, tenant_of: TenantOf) -> APIRouter:
        """Its one route; the key is the same for every tenant."""
        router = APIRouter()
        values = {
            "object": "media_key",
            "suite": wire.SUITE,
            "key": base64.b64encode(self._recipient.public).decode(),
            "fingerprint": self._recipient.fingerprint,
        }

        async def media_key() -> JSONResponse:
            """The public key that media are encrypted to."""
            return JSONResponse(values)

        router.add_api_route("", media_key, methods=["GET"])
        return router
