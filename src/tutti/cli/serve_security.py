"""Options of `tutti serve` for TLS, encrypted media, and encryption of what it keeps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.vault import add_vault, leave_no_core, opened
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.interfaces import SealerOf
    from tutti.serve.media_parts import MediaOpener
    from tutti.serve.tls import TlsFiles

EPILOG = """
encryption:
  tutti serve --tls-cert server.pem --tls-key server.key --host 0.0.0.0 --keys keys.txt
  tutti serve --encrypted-media                   clients encrypt media to this server: tutti ask … --encrypt
  tutti serve --vault keys.vault                  what it keeps of media is encrypted, with a key for each tenant
"""


def add_security(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("encryption")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain in PEM: HTTPS, TLS 1.2 or more")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key in PEM, mode 0600")
    group.add_argument("--tls-client-ca", type=Path, metavar="FILE", help="serve only clients that these CAs certify")
    group.add_argument(
        "--encrypted-media",
        nargs="?",
        const="accept",
        choices=("accept", "require"),
        help="publish a key at /apps/media-key that clients encrypt media to; require refuses others (extra: vault)",
    )
    group.add_argument(
        "--media-key",
        type=Path,
        metavar="FILE",
        help="keep that key in FILE, made if it is missing, so that clients can pin it (default: a new one)",
    )
    add_vault(parser, "encrypt what is kept of media (TUTTI_EMBEDDING_BYTES)")


def tls_of(arguments: argparse.Namespace) -> TlsFiles | None:
    """The files of TLS, checked before the seconds that a model takes to load.

    Raises:
        InputError: One of the two is missing, or they are not what they should be.
    """
    given = (arguments.tls_cert, arguments.tls_key)
    if given == (None, None):
        if arguments.tls_client_ca is not None:
            raise InputError("--tls-client-ca was given without --tls-cert and --tls-key; give all three.")
        return None
    if None in given:
        raise InputError("TLS takes both --tls-cert and --tls-key.")
    from tutti.serve.tls import TlsFiles

    files = TlsFiles(cert=arguments.tls_cert, key=arguments.tls_key, client_ca=arguments.tls_client_ca)
    files.context()
    return files


def sealers(arguments: argparse.Namespace) -> SealerOf | None:
    """What encrypts what is kept of each tenant, where `--vault` names a vault. Errors as for `opened`."""
    vault = opened(arguments)
    if vault is None:
        return None
    from tutti.settings import read_settings

    return vault.sealers_for(str(Path(read_settings().cache_folder).expanduser().resolve() / "embeddings"))


def sealed_opener(arguments: argparse.Namespace, *given: Any) -> tuple[MediaOpener, list[Any]]:
    """The opener of media, for encrypted ones where that was asked for, and the application that publishes the key.

    Args:
        arguments: Of the command.
        given: Arguments of `MediaOpener`.

    Raises:
        InputError: `--media-key` was given alone, or names no key.
    """
    from tutti.serve.media_parts import MediaOpener

    if arguments.encrypted_media is None:
        if arguments.media_key is not None:
            raise InputError("--media-key was given without --encrypted-media; give both.")
        return MediaOpener(*given), []
    leave_no_core()
    from tutti.serve.sealed_media import MediaKey, SealedMediaOpener
    from tutti.trust.vault.wire import MediaRecipient

    recipient = MediaRecipient.read(arguments.media_key)
    only = arguments.encrypted_media == "require"
    return SealedMediaOpener(*given, recipient=recipient, only=only), [MediaKey(recipient)]


def keep_uploads_in_memory(most_bytes: int) -> None:
    """Have uploads lie in memory, whose size the server bounds, rather than in a temporary file in the clear."""
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = most_bytes
