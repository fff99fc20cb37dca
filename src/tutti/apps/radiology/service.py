"""Drafting, waiting and signing in one place, for Python, the command and the server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tutti import __version__
from tutti.apps.radiology.assessing import assess, weights_of
from tutti.apps.radiology.cases import Cases
from tutti.apps.radiology.drafting import Drafting
from tutti.apps.radiology.intake import CaseFiles, CaseImage, read_case
from tutti.apps.radiology.report import Draft
from tutti.interfaces import Guard, Sealer
from tutti.media.decoder import MediaDecoder
from tutti.model import Model
from tutti.trust.clinical.chain import canonical
from tutti.trust.clinical.signing_keys import signed

EARS = "whisper-base"
Opened = Callable[[], Any]


class Radiology:
    """Drafts of one tenant's cases. A demonstration: nothing of it is for clinical use.

    Args:
        folder: Where cases are kept.
        model: Loads what looks at images, when it is needed.
        ears: Loads what writes notes down, when it is needed.
        tenant: Whose cases.
        sealer: Seals what is kept.
        findings: Table of findings that the model is asked about, as `findings.toml`; the shipped one when not given.
        decoder: Decodes pictures; in this process when not given.
    """

    def __init__(
        self,
        folder: str | Path,
        model: Opened,
        ears: Opened,
        *,
        tenant: str = "default",
        sealer: Sealer | None = None,
        findings: str | Path | None = None,
        decoder: MediaDecoder | None = None,
    ) -> None:
        self.cases = Cases(folder, tenant, sealer)
        self.model, self.ears, self.findings, self.decoder = model, ears, findings, decoder

    def draft(
        self, case: str, files: CaseFiles, *, told: Callable[[float], None] | None = None,
        shown: Callable[[Sequence[CaseImage]], None] | None = None,
    ) -> Draft:  # fmt: skip
        """Read a case, draft it and keep the draft.

        Args:
            case: Its name.
            files: What there is.
            told: Told how much is done, from 0 to 1; what it raises ends the work, and nothing is kept.
            shown: Called with the images as they were decoded, for who shows them beside the draft.

        Raises:
            InputError: A file is missing, damaged or of another kind, which is named; or the case is final.
            CapacityError: A file is over a budget.
            MissingExtra: A file needs an extra that is not installed.
        """
        heard: list[Any] = []

        def transcribe(part: Any) -> Any:
            if not heard:
                heard.append(guarded(self.ears()))
            if told is None:
                return heard[0].transcribe(part)
            return heard[0].transcribe(part, progress=lambda share: told(share / 2))

        read = read_case(files, transcribe, decoder=self.decoder)
        if shown is not None:
            shown(read.images)
        device = {"software": f"tutti {__version__}"}
        assessed = []
        if read.images:
            model = guarded(self.model())
            assessed = assess(read, model, self.findings, None if told is None else lambda share: told((1 + share) / 2))
            device |= {"model": model.name, "weights": weights_of(model)}
        if heard:
            device |= {"transcriber": heard[0].name, "transcriber weights": weights_of(heard[0])}
        table = Path(self.findings) if self.findings is not None else Path(__file__).with_name("findings.toml")
        device["findings"] = hashlib.sha256(table.read_bytes()).hexdigest()
        draft = Drafting(read, assessed).draft(case, device)
        self.cases.put(draft)
        return draft

    def sign(
        self, case: str, *, signer: str, key: str | Path, text: str, struck: Mapping[str, str] | None = None,
        password: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Sign a report with a key of this machine; it is final when this returns.

        Args:
            case: Which.
            signer: First and last name of the person who signs.
            key: PEM file of their Ed25519 key.
            text: All of the report as they accept it.
            struck: Id of each finding that was struck → reason.
            password: Of the key.

        Returns:
            The state of the case.

        Raises:
            InputError: As `Cases.statement` and `Cases.sign`, or the key cannot be used.
        """
        statement = self.cases.statement(case, signer, text, struck or {})
        public_key, signature = signed(key, canonical(statement), password)
        return self.cases.sign(statement, public_key, signature)


def guarded(model: Any) -> Any:
    """A model as it may see a case: before a hosted one, identifiers are covered by the policy of `trust.privacy`.

    Raises:
        MissingExtra: What finds them is not installed.
    """
    if not isinstance(model, Model):
        return model

    def guard() -> Guard:
        from tutti.trust.privacy import PrivacyGuard, RedactionSteps, Redactor

        return PrivacyGuard(Redactor(RedactionSteps(speech=True)), "redact")

    return model.guarded_elsewhere(guard)
