"""A report as a DICOM Structured Report: of the study of its images, preliminary until a person signs it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from benchmarks.radiology_cases import cases
from tests.apps.radiology_cases import opened, written
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE
from tutti.apps.radiology.structured import to_sr
from tutti.apps.radiology.written import write_all
from tutti.cli.main import main
from tutti.errors import InputError
from tutti.trust.clinical.signing_keys import make_key


def texts(item: Any) -> list[str]:
    """All words of a content tree."""
    found = [str(item.TextValue)] if "TextValue" in item else []
    for each in item.get("ContentSequence", []):
        found += texts(each)
    return found


def test_a_draft_is_a_preliminary_report_that_refers_to_its_images(tmp_path: Path) -> None:
    case = cases(1, seed=3)[0]
    files = written(case, tmp_path / "files")
    radiology = opened(tmp_path / "cases")
    draft = radiology.draft("K1", files)
    content = to_sr(radiology.cases.state("K1"), files.images)
    made, image = pydicom.dcmread(io.BytesIO(content)), pydicom.dcmread(files.images[0])
    assert made.SOPClassUID == pydicom.uid.EnhancedSRStorage and made.Modality == "SR"
    assert (made.PreliminaryFlag, made.CompletionFlag, made.VerificationFlag) == (
        "PRELIMINARY",
        "PARTIAL",
        "UNVERIFIED",
    )
    assert made.StudyInstanceUID == image.StudyInstanceUID and made.PatientID == image.PatientID
    said = texts(made)
    assert NOT_FOR_CLINICAL_USE in said
    assert all(any(sentence.text in words for words in said) for sentence in draft.evident())
    referred = [each.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for each in made.ContentSequence
                if "ReferencedSOPSequence" in each]  # fmt: skip
    assert referred == [image.SOPInstanceUID]
    again = pydicom.dcmread(io.BytesIO(to_sr(radiology.cases.state("K1"), files.images)))
    assert again.SOPInstanceUID == made.SOPInstanceUID


def test_only_a_signed_report_is_final_and_verified_by_its_signer(tmp_path: Path) -> None:
    files = written(cases(1, seed=3)[0], tmp_path / "files")
    radiology = opened(tmp_path / "cases")
    draft = radiology.draft("K1", files)
    make_key(tmp_path / "anna.pem")
    text = draft.text().rstrip() + "\nSeen and agreed.\n"
    radiology.sign("K1", signer="Anna Maria Lee", key=tmp_path / "anna.pem", text=text)
    folder = tmp_path / "out"
    assert folder / "report.dcm" in write_all(radiology.cases.state("K1"), folder, [str(files.images[0])])
    made = pydicom.dcmread(folder / "report.dcm")
    assert (made.PreliminaryFlag, made.CompletionFlag, made.VerificationFlag) == ("FINAL", "COMPLETE", "VERIFIED")
    assert str(made.VerifyingObserverSequence[0].VerifyingObserverName) == "Lee^Anna Maria"
    assert any("Seen and agreed." in words for words in texts(made))


def test_images_that_are_not_the_cases_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases(1, seed=3)[0]
    files = written(case, tmp_path / "files")
    radiology = opened(tmp_path / "cases")
    radiology.draft("K1", files)
    state = radiology.cases.state("K1")
    with pytest.raises(InputError, match="No image was given"):
        to_sr(state, [])
    with pytest.raises(InputError, match="is no image of the case K1"):
        to_sr(state, [tmp_path / "other.dcm"])
    other = written(case, tmp_path / "other", PatientID="SOMEBODY-ELSE")
    with pytest.raises(InputError, match="of another patient"):
        to_sr(state, other.images)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scan.dcm").write_bytes(b"DICM" * 50)
    with pytest.raises(InputError):
        to_sr(state, [tmp_path / "broken" / "scan.dcm"])
    command = ["radiology", "show", "K1", "--in", str(tmp_path / "cases"), "--sr", str(files.images[0])]
    assert main(command) == 2
    assert "--sr was given without --out" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "shown")]) == 0
    assert (tmp_path / "shown" / "report.dcm").is_file()
