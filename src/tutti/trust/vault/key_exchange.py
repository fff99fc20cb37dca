"""A server's public key for media, fetched by a client: `GET /apps/media-key`."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from tutti.errors import InputError, ProviderError, Unavailable, untrusted
from tutti.settings import read_settings
from tutti.trust.vault.wire import SUITE, MediaSender, fingerprint

PATH = "/apps/media-key"
_SECONDS = 30.0
_LARGEST = 1 << 16


def sender_to(name: str, pinned: str | None = None) -> MediaSender:
    """What seals media to the server of a model's name.

    Args:
        name: `http://HOST/v1#MODEL`.
        pinned: The fingerprint that the key must have, as the server prints it. Without one the key is believed as it
            comes: over plain HTTP, whoever stands between can put his own in its place.

    Raises:
        InputError: The name is that of no server, or the key has another fingerprint.
        ProviderError: The server publishes no key, or its certificate is not trusted.
        Unavailable: It cannot be reached.
        MissingExtra: The extra `vault` is not installed.
    """
    if not name.startswith(("http://", "https://")):
        raise InputError(f"{name} is no `tutti serve`; media are encrypted to one, as in: http://HOST/v1#NAME")
    address = name.partition("#")[0].rstrip("/").removesuffix("/v1") + PATH
    values = _fetched(address)
    try:
        public = base64.b64decode(values["key"], validate=True)
        if values["suite"] != SUITE or len(public) != 32:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ProviderError(
            f"{address} answers with no key that this version knows; use a client of its version."
        ) from None
    found = fingerprint(public)
    if pinned is not None and pinned.strip().lower() not in (found, found.removeprefix("sha256:")):
        raise InputError(
            f"{address} has the key {found}, and {pinned} was expected: the server was started anew without "
            "--media-key, or someone stands between. Nothing was sent."
        )
    return MediaSender(public)


def _fetched(address: str) -> dict[str, Any]:
    key = read_settings().hosted_keys.get("tutti_server")
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"} if key else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - http or https, checked above
            values = json.loads(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        hint = "give the key in TUTTI_SERVER_API_KEY" if error.code == 401 else "start it with --encrypted-media"
        raise ProviderError(f"{address} answers with status {error.code} in the place of a key; {hint}.") from None
    except (OSError, ValueError) as error:
        if (refused := untrusted(address, error)) is not None:
            raise refused from None
        reason = getattr(error, "reason", None) or error
        raise Unavailable(f"{address} cannot be reached for its key ({reason}); is the server running?") from None
    return values if isinstance(values, dict) else {}
