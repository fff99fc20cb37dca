"""A CA, and signers that it certifies, as C2PA wants them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM


class Authority:
    """A CA of a name."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder, self.subject = folder, _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._signed(self.subject, self.key.public_key(), ca=True, seconds=86_400)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.pem)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def signer(self, name: str, kind: str = "p256", seconds: float = 86_400) -> tuple[Path, Path]:
        """A certificate chain that is valid for so long, and its key, as files."""
        key: Any = {
            "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate,
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
        }[kind]()
        cert, path = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(self._signed(_name(name), key.public_key(), ca=False, seconds=seconds) + self.pem)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        return cert, path

    def _signed(self, subject: x509.Name, public: Any, ca: bool, seconds: float) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self.subject, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(seconds=seconds))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        builder = builder.add_extension(usage, critical=True)
        if not ca:
            mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(mail, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)


def _name(name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{name} Org")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), organisation])
