"""The provenance of a file: its C2PA manifest, checked against it and against a trust list. Nothing is ever fetched."""

from __future__ import annotations

import json
from os import PathLike, fspath
from pathlib import Path

from tutti.errors import CapacityError, InputError
from tutti.media import Limits
from tutti.settings import read_settings
from tutti.trust.provenance.confined import Budget, Refused, run
from tutti.trust.provenance.findings import Provenance, found

_ABSENT = ("ManifestNotFound", "JumbfNotFound")
_ELSEWHERE = "must fetch remote manifests"
_MANIFEST_ERRORS = ("Decoding", "Assertion", "AssertionNotFound", "Manifest", "Signature", "Verify", "Json")
"""Errors of a file that has a manifest which cannot be read."""


def provenance_of(file: str | PathLike[str], trust: str | None = None, budget: Budget | None = None) -> Provenance:
    """What a file says of where it comes from, and what that is worth.

    Args:
        file: Any medium; one that cannot be read is found to be so.
        trust: Certificates of CAs in PEM whose signers are known (`trust_list`); without them, no signer is.
        budget: What reading may take.

    Raises:
        InputError: There is no such file.
        CapacityError: It is larger than a file may be.
        MissingExtra: The extra `provenance` is not installed.
    """
    name = fspath(file)
    content = content_of(Path(file))
    try:
        store = run({"do": "inspect", "trust": trust}, content, budget or Budget())
        return found(name, json.loads(store))
    except Refused as error:
        return _refused(name, error)
    except CapacityError as error:
        return Provenance(file=name, binding="unreadable", reason=str(error))
    except (ValueError, AttributeError, TypeError):
        return Provenance(file=name, binding="malformed", reason="its manifest is of no form that is known")


def trust_list(path: Path) -> str:
    """Certificates of CAs from a file in PEM.

    Raises:
        InputError: It cannot be read, or holds none.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"The trust list {path} cannot be read: {error.strerror or error}.") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise InputError(f"{path} holds no certificates; expected those of CAs, in PEM.")
    return text


def content_of(path: Path) -> bytes:
    """A file's content, within the limit of a file.

    Raises:
        InputError: It cannot be read.
        CapacityError: It is too large.
    """
    most = Limits.from_settings(read_settings()).max_bytes
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > most:
        raise CapacityError(f"{path} has more than {most:,} bytes, the limit of TUTTI_MAX_BYTES; raise it for more.")
    return content


def _refused(name: str, error: Refused) -> Provenance:
    kind = error.kind.removeprefix("C2pa")
    if kind in _ABSENT:
        return Provenance(file=name, binding="none")
    if _ELSEWHERE in str(error) or kind == "RemoteManifest":
        return Provenance(file=name, binding="elsewhere")
    reason = " ".join(str(error).split())[:200].rstrip(".")
    if kind in _MANIFEST_ERRORS:
        return Provenance(file=name, binding="broken", codes=(kind,), reason=reason)
    return Provenance(file=name, binding="unreadable", reason=reason)
