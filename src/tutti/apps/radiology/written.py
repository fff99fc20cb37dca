"""A case written out: FHIR, HTML, PDF, DICOM and the text to edit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutti.apps.radiology.pages import to_html, to_pdf
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, Draft
from tutti.apps.radiology.resources import to_bundle
from tutti.apps.radiology.structured import to_sr

REMARK = "#"
"""What lines begin with that are not part of an accepted text."""
_NOTICE = f"{REMARK} {NOT_FOR_CLINICAL_USE}"


def accepted(text: str) -> str:
    """An edited `report.txt` without its remarks."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(REMARK)).strip() + "\n"


def write_all(state: dict[str, Any], folder: Path, images: Sequence[str] = ()) -> list[Path]:
    """Write a case into a folder, which is made if it is not there; files of an earlier state are replaced.

    Args:
        state: Of `Cases.state`.
        folder: Where.
        images: DICOM files of the case, for a DICOM Structured Report that refers to them.

    Returns:
        The files: `report.fhir.json`, `report.html`, `report.pdf`, and `report.txt`, which a person edits and signs;
        with images `report.dcm`, too.

    Raises:
        InputError: An image is none of the case's.
        MissingExtra: The extra is not installed.
    """
    text = state["final"]["statement"]["text"] if state["status"] == "final" else Draft.from_dict(state["draft"]).text()
    contents = {
        "report.fhir.json": json.dumps(to_bundle(state), ensure_ascii=False, indent=2).encode(),
        "report.html": to_html(state).encode(),
        "report.pdf": to_pdf(state),
        "report.txt": f"{_NOTICE}\n\n{text}".encode(),
    }
    if images:
        contents["report.dcm"] = to_sr(state, images)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        part = folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
    return [folder / name for name in contents]
