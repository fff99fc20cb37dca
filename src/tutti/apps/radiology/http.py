"""Routes of radiology drafts: draft, queue, read, and sign with a key that stays with its person. Each tenant's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from tutti.apps.radiology.intake import CaseFiles
from tutti.apps.radiology.pages import to_html
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE
from tutti.apps.radiology.resources import check_fhir, to_bundle
from tutti.apps.radiology.service import EARS, Radiology
from tutti.errors import InputError
from tutti.model import Model
from tutti.trust.clinical.chain import canonical

_Name = Field(min_length=1, max_length=64)


class RadiologyCase(BaseModel):
    """A case to draft."""

    model_config = ConfigDict(extra="forbid")
    case: str = _Name
    images: list[str] = Field(default=[], max_length=50, description="DICOM or pictures as data: URLs.")
    history: str | None = Field(default=None, max_length=1_000_000, description="Text, or a FHIR R4 Bundle as JSON.")
    notes: list[str] = Field(default=[], max_length=20, description="Recordings as data: URLs.")
    priors: list[str] = Field(default=[], max_length=20, description="Texts of earlier reports.")
    modality: str = Field(default="", max_length=16)
    body_part: str = Field(default="", max_length=64)


class AcceptedText(BaseModel):
    """What a person is about to sign."""

    model_config = ConfigDict(extra="forbid")
    signer: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=200_000)
    struck: dict[str, str] = {}


class OpenedCase(BaseModel):
    """Who begins to read a case."""

    model_config = ConfigDict(extra="forbid")
    reader: str = Field(min_length=1, max_length=200)


class SignedStatement(BaseModel):
    """A statement with the signature over it."""

    model_config = ConfigDict(extra="forbid")
    statement: dict[str, Any]
    public_key: str = Field(max_length=200, description="Ed25519, 32 bytes in base64.")
    signature: str = Field(max_length=200, description="Over the bytes of `to_sign`, in base64.")


class RadiologyApplication:
    """Drafts behind a server.

    Args:
        folder: Where cases are kept, a folder for each tenant.
        model: What looks at images.
        ears: Loads what writes notes down.
    """

    name = "radiology"

    def __init__(self, folder: str | Path, model: Any, ears: Any = None) -> None:
        self.folder, self.model = folder, model
        self.ears = ears or _ears
        self._heard: list[Any] = []
        self._lock = threading.Lock()

    def radiology(self, tenant: str) -> Radiology:
        """The cases of a tenant."""
        return Radiology(self.folder, lambda: self.model, self._listen, tenant=tenant)

    def _listen(self) -> Any:
        with self._lock:
            if not self._heard:
                self._heard.append(self.ears())
            return self._heard[0]

    def router(self, tenant_of: Any) -> APIRouter:
        """The routes; they run on the server's threads."""
        router = APIRouter()

        @router.post("/drafts")
        def draft(request: Request, body: RadiologyCase) -> dict[str, Any]:
            """Draft a case and keep it; the answer is its state."""
            radiology = self.radiology(tenant_of(request))
            radiology.draft(body.case, _files(body))
            return _told(radiology.cases.state(body.case))

        @router.get("/queue")
        def queue(request: Request) -> dict[str, Any]:
            """All cases, the urgent first."""
            return {"notice": NOT_FOR_CLINICAL_USE, "cases": self.radiology(tenant_of(request)).cases.queue()}

        @router.get("/cases/{case}")
        def state(request: Request, case: str) -> dict[str, Any]:
            """The state of a case."""
            return _told(self.radiology(tenant_of(request)).cases.state(case))

        @router.get("/cases/{case}/fhir")
        def bundle(request: Request, case: str) -> dict[str, Any]:
            """A case as a FHIR R4 Bundle."""
            return to_bundle(self.radiology(tenant_of(request)).cases.state(case))

        @router.get("/cases/{case}/page")
        def page(request: Request, case: str) -> HTMLResponse:
            """A case as a page."""
            return HTMLResponse(to_html(self.radiology(tenant_of(request)).cases.state(case)))

        @router.post("/cases/{case}/opened")
        def opened(request: Request, case: str, body: OpenedCase) -> dict[str, Any]:
            """Note that a person begins to read a case, for the time until they sign."""
            at = self.radiology(tenant_of(request)).cases.opened(case, body.reader)
            return {"notice": NOT_FOR_CLINICAL_USE, "case": case, "opened": at}

        @router.post("/cases/{case}/statement")
        def statement(request: Request, case: str, body: AcceptedText) -> dict[str, Any]:
            """What the person has to sign; nothing is changed by this."""
            made = self.radiology(tenant_of(request)).cases.statement(case, body.signer, body.text, body.struck)
            return {"notice": NOT_FOR_CLINICAL_USE, "statement": made, "to_sign": canonical(made).decode()}

        @router.post("/cases/{case}/sign")
        def sign(request: Request, case: str, body: SignedStatement) -> dict[str, Any]:
            """Make a report final by a person's signature."""
            if body.statement.get("case") != case:
                raise InputError(f"The statement is not about the case {case}; send it to its own address.")
            return _told(self.radiology(tenant_of(request)).cases.sign(body.statement, body.public_key, body.signature))

        return router


def _files(body: RadiologyCase) -> CaseFiles:
    for medium in (*body.images, *body.notes):
        if not medium.startswith("data:"):
            raise InputError(
                "An image or a note is not a data: URL; expected one, as in data:application/dicom;base64,…"
            )
    texts: list[Any] = [("history", "history", body.history)] if body.history is not None else []
    texts += [("prior", f"prior {number}", text) for number, text in enumerate(body.priors, 1)]
    return CaseFiles(
        images=body.images, notes=body.notes, texts=texts, modality=body.modality, body_part=body.body_part
    )


def _told(state: dict[str, Any]) -> dict[str, Any]:
    return {"notice": NOT_FOR_CLINICAL_USE, **state}


def _ears() -> Any:
    import tutti

    return tutti.load(EARS)


def open_radiology(provider: Any, where: str | None) -> RadiologyApplication:
    """Drafts for `tutti serve --app radiology=FOLDER`.

    Raises:
        InputError: No folder was named.
        MissingExtra: The extra is not installed.
    """
    if where is None:
        raise InputError("No folder for cases was named; expected one, as in --app radiology=cases.")
    check_fhir()
    return RadiologyApplication(Path(where).expanduser(), Model(provider))
