"""A report as a DICOM Structured Report (Enhanced SR, PS3.3 A.35.2), by highdicom.

The document belongs to the study of the images from which it was drafted and refers to them. It is `PRELIMINARY` and
`UNVERIFIED`; where a person's signature holds, it is `FINAL` and `VERIFIED`, with that person as its observer.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutti import __version__
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, SECTIONS, Draft
from tutti.content import Image
from tutti.errors import InputError, MissingExtra
from tutti.media import Limits
from tutti.media.dicom import dicom_dataset
from tutti.settings import read_settings

_HEADINGS = {
    "indication": ("121109", "Indications for Procedure"),
    "technique": ("121064", "Current Procedure Descriptions"),
    "comparison": ("121068", "Previous Findings"),
    "findings": ("121070", "Findings"),
    "impression": ("121076", "Conclusions"),
}
"""Section of a draft → code and meaning of DICOM's own vocabulary (PS3.16, annex D)."""
_NAMESPACE = uuid.UUID("5f0c6f0a-3f0e-5d0e-9a39-6a1f6c4a6d9e")


def check_sr() -> None:
    """Refuse to begin where the extra is not installed.

    Raises:
        MissingExtra: It is not.
    """
    _highdicom()


def to_sr(state: dict[str, Any], images: Sequence[str | Path]) -> bytes:
    """A case as a DICOM file.

    Args:
        state: Of `Cases.state`.
        images: The DICOM files of the case; patient and study are theirs.

    Raises:
        InputError: None is given, one is damaged or none of the case's, or they are of another patient or of two
            studies.
        CapacityError: One is over a budget.
        MissingExtra: The extra is not installed.
    """
    highdicom = _highdicom()
    draft, final = Draft.from_dict(state["draft"]), state["status"] == "final"
    evidence = _evidence(draft, images)
    statement = state["final"]["statement"] if final else None
    content = _content(highdicom, draft, statement, evidence)
    made = highdicom.sr.EnhancedSR(
        evidence=evidence,
        content=content,
        series_instance_uid=_uid(draft.case, "series"),
        series_number=9000,
        sop_instance_uid=_uid(draft.case, f"{draft.made} {state['status']}"),
        instance_number=2 if final else 1,
        manufacturer="Tutti",
        is_complete=final,
        is_final=final,
        is_verified=final,
        verifying_observer_name=_person(statement["signer"]) if statement else None,
        verifying_organization="not stated" if statement else None,
        manufacturer_model_name="tutti radiology",
        software_versions=__version__,
        device_serial_number="0",
    )
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _highdicom() -> Any:
    try:
        import highdicom
        import highdicom.sr
    except ImportError:
        raise MissingExtra("A DICOM Structured Report", "radiology") from None
    return highdicom


def _evidence(draft: Draft, images: Sequence[str | Path]) -> list[Any]:
    if not images:
        raise InputError("No image was given for a Structured Report; expected the DICOM files of the case.")
    limits, found = Limits.from_settings(read_settings()), []
    used = {source.name for each in draft.evident() for source in each.sources if source.kind in ("image", "header")}
    for path in images:
        name = Path(path).name
        if name not in used:
            raise InputError(f"{name} is no image of the case {draft.case}; expected one of {', '.join(sorted(used))}.")
        with dicom_dataset(Image(str(path)), limits) as dataset:
            if draft.patient and str(dataset.get("PatientID") or draft.patient) != draft.patient:
                raise InputError(f"{name} is of another patient than the case {draft.case}; expected its own images.")
            found.append(_with_what_is_asked(dataset))
    if len({str(each.StudyInstanceUID) for each in found}) > 1:
        raise InputError("The images are of two studies; a Structured Report belongs to one: give those of one study.")
    return found


def _with_what_is_asked(dataset: Any) -> Any:
    """Patient and study modules with every attribute of type 2, empty where the file lacks it."""
    from pydicom.dataset import Dataset

    kept = Dataset()
    for word in (
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames",
    ):  # fmt: skip
        if word in dataset:
            setattr(kept, word, dataset[word].value)
    for word in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
        "StudyTime", "ReferringPhysicianName",
    ):  # fmt: skip
        setattr(kept, word, None if dataset.get(word) is None else str(dataset.get(word)))
    for word in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not kept.get(word):
            raise InputError(f"An image lacks {word}, by which a Structured Report refers to it; export it again.")
    return kept


def _content(highdicom: Any, draft: Draft, statement: dict[str, Any] | None, evidence: list[Any]) -> Any:
    sr = highdicom.sr
    document = _code(sr, "18748-4", "Diagnostic imaging report", "LN")
    root = sr.ContainerContentItem(name=document, template_id="2000")
    language = _code(sr, "121049", "Language of Content Item and Descendants", "DCM")
    english = _code(sr, "en", "English", "RFC5646")
    items = [
        sr.CodeContentItem(name=language, value=english, relationship_type=sr.RelationshipTypeValues.HAS_CONCEPT_MOD)
    ]
    contains = sr.RelationshipTypeValues.CONTAINS
    comment = _code(sr, "121106", "Comment", "DCM")
    items.append(sr.TextContentItem(name=comment, value=NOT_FOR_CLINICAL_USE, relationship_type=contains))
    if statement is not None:
        items.append(_section(sr, "findings", [str(statement["text"])]))
    else:
        parts = {name: [each.text for each in draft.sections[name]] for name in SECTIONS}
        if draft.contradictions:
            parts["findings"] = [f"Contradiction: {each.text}" for each in draft.contradictions] + parts["findings"]
        items += [_section(sr, name, lines) for name, lines in parts.items() if lines]
    for image in evidence:
        key = _code(sr, "121180", "Key Images", "DCM")
        items.append(sr.ImageContentItem(key, image.SOPClassUID, image.SOPInstanceUID, relationship_type=contains))
    root.ContentSequence = sr.ContentSequence(items)
    return root


def _section(sr: Any, name: str, lines: Sequence[str]) -> Any:
    code, meaning = _HEADINGS[name]
    made = sr.ContainerContentItem(
        name=_code(sr, code, meaning, "DCM"), relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    single = _code(sr, "121071", "Finding", "DCM") if name == "findings" else _code(sr, "121106", "Comment", "DCM")
    made.ContentSequence = sr.ContentSequence(
        [
            sr.TextContentItem(name=single, value=line, relationship_type=sr.RelationshipTypeValues.CONTAINS)
            for line in lines
        ]
    )
    return made


def _code(sr: Any, value: str, meaning: str, scheme: str) -> Any:
    return sr.CodedConcept(value=value, meaning=meaning, scheme_designator=scheme)


def _person(name: str) -> str:
    """First and last name as DICOM has them: LAST^FIRST."""
    *first, last = name.split()
    return f"{last}^{' '.join(first)}"


def _uid(case: str, what: str) -> str:
    """A UID that the same report always has (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{case}/{what}').int}"
