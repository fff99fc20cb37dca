"""DICOM without the patient: a canary in every place of a file, and not one left; studies stay together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.media.dicom_files import make_dataset, written
from tests.trust.privacy.doubles import Caption, tools
from tutti.content import Image
from tutti.errors import InputError
from tutti.media import Limits, decode_dicom, read_dicom_header
from tutti.trust.privacy import RedactionSteps, Redactor
from tutti.trust.privacy.basic_profile import ACTIONS

SECRET = bytes(range(32))
CANARY = "KANARIENVOGEL"
BY_KIND = {"DA": "20240229", "DT": "20240229101112", "TM": "101112", "UI": "1.2.3.4.815", "AS": "042Y", "AE": CANARY}
PIXELS = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) % 4096


def full_file() -> bytes:
    """Every attribute of the profile's table that text fits in, private ones, overlays and a nested item."""
    made = make_dataset(PIXELS, BitsStored=12, HighBit=11)
    for tag in ACTIONS:
        kind = dictionary_VR(tag)
        if tag >> 16 < 8 or kind not in (*BY_KIND, "LO", "LT", "PN", "SH", "ST", "UC", "UT", "CS"):
            continue
        made.add_new(tag, kind, BY_KIND.get(kind, CANARY))
    made.PatientBirthDate, made.StudyDate, made.BodyPartExamined = "19800312", "20240229", CANARY
    made.ImageComments, made.ProtocolName = CANARY, CANARY
    made.add_new(0x00091010, "LO", CANARY)
    made.add_new(0x60004000, "LT", CANARY)
    made.add_new(0x60003000, "OW", CANARY.encode() + b"\0")
    inner = Dataset()
    inner.PatientName, inner.ReferencedSOPInstanceUID, inner.ScheduledProcedureStepDescription = (
        CANARY,
        "1.2.3.9",
        CANARY,
    )
    made.ReferencedImageSequence = Sequence([inner])
    made.preamble = CANARY.encode() + bytes(128 - len(CANARY))
    made.file_meta.SourceApplicationEntityTitle = CANARY
    return written(made)


def redacted(content: bytes, folder: Path, secret: bytes = SECRET, **steps: object) -> pydicom.FileDataset:
    redactor = Redactor(RedactionSteps(**{"words": (), "faces": False, **steps}), tools(), secret)  # type: ignore[arg-type]
    done = redactor.redact(Image(content), folder, "scan")
    assert done.path is not None and done.path.suffix == ".dcm"
    return pydicom.dcmread(done.path)


def test_no_canary_is_left_in_any_place(tmp_path: Path) -> None:
    given = full_file()
    assert given.count(CANARY.encode()) > 200
    made = redacted(given, tmp_path)
    content = (tmp_path / "scan.dcm").read_bytes()
    for secret in (CANARY, "20240229", "19800312", "1.2.3.4.815", "1.2.3.9", "042Y"):
        assert secret.encode() not in content, secret
    assert not any(element.tag.is_private for element in made)
    assert made.PatientIdentityRemoved == "YES" and made.DeidentificationMethod.startswith("Tutti ")
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "BodyPartExamined" not in made


def test_the_picture_stays_and_its_header_says_what_it_is(tmp_path: Path) -> None:
    given = make_dataset(
        PIXELS, PixelSpacing=["0.5", "0.5"], ViewPosition="PA", RescaleSlope="2", RescaleIntercept="-7"
    )
    redacted(written(given), tmp_path)
    before, after = (decode_dicom(Image(one), Limits()) for one in (written(given), tmp_path / "scan.dcm"))
    assert before.values is not None and after.values is not None
    assert np.array_equal(before.values, after.values)
    header = after.header
    assert (header.modality, header.view, header.spacing_mm, header.deidentified) == ("CT", "PA", (0.5, 0.5), True)


def test_a_study_stays_together_and_days_keep_their_distance(tmp_path: Path) -> None:
    first = make_dataset(PIXELS, StudyDate="20240110", AcquisitionDateTime="20240110101112.5")
    second = make_dataset(PIXELS, StudyDate="20240229")
    second.StudyInstanceUID = first.StudyInstanceUID
    other = make_dataset(PIXELS, StudyDate="20240110", PatientID="P-2")
    one, two, three = (
        redacted(written(made), tmp_path / name) for name, made in (("a", first), ("b", second), ("c", other))
    )
    assert one.StudyInstanceUID == two.StudyInstanceUID != first.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    days = [pydicom.valuerep.DA(made.StudyDate).toordinal() for made in (one, two, three)]  # type: ignore[union-attr]
    assert days[1] - days[0] == 50
    assert days[0] != days[2]
    assert one.AcquisitionDateTime.endswith("101112.5") and one.AcquisitionDateTime[:8] == one.StudyDate
    assert one.PatientID == two.PatientID != three.PatientID
    elsewhere = redacted(written(first), tmp_path / "d", secret=bytes(32))
    assert elsewhere.StudyInstanceUID != one.StudyInstanceUID


def test_burned_in_text_is_covered_in_every_frame(tmp_path: Path) -> None:
    frames = np.stack([PIXELS.astype(np.uint8), PIXELS[::-1].astype(np.uint8)])
    given = written(make_dataset(frames))
    redactor = Redactor(RedactionSteps(faces=False), tools(None, Caption("DOE JANE 1980", (4, 4, 44, 16))), SECRET)
    done = redactor.redact(Image(given), tmp_path, "scan")
    shown = decode_dicom(Image(tmp_path / "scan.dcm"), Limits()).shown
    assert shown[:, 4:16, 4:44].max() == 0
    assert shown[:, 24:].max() > 200
    made = pydicom.dcmread(tmp_path / "scan.dcm")
    assert made.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert done.record.count("text") >= 1


def test_bits_that_are_no_pixels_are_emptied(tmp_path: Path) -> None:
    hidden = (PIXELS % 4096) | 0xF000
    made = redacted(written(make_dataset(hidden.astype(np.uint16), BitsStored=12, HighBit=11)), tmp_path)
    assert np.frombuffer(made.PixelData, "<u2").max() < 4096


def test_what_cannot_be_decoded_is_refused_and_nothing_written(tmp_path: Path) -> None:
    made = make_dataset(None, Modality="SR")
    file = io.BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    with pytest.raises(InputError, match="without pixels"):
        redacted(file.getvalue(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert read_dicom_header(Image(file.getvalue()), Limits()).modality == "SR"
