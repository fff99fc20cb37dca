"""Drafts: every sentence has its sources, planted contradictions are listed, bad input is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as pillow

from benchmarks.radiology_cases import cases
from tests.apps.radiology_cases import opened, pixels, written
from tests.media.dicom_files import make_dicom
from tutti.apps.radiology import CaseFiles, Draft, Evident, ReportSource, assessing
from tutti.apps.radiology.drafting import Drafting
from tutti.apps.radiology.intake import read_case
from tutti.apps.radiology.pages import to_html, to_pdf
from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, SECTIONS
from tutti.apps.radiology.resources import to_bundle
from tutti.content import Segment, Transcript
from tutti.errors import InputError


def no_ears(_: Any) -> Any:
    raise AssertionError("no recording was given")


def test_two_hundred_drafts_have_a_source_for_each_sentence(tmp_path: Path) -> None:
    planted = listed = false = 0
    for case in cases(200, seed=7):
        files = written(case, tmp_path / case.name)
        making = Drafting(read_case(files, no_ears), [])
        found = {(one.kind, one.subject) for one in making.contradictions()}
        planted, listed = planted + len(case.planted), listed + len(found & set(case.planted))
        false += len(found - set(case.planted))
        draft = making.draft(case.name, {})
        texts = {"history.txt": case.history, "prior.txt": case.prior, "note.json": " ".join(case.note)}
        assert draft.text().startswith("CONTRADICTIONS") == bool(found)
        for sentence in draft.evident():
            assert sentence.sources
            for source in sentence.sources:
                if source.kind in ("history", "prior", "note"):
                    assert source.quote in texts[source.name]
                if source.start is not None:
                    assert texts[source.name][source.start : source.end] == source.quote
                if source.kind == "note":
                    assert source.start_s is not None
                    spoken = case.note[int(source.start_s / 2)]
                    assert source.quote in spoken
        assert all(draft.sections[name] for name in SECTIONS)
        assert Draft.from_dict(json.loads(json.dumps(draft.to_dict()))) == draft
    assert planted > 100
    assert listed == planted
    assert false <= 0.02 * (planted + 200)


def test_a_sentence_without_a_source_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="0 sources"):
        Evident(text="The heart is normal.", sources=())
    with pytest.raises(ValueError, match="expected words"):
        Evident(text=" ", sources=(ReportSource(kind="history", name="a"),))


def chest(folder: Path, name: str = "chest.dcm", side: int = 64, **header: Any) -> Path:
    values = {"Modality": "DX", "BodyPartExamined": "CHEST", "PatientID": "P-1", **header}
    (folder / name).write_bytes(make_dicom(pixels(side=side), **values))
    return folder / name


def test_a_finding_shows_region_and_score(tmp_path: Path) -> None:
    radiology = opened(tmp_path / "cases")
    draft = radiology.draft("K1", CaseFiles(images=[chest(tmp_path, ViewPosition="PA")]))
    (finding,) = draft.findings
    assert (finding.name, finding.state, finding.calibrated) == ("pneumonia", "possible", False)
    (sentence,) = draft.sections["findings"]
    assert "side not assessable" in sentence.text
    (source,) = sentence.sources
    assert source.region == (48, 0, 64, 16)
    assert source.score is not None and source.score > 0.2
    assert "ViewPosition PA" in draft.sections["technique"][0].text


@pytest.mark.parametrize(
    ("header", "side", "reason"),
    [
        ({"Modality": "CT"}, 64, "of modality CT"),
        ({"BodyPartExamined": "HAND"}, 64, "shows HAND"),
        ({"BodyPartExamined": ""}, 64, "body part is not known"),
        ({}, 40, "quality too low: 40 × 40 pixels"),
    ],
)
def test_what_cannot_be_assessed_says_why(tmp_path: Path, header: dict[str, str], side: int, reason: str) -> None:
    draft = opened(tmp_path / "cases").draft("K1", CaseFiles(images=[chest(tmp_path, side=side, **header)]))
    (finding,) = draft.findings
    assert (finding.state, finding.probability) == ("not assessable", None)
    assert reason in finding.reason
    assert draft.urgency == 1.0
    state = opened(tmp_path / "cases").cases.state("K1")
    observation = to_bundle(state)["entry"][1]["resource"]
    assert "valueCodeableConcept" not in observation
    assert reason in observation["dataAbsentReason"]["text"]


def test_overlays_are_named_and_not_shown(tmp_path: Path) -> None:
    import io

    import pydicom

    made = pydicom.dcmread(io.BytesIO(make_dicom(pixels(), Modality="DX")))
    made.add_new((0x6000, 0x3000), "OW", bytes(512))
    made.save_as(tmp_path / "scan.dcm")
    draft = opened(tmp_path / "cases").draft("K1", CaseFiles(images=[tmp_path / "scan.dcm"]))
    assert "1 frame of 64 × 64 pixels; 1 overlay, not shown; not stated:" in draft.sections["technique"][0].text


def test_a_picture_without_a_header(tmp_path: Path) -> None:
    pillow.fromarray(np.stack([pixels()] * 3, -1)).save(tmp_path / "chest.png")
    files = CaseFiles(images=[tmp_path / "chest.png"])
    assert opened(tmp_path / "a").draft("K1", files).findings[0].state == "not assessable"
    given = replace(files, modality="dx", body_part="chest")
    assert opened(tmp_path / "b").draft("K1", given).findings[0].state == "possible"


def test_calibrated_probabilities_and_a_contradiction_with_the_image(tmp_path: Path) -> None:
    table = (Path(assessing.__file__).parent / "findings.toml").read_text()
    (tmp_path / "own.toml").write_text(
        table + '\n[[calibration]]\nfinding = "pneumonia"\nweights = "unknown"\nslope = 4.0\nintercept = 0.0\n'
    )
    (tmp_path / "note.json").write_text('{"segments": [{"start_s": 1, "end_s": 2.5, "text": "No pneumonia."}]}')
    files = CaseFiles(images=[chest(tmp_path)], notes=[tmp_path / "note.json"])
    draft = opened(tmp_path / "cases", findings=tmp_path / "own.toml").draft("K1", files)
    (finding,) = draft.findings
    assert finding.calibrated and finding.probability is not None and finding.probability > 0.9
    assert finding.state == "absent"  # what a person says goes before what a model says
    (contradiction,) = draft.contradictions
    assert {source.kind for source in contradiction.sources} == {"image", "note"}
    assert [(source.start_s, source.end_s) for source in contradiction.sources if source.kind == "note"] == [(1.0, 2.5)]


def test_recordings_are_written_down_with_times(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "note.wav", np.zeros(1600, np.float32), 16000)
    said = Transcript(
        text="", segments=(Segment(start_s=0.5, end_s=2.0, text=" Left fracture."),), model="ears", language="en",
        task="transcribe", duration_s=2.0, seconds=0.1,
    )  # fmt: skip
    case = read_case(CaseFiles(notes=[tmp_path / "note.wav"]), lambda part: said)
    draft = Drafting(case, []).draft("K1", {})
    (sentence,) = draft.sections["findings"]
    assert (sentence.sources[0].start_s, sentence.sources[0].end_s) == (0.5, 2.0)
    assert draft.urgency == 2.0


BUNDLE = {
    "resourceType": "Bundle", "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "identifier": [{"value": "P-2"}], "birthDate": "1970-01-01",
                      "name": [{"family": "Doe", "given": ["Jane"]}]}},
        {"resource": {"resourceType": "Condition", "subject": {"display": "x"}, "code": {"text": "pneumonia"},
                      "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                                                     "code": "resolved"}]}}},
        {"resource": {"resourceType": "ServiceRequest", "status": "active", "intent": "order",
                      "subject": {"display": "x"}, "reasonCode": [{"text": "cough, rule out pneumothorax"}]}},
    ],
}  # fmt: skip


def test_a_history_as_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps(BUNDLE))
    files = CaseFiles(images=[chest(tmp_path)], history=[tmp_path / "history.json"])
    draft = opened(tmp_path / "cases").draft("K1", files)
    (identity,) = draft.contradictions
    assert "P-1" in identity.text.upper() and "P-2" in identity.text.upper()
    (why,) = draft.sections["indication"]
    assert "rule out pneumothorax" in why.text
    assert why.sources[0].pointer == "entry[2].ServiceRequest.reasonCode"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.dcm", make_dicom(None), "a.dcm is a DICOM file without pixels"),
        ("a.dcm", make_dicom(pixels())[:-900], "a.dcm"),
        ("a.dcm", b"\0" * 128 + b"DICM", "a.dcm"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "a.png"),
        ("a.txt", b"words", "a.txt"),
        ("history.json", b'{"resourceType": "Bundle"}', "history.json is no valid FHIR R4 Bundle"),
        ("history.json", b'{"resourceType": "Bundle", "type": "collection"}', "history.json holds nothing"),
        ("history.json", b'{"a": ' * 3000, "history.json"),
        ("history.txt", b"", "history.txt is empty"),
        ("history.txt", b"\xff\xfe\x00", "history.txt is not UTF-8"),
        ("note.json", b"{}", "note.json is no transcript"),
        ("note.json", b'{"segments": []}', "Nothing is said in note.json"),
        ("prior.txt", b"a\0b", "prior.txt holds null"),
    ],
)
def test_malformed_input_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    kind = {"h": "history", "n": "notes", "p": "priors"}.get(name[0], "images")
    files = CaseFiles(**{"images": [chest(tmp_path)], kind: [tmp_path / name]})  # type: ignore[arg-type]
    radiology = opened(tmp_path / "cases")
    with pytest.raises(InputError) as refused:
        radiology.draft("K1", files)
    assert message in str(refused.value)
    assert radiology.cases.queue() == []


def test_nothing_to_draft_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No image and no note"):
        opened(tmp_path).draft("K1", CaseFiles())
    with pytest.raises(InputError, match=r"Two files of the case are called chest\.dcm"):
        opened(tmp_path).draft("K1", CaseFiles(images=[chest(tmp_path), chest(tmp_path)]))


def test_pages_say_what_they_are_not_and_escape(tmp_path: Path) -> None:
    (tmp_path / "history.txt").write_text("Rule out <script>alert(1)</script> mass 犬.")
    radiology = opened(tmp_path / "cases")
    radiology.draft("K1", CaseFiles(images=[chest(tmp_path)], history=[tmp_path / "history.txt"]))
    state = radiology.cases.state("K1")
    page = to_html(state)
    assert page.count(NOT_FOR_CLINICAL_USE) == 2
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert to_pdf(state).startswith(b"%PDF-")
    bundle = to_bundle(state)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds == ["DiagnosticReport", "Observation", "Device", "Provenance"]
    assert bundle["entry"][0]["resource"]["status"] == "preliminary"
    versions = {one["type"]["text"]: one["value"] for one in bundle["entry"][2]["resource"]["version"]}
    assert {"software", "model", "weights", "findings"} <= set(versions)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)))
def test_the_queue_orders_and_hides_nothing(order: list[int]) -> None:
    import tempfile

    said = ("Tension pneumothorax.", "No mass.", "Fracture.", "Possible pneumothorax.", "Nodule.", "Stable.")
    with tempfile.TemporaryDirectory() as folder:
        radiology = opened(Path(folder) / "cases")
        for place in order:
            segment = Segment(start_s=0.0, end_s=1.0, text=said[place])
            transcript = Transcript(text="", segments=(segment,), model="", language="en", task="transcribe",
                                    duration_s=1.0, seconds=0.0)  # fmt: skip
            note = Path(folder) / f"{place}.json"
            note.write_text(json.dumps(transcript.to_dict()))
            radiology.draft(f"K{place}", CaseFiles(notes=[note]))
        rows = radiology.cases.queue()
        assert {row["case"] for row in rows} == {f"K{place}" for place in range(6)}
        assert [row["case"] for row in rows[:3]] == ["K0", "K2", "K3"]
        assert [row["urgency"] for row in rows] == sorted((row["urgency"] for row in rows), reverse=True)
