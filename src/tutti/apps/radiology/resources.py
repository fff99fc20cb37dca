"""A report as FHIR R4: DiagnosticReport, Observations, Device, Provenance in a Bundle that fhir.resources validates.

The status is that of the case: `preliminary`, or `final` where a person's signature holds.
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

from tutti.apps.radiology.bundles import validator
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, SECTIONS, Draft, DraftFinding

_CODES = {"present": ("POS", "Positive"), "absent": ("NEG", "Negative"), "possible": ("IND", "Indeterminate")}
_STUDY = {"coding": [{"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}]}


def check_fhir() -> None:
    """Refuse to begin where the extra is not installed.

    Raises:
        MissingExtra: It is not.
    """
    validator("Bundle")


def to_bundle(state: dict[str, Any]) -> dict[str, Any]:
    """A case as a FHIR R4 Bundle of type `collection`.

    Args:
        state: Of `Cases.state`.

    Returns:
        The bundle as plain values, ready for JSON.

    Raises:
        MissingExtra: The extra is not installed.
    """
    draft, final = Draft.from_dict(state["draft"]), state["status"] == "final"
    status = "final" if final else "preliminary"
    struck = state["final"]["statement"]["struck"] if final else {}
    subject: dict[str, Any] = {"display": draft.name or draft.patient or "not stated"}
    if draft.patient:
        subject["identifier"] = {"value": draft.patient}
    ids = {name: _urn(draft.case, name) for name in ("report", "device", "provenance")}
    kept = [each for each in draft.findings if each.id not in struck]
    observations = [(_urn(draft.case, each.id), _observation(each, draft, status, subject)) for each in kept]
    resources = [
        (ids["report"], _report(draft, state, status, subject, [urn for urn, _ in observations])),
        *observations,
        (ids["device"], _device(draft)),
        (ids["provenance"], _provenance(draft, state, final, ids, [urn for urn, _ in observations])),
    ]
    entries = [{"fullUrl": urn, "resource": resource} for urn, resource in resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    validator("Bundle").model_validate(bundle)
    return bundle


def _urn(case: str, name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'radiology/{case}/{name}')}"


def _report(draft: Draft, state: dict[str, Any], status: str, subject: Any, results: list[str]) -> dict[str, Any]:
    text = state["final"]["statement"]["text"] if status == "final" else draft.text()
    whole = f"{NOT_FOR_CLINICAL_USE}\n\n{text}"
    said = " ".join(each.text for each in draft.sections["impression"])
    made = {
        "resourceType": "DiagnosticReport",
        "status": status,
        "code": _STUDY,
        "subject": subject,
        "issued": state["final"]["statement"]["at"] if status == "final" else draft.made,
        "identifier": [{"value": draft.case}],
        "result": [{"reference": urn} for urn in results],
        "conclusion": f"{NOT_FOR_CLINICAL_USE} {'See the signed text.' if status == 'final' else said}".strip(),
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "title": "Report",
                           "data": base64.b64encode(whole.encode()).decode()}],
    }  # fmt: skip
    if status == "final":
        made["resultsInterpreter"] = [{"display": state["final"]["statement"]["signer"]}]
    return {key: value for key, value in made.items() if value != []}


def _observation(each: DraftFinding, draft: Draft, status: str, subject: Any) -> dict[str, Any]:
    notes = [
        f"{one.text} [{'; '.join(map(str, one.sources))}]"
        for section in SECTIONS for one in draft.sections[section] if each.id in one.findings
    ]  # fmt: skip
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": status,
        "identifier": [{"value": f"{draft.case}/{each.id}"}],
        "code": {"text": each.name},
        "subject": subject,
        "issued": draft.made,
        "note": [{"text": text} for text in notes],
    }
    if each.state == "not assessable":
        unknown = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed"}
        made["dataAbsentReason"] = {"coding": [unknown], "text": f"not assessable: {each.reason}"}
    else:
        code, display = _CODES[each.state]
        system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
        made["valueCodeableConcept"] = {
            "coding": [{"system": system, "code": code, "display": display}], "text": each.state,
        }  # fmt: skip
    if each.probability is not None:
        how = "calibrated" if each.calibrated else "not calibrated"
        made["component"] = [
            {"code": {"text": f"probability by the model ({how})"},
             "valueQuantity": {"value": round(each.probability, 4), "unit": "1", "code": "1",
                               "system": "http://unitsofmeasure.org"}}
        ]  # fmt: skip
    return made


def _device(draft: Draft) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "deviceName": [{"name": "Tutti radiology drafts (demonstration)", "type": "user-friendly-name"}],
        "version": [{"type": {"text": name}, "value": value} for name, value in draft.device.items()],
        "note": [{"text": NOT_FOR_CLINICAL_USE}],
    }


def _provenance(
    draft: Draft, state: dict[str, Any], final: bool, ids: dict[str, str], observations: list[str]
) -> dict[str, Any]:
    kinds = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    made: dict[str, Any] = {
        "resourceType": "Provenance",
        "target": [{"reference": urn} for urn in (ids["report"], *observations)],
        "recorded": draft.made,
        "agent": [
            {"type": {"coding": [{"system": kinds, "code": "assembler"}]}, "who": {"reference": ids["device"]}},
        ],
        "entity": [
            {"role": "source", "what": {"display": name}}
            for name in dict.fromkeys(one.name for each in draft.evident() for one in each.sources)
        ],
    }
    if final:
        said = state["final"]["statement"]
        made["recorded"] = said["at"]
        made["agent"].append(
            {"type": {"coding": [{"system": kinds, "code": "verifier"}]}, "who": {"display": said["signer"]}}
        )
        verified = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5",
                    "display": "Verification Signature"}  # fmt: skip
        made["signature"] = [
            {"type": [verified], "when": said["at"], "who": {"display": said["signer"]},
             "sigFormat": "application/octet-stream", "data": state["final"]["signature"]}
        ]  # fmt: skip
    return {key: value for key, value in made.items() if value != []}
