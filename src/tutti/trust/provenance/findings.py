"""What was found of a medium's provenance, as values and in a sentence; from C2PA's validation codes.

Source: C2PA Technical Specification 2.2, section 15 (validation), and its list of status codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Binding: TypeAlias = Literal["none", "bound", "broken", "malformed", "elsewhere", "unreadable"]
SignerStatus: TypeAlias = Literal["known", "unknown", "expired", "revoked"]
_BROKEN = (
    "hash.mismatch",
    "Hash.mismatch",
    "hashedURI.mismatch",
    "claimSignature.mismatch",
    "claimSignature.missing",
    "assertion.missing",
    "assertion.inaccessible",
    "manifest.inaccessible",
    "ingredient.manifest",
)
"""Parts of codes that say: what was signed is not what is here."""
_OF_SIGNER = ("signingCredential.", "claimSignature.outsideValidity", "timeStamp", "timestamp")
"""Beginnings of codes that say something of the signer, not of the medium."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a medium says of itself, and what that is worth."""

    file: str
    binding: Binding
    """`none`: no manifest. `bound`: it belongs to this medium as it is. `broken`: medium or manifest was changed after
    signing. `malformed`: it breaks the rules of C2PA otherwise. `elsewhere`: the medium names one in the network, which
    is not fetched. `unreadable`: the file cannot be read, or reading took more than it may."""
    signer: SignerStatus | None = None
    """Whether a CA of the trust list stands for the signer; None without a readable signature."""
    signed_by: str | None = None
    """The name in the certificate, which is worth as much as whoever issued it."""
    issuer: str | None = None
    signed_at: str | None = None
    """When, by a time stamp; None without one: the signer's clock is no evidence."""
    made_with: str | None = None
    actions: tuple[str, ...] = ()
    """What was done to it, as the signer says."""
    ai_generated: bool | None = None
    """Whether the signer says that a trained model made it; None where nothing is said."""
    codes: tuple[str, ...] = ()
    """Validation codes of what failed."""
    reason: str | None = None
    """Why it cannot be read."""

    @property
    def sentence(self) -> str:
        """All of it for people. Unknown is not fake, and it says so."""
        return f"{self._what()}{self._who()}".strip()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {**asdict(self), "actions": list(self.actions), "codes": list(self.codes), "sentence": self.sentence}

    def _what(self) -> str:
        codes = f" ({', '.join(self.codes[:3])})" if self.codes else ""
        return {
            "none": "No manifest: the file says nothing of where it comes from. That is so of most files, and does not "
            "make it fake.",
            "bound": "The manifest is bound to this file, and neither was changed since it was signed.",
            "broken": f"The file or its manifest was changed after it was signed{codes}: what the manifest says is not "
            "of this file as it is. That says nothing of who changed it, or why.",
            "malformed": f"The manifest breaks the rules of C2PA{codes}, so that nothing it says can be relied on.",
            "elsewhere": "The file names a manifest in the network, which is not fetched: nothing is known of it. "
            "Unknown is not fake.",
            "unreadable": f"The file cannot be read for a manifest: {self.reason}. Unknown is not fake.",
        }[self.binding]

    def _who(self) -> str:
        if self.signer is None:
            return ""
        name = f"{self.signed_by or 'no name'}" + (f" of {self.issuer}" if self.issuer else "")
        said = {
            "known": f" It was signed by {name}, for whom a CA of your trust list stands.",
            "unknown": f" The signer calls itself {name}, and no CA of your trust list stands for that: it may be "
            "anyone. Unknown is not fake.",
            "expired": f" The certificate of the signer, {name}, was not valid at the time of signing, or has expired "
            "since, and no time stamp says when it was signed.",
            "revoked": f" The certificate of the signer, {name}, was revoked.",
        }[self.signer]
        if self.binding != "bound":
            return said
        says = [*self.actions, *(["a trained model made it"] if self.ai_generated else [])]
        return f"{said} It says: {', '.join(says)}." if says else said


def found(file: str, store: Mapping[str, Any]) -> Provenance:
    """From a manifest store, as the reader gives it, to what was found.

    Args:
        file: What it is called.
        store: JSON of c2pa's reader.
    """
    manifest = store.get("manifests", {}).get(store.get("active_manifest"), {})
    failed = _codes(store)
    signature = manifest.get("signature_info") or {}
    actions = _actions(manifest)
    return Provenance(
        file=file,
        binding=_binding(failed),
        signer=_signer(failed, _codes(store, "success")),
        signed_by=_text(signature.get("common_name")),
        issuer=_text(signature.get("issuer")),
        signed_at=_text(signature.get("time")),
        made_with=_generator(manifest),
        actions=tuple(_said(action) for action in actions),
        ai_generated=_ai(actions),
        codes=tuple(failed),
    )


def _codes(store: Mapping[str, Any], kind: str = "failure") -> list[str]:
    results = store.get("validation_results") or {}
    entries = list((results.get("activeManifest") or {}).get(kind) or ())
    if kind == "failure":
        for delta in results.get("ingredientDeltas") or ():
            entries += (delta.get("validationDeltas") or {}).get("failure") or ()
    return list(dict.fromkeys(str(entry.get("code")) for entry in entries))


def _binding(failed: Sequence[str]) -> Binding:
    of_medium = [code for code in failed if not code.startswith(_OF_SIGNER)]
    if any(part in code for code in of_medium for part in _BROKEN):
        return "broken"
    return "malformed" if of_medium else "bound"


def _signer(failed: Sequence[str], passed: Sequence[str]) -> SignerStatus:
    if any("revoked" in code for code in failed):
        return "revoked"
    if any("expired" in code or "outsideValidity" in code for code in failed):
        return "expired"
    return "known" if "signingCredential.trusted" in passed and not any("untrusted" in c for c in failed) else "unknown"


def _actions(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found_actions: list[Mapping[str, Any]] = []
    for assertion in manifest.get("assertions") or ():
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            given = (assertion.get("data") or {}).get("actions") or ()
            found_actions += [action for action in given if isinstance(action, Mapping)]
    return found_actions


def _said(action: Mapping[str, Any]) -> str:
    name, description = _text(action.get("action")) or "?", _text(action.get("description"))
    return f"{name} ({description})" if description else name


def _ai(actions: Sequence[Mapping[str, Any]]) -> bool | None:
    sources = [str(action["digitalSourceType"]) for action in actions if action.get("digitalSourceType")]
    if not sources:
        return None
    return any("trainedAlgorithmic" in source or "TrainedAlgorithmic" in source for source in sources)


def _generator(manifest: Mapping[str, Any]) -> str | None:
    infos = manifest.get("claim_generator_info") or ()
    names = [" ".join(filter(None, (_text(one.get("name")), _text(one.get("version"))))) for one in infos]
    return ", ".join(filter(None, names)) or _text(manifest.get("claim_generator"))


def _text(value: Any) -> str | None:
    """A text of the file's own, of bounded length and without control characters: it is a stranger's."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:200] if letter.isprintable()) or None
