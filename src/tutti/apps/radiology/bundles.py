"""A patient's history as a FHIR R4 Bundle: validated by `fhir.resources`, and laid out as text with pointers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tutti.errors import InputError, MissingExtra

_MOST_ENTRIES = 2000


class BundleLine(NamedTuple):
    """A line of the text that a bundle becomes."""

    start: int
    end: int
    pointer: str


class BundleText(NamedTuple):
    """A bundle as text."""

    text: str
    lines: list[BundleLine]


def validator(resource: str) -> Any:
    """The model class of a resource of FHIR R4B, whose forms of what is used here are those of R4.

    Raises:
        MissingExtra: The extra is not installed.
    """
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError:
        raise MissingExtra("FHIR", "radiology") from None
    return get_fhir_model_class(resource)


def read_bundle(text: str, name: str) -> BundleText:
    """What a bundle says in words.

    Args:
        text: JSON.
        name: What to call it.

    Raises:
        InputError: It is no valid bundle, or says nothing that is read.
        MissingExtra: The extra is not installed.
    """
    model = validator("Bundle")
    try:
        values = json.loads(text)
        model.model_validate(values)
    except RecursionError:
        raise InputError(f"{name} is nested too deeply for a FHIR Bundle; expected one of R4.") from None
    except ValueError as error:
        first = str(error).splitlines()
        raise InputError(
            f"{name} is no valid FHIR R4 Bundle ({' '.join(first[:3])[:200]}); expected a Bundle with entries."
        ) from None
    entries = values.get("entry", [])
    if len(entries) > _MOST_ENTRIES:
        raise InputError(
            f"{name} has {len(entries):,} entries; expected at most {_MOST_ENTRIES:,}: select what matters."
        )
    parts, lines, at = [], [], 0
    for place, entry in enumerate(entries):
        resource = entry.get("resource", {})
        for element, line in _lines(resource):
            words = " ".join(line.split())
            if words:
                parts.append(words)
                lines.append(BundleLine(at, at + len(words), f"entry[{place}].{resource['resourceType']}.{element}"))
                at += len(words) + 1
    if not lines:
        raise InputError(f"{name} holds nothing that is read; expected a Patient, Condition, Observation or the like.")
    return BundleText("\n".join(parts), lines)


def _lines(resource: dict[str, Any]) -> list[tuple[str, str]]:
    kind = str(resource.get("resourceType", ""))
    readers: dict[str, Callable[[dict[str, Any]], list[tuple[str, str]]]] = {
        "Patient": _patient,
        "Condition": _condition,
        "Observation": _observation,
        "ServiceRequest": _request,
        "DiagnosticReport": lambda one: [("conclusion", str(one.get("conclusion", "")))],
        "DocumentReference": _document,
        "AllergyIntolerance": lambda one: [("code", f"Allergy: {_concept(one.get('code'))}.")],
    }
    return readers[kind](resource) if kind in readers else []


def _patient(one: dict[str, Any]) -> list[tuple[str, str]]:
    found = [
        ("identifier", f"Patient ID: {each['value']}") for each in one.get("identifier", [])[:1] if "value" in each
    ]
    for name in one.get("name", [])[:1]:
        words = name.get("text") or " ".join([*name.get("given", []), name.get("family", "")])
        found.append(("name", f"Patient name: {words}"))
    if "birthDate" in one:
        found.append(("birthDate", f"Date of birth: {one['birthDate']}"))
    if one.get("gender") in ("male", "female"):
        found.append(("gender", f"Sex: {one['gender']}"))
    return found


def _condition(one: dict[str, Any]) -> list[tuple[str, str]]:
    words = _concept(one.get("code"))
    if not words:
        return []
    site = _concept((one.get("bodySite") or [None])[0])
    doubt = _code(one.get("verificationStatus"))
    clinical = _code(one.get("clinicalStatus"))
    said = f"{words}{f' of the {site}' if site else ''}"
    if doubt == "entered-in-error":
        return []
    if doubt == "refuted":
        said = f"No {said}"
    elif doubt in ("provisional", "differential", "unconfirmed"):
        said = f"Possible {said}"
    if clinical in ("resolved", "inactive", "remission"):
        said = f"History of {said}"
    return [("code", f"{said}.")]


def _observation(one: dict[str, Any]) -> list[tuple[str, str]]:
    quantity = one.get("valueQuantity")
    value = one.get("valueString") or _concept(one.get("valueCodeableConcept"))
    if quantity is not None:
        value = f"{quantity.get('value', '')} {quantity.get('unit', '')}"
    code = _concept(one.get("code"))
    return [("value", f"{code}: {value}.")] if code and value else []


def _request(one: dict[str, Any]) -> list[tuple[str, str]]:
    found = [("code", f"Requested: {_concept(one.get('code'))}.")] if _concept(one.get("code")) else []
    found += [("reasonCode", f"Indication: {_concept(each)}") for each in one.get("reasonCode", []) if _concept(each)]
    return found + [("note", each["text"]) for each in one.get("note", []) if "text" in each]


def _document(one: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for content in one.get("content", []):
        held = content.get("attachment", {})
        if str(held.get("contentType", "")).startswith("text/plain") and "data" in held:
            try:
                words = base64.b64decode(held["data"], validate=True).decode()
            except ValueError:
                raise InputError("A DocumentReference's text is not UTF-8 in base64; mend the bundle.") from None
            found += [("content.attachment", line) for line in words.splitlines()]
    return found


def _concept(value: Any) -> str:
    if not value:
        return ""
    coded = value.get("coding") or [{}]
    return str(value.get("text") or coded[0].get("display") or "")


def _code(value: Any) -> str:
    return str(((value or {}).get("coding") or [{}])[0].get("code", ""))
