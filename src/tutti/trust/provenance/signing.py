"""Signs a medium with the user's certificate, with what was done to it, as a C2PA manifest inside the file.

For the rooms that make media (redacted copies, drafts):

    sign("copy.jpg", "signed.jpg", cert="me.pem", key="me.key", actions=[FACES_COVERED, METADATA_REMOVED])
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from tutti import __version__
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media.sniff import AVIF, FLAC, GIF, HEIC, HEIF, JPEG, MP3, MP4, PNG, TIFF, WAV, WEBP, Format, sniff
from tutti.media.whole_files import write_whole
from tutti.trust.provenance.confined import Budget, Refused, run
from tutti.trust.provenance.reading import content_of
from tutti.trust.vault.private_files import private_bytes

_MIME: dict[Format, str] = {
    JPEG: "image/jpeg",
    PNG: "image/png",
    WEBP: "image/webp",
    GIF: "image/gif",
    TIFF: "image/tiff",
    AVIF: "image/avif",
    HEIC: "image/heic",
    HEIF: "image/heif",
    WAV: "audio/wav",
    MP3: "audio/mpeg",
    FLAC: "audio/flac",
    MP4: "video/mp4",
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Action:
    """Something that was done to a medium.

    Args:
        name: As C2PA lists them (`c2pa.edited`, `c2pa.cropped`, …), or `reverse.domain.name`.
        description: In words; nothing in it that was to be hidden.
    """

    name: str
    description: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As C2PA has it."""
        return {"action": self.name, **({"description": self.description} if self.description else {})}


FACES_COVERED = Action("c2pa.edited", "Faces covered")
TEXT_COVERED = Action("c2pa.edited", "Identifying text covered")
SOUND_SILENCED = Action("c2pa.edited", "Identifying speech silenced")
METADATA_REMOVED = Action("c2pa.edited.metadata", "Metadata removed")


def sign(
    source: str | PathLike[str],
    out: str | PathLike[str],
    *,
    cert: str | PathLike[str],
    key: str | PathLike[str],
    actions: Sequence[Action] = (),
    by_model: bool = False,
    budget: Budget | None = None,
) -> None:
    """Write a signed copy of a medium. Nothing is fetched, so that there is no time stamp.

    What the source has of manifests stays as that of an ingredient, and no thumbnail is added, so that a redacted copy
    tells nothing that the copy itself does not.

    Args:
        source: The medium.
        out: Where the copy goes; nothing is written over.
        cert: The certificate and those between it and its CA, in PEM.
        key: Its private key in PEM, mode 0600, without a password.
        actions: What was done.
        by_model: A trained model made it (`c2pa.created`, trainedAlgorithmicMedia), rather than that it was opened and
            edited.
        budget: What it may take.

    Raises:
        InputError: A file is not there or not what it should be, the format cannot be signed, or `out` exists.
        CapacityError: The medium is over a limit.
        MissingExtra: The extra `provenance` is not installed.
    """
    goal = Path(out).expanduser()
    if goal.exists():
        raise InputError(f"{out} exists already, and nothing is written over; name another file with --out.")
    content = content_of(Path(source))
    found = sniff(io.BytesIO(content))
    kind = _MIME.get(found) if found is not None else None
    if kind is None:
        raise InputError(
            f"{source} is of no format that can be signed; those are: {', '.join(sorted(_MIME.values()))}."
        )
    chain = _chain(Path(cert))
    secret = private_bytes(Path(key), "The private key", 1 << 20)
    job = {
        "do": "sign",
        "format": kind,
        "chain": chain,
        "key": secret.decode(errors="replace"),
        "algorithm": _algorithm(secret, key, chain, cert),
        "source": "TRAINED_ALGORITHMIC_MEDIA" if by_model else None,
        "manifest": _manifest(actions),
    }
    try:
        signed = run(job, content, budget or Budget())
    except Refused as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise InputError(f"{source} cannot be signed with {fspath(cert)}: {reason}.") from None
    except CapacityError as error:
        raise CapacityError(f"{source} cannot be signed: {error}.") from None
    write_whole(goal, signed)
    goal.chmod(0o644)


def _manifest(actions: Sequence[Action]) -> dict[str, Any]:
    made = [action.to_dict() for action in actions]
    return {
        "claim_generator_info": [{"name": "tutti", "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": made}}] if made else [],
    }


def _chain(path: Path) -> str:
    try:
        text = path.expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"The certificate {path} cannot be read: {error.strerror or error}.") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise InputError(f"{path} holds no certificate in PEM; expected the signer's, then those up to its CA.")
    return text


def _algorithm(secret: bytes, named: str | PathLike[str], chain: str, cert: str | PathLike[str]) -> str:
    """The algorithm that a private key signs by, once it is sure that it is that of the certificate."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509 import load_pem_x509_certificates
    except ImportError:
        raise MissingExtra("Signing", "provenance") from None
    try:
        key = load_pem_private_key(secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(f"{fspath(named)} holds no private key in PEM without a password; expected one.") from None
    try:
        certified = load_pem_x509_certificates(chain.encode())[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(f"{fspath(cert)} holds no certificate that can be read; expected some in PEM.") from None
    if certified != key.public_key():  # the library would sign with the one and name the other
        raise InputError(f"{fspath(named)} is not the key of the first certificate in {fspath(cert)}; name its own.")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise InputError(f"{fspath(named)} holds a key that C2PA does not sign with; expected P-256, Ed25519 or RSA.")
