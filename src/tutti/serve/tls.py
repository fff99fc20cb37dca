"""TLS by certificate files, and client certificates where a CA for them is given. At least TLS 1.2."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutti.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Where a server's certificate lies."""

    cert: Path
    """The certificate and those between it and its CA, in PEM."""
    key: Path
    """Its private key, in PEM, for its owner only."""
    client_ca: Path | None = None
    """CAs of clients, in PEM: then only clients with a certificate of theirs are served."""

    def context(self) -> ssl.SSLContext:
        """The context that connections are made with.

        Raises:
            InputError: A file is missing, is no PEM, or the key does not belong to the certificate or can be read by
                others.
        """
        for path, what in ((self.cert, "certificate"), (self.key, "private key"), (self.client_ca, "CA of clients")):
            if path is not None and not path.is_file():
                raise InputError(f"{path} does not exist; expected the file of the {what}, in PEM.")
        if self.key.stat().st_mode & 0o077:
            mode = self.key.stat().st_mode & 0o777
            raise InputError(f"The private key {self.key} can be read by others ({mode:04o}): chmod 600 {self.key}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        try:
            # An empty password, since otherwise OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert, self.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise InputError(
                f"{self.cert} and {self.key} are no certificate with its private key in PEM, without a password "
                f"({str(reason).replace('_', ' ').lower()}); expected two that belong together."
            ) from None
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (ssl.SSLError, OSError) as error:
                reason = getattr(error, "reason", None) or type(error).__name__
                raise InputError(f"{self.client_ca} holds no certificates of CAs in PEM ({reason}).") from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def listening(files: TlsFiles | None) -> dict[str, Any]:
    """Arguments for uvicorn: none without files."""
    if files is None:
        return {}
    context = files.context()
    return {"ssl_context_factory": lambda config, default: context}
