"""Rules over clinical texts, what a score rests on, the audit log and keys, by hand-checked cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tutti.errors import InputError
from tutti.trust.clinical.chain import AuditLog, canonical
from tutti.trust.clinical.contradictions import Stated, contradictions
from tutti.trust.clinical.identity import as_date, differ, identities
from tutti.trust.clinical.occlusion import occluded
from tutti.trust.clinical.signing_keys import holds, make_key, signed
from tutti.trust.clinical.statements import sentences, statements


def told(text: str) -> list[tuple[str, str, str, float | None, str]]:
    return [(one.subject, one.polarity, one.side, one.size_mm, one.tense) for one in statements(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No pneumothorax or pleural effusion.", [("pneumothorax", "absent", "", None, "now"),
                                                  ("pleural effusion", "absent", "", None, "now")]),
        ("No pneumothorax, left pleural effusion present.", [("pneumothorax", "absent", "", None, "now"),
                                                             ("pleural effusion", "present", "left", None, "now")]),
        ("Left lower lobe pneumonia with no effusion.", [("pneumonia", "present", "left", None, "now"),
                                                         ("pleural effusion", "absent", "", None, "now")]),
        ("Right upper lobe nodule now 12 mm, previously 8 mm", [("nodule", "present", "right", 12.0, "now"),
                                                                ("nodule", "present", "right", 8.0, "before")]),
        ("A 1.2 x 0.9 cm cyst", [("cyst", "present", "", 12.0, "now")]),
        ("Cannot exclude pneumonia", [("pneumonia", "uncertain", "", None, "now")]),
        ("Pneumothorax?", [("pneumothorax", "uncertain", "", None, "now")]),
        ("Effusions are not seen on either side.", [("pleural effusion", "absent", "both", None, "now")]),
        ("Nodules in the left and right lung", [("nodule", "present", "both", None, "now")]),
        ("No change in the 8 mm nodule.", [("nodule", "present", "", 8.0, "now")]),
        ("Mother had pneumonia.", []),
        ("History of pneumonia.", [("pneumonia", "present", "", None, "before")]),
    ],
)  # fmt: skip
def test_what_a_sentence_states(text: str, expected: list[object]) -> None:
    assert told(text) == expected


def test_sentences_keep_their_places() -> None:
    text = " A 1.5 cm cyst.\n\nNo mass; stable. "
    assert [text[start:end] for start, end in sentences(text)] == ["A 1.5 cm cyst.", "No mass;", "stable."]


def test_whom_and_when() -> None:
    text = (
        "Patient: Doe, Jane\nMRN: 12-34\nDOB: 1 March 1970\nStudy date: 2026-03-12\n"
        "Compared with the radiograph of March 3, 2025. A 56-year-old woman."
    )
    assert [(one.kind, one.value) for one in identities(text)] == [
        ("name", "doe jane"), ("patient id", "12-34"), ("birth date", "1970-03-01"), ("study date", "2026-03-12"),
        ("prior date", "2025-03-03"), ("sex", "female"),
    ]  # fmt: skip
    assert as_date("3/4/2026") == as_date("20260231") == as_date("40 May 2026") == ""
    assert not differ("name", "anna lee", "anna lee maria")
    assert differ("name", "anna lee", "omar lee")


def stated(name: str, kind: str, text: str) -> Stated:
    tense = "before" if kind == "prior" else "now"
    return Stated(name, kind, statements(text, tense=tense), identities(text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "note", "prior", "expected"),
    [
        ("Left nodule.", "Right nodule.", "", [("side", "nodule")]),
        ("Left nodule.", "Bilateral nodules.", "", []),
        ("Left nodule.", "Nodule on the left, and a right nodule.", "", []),
        ("No effusion.", "Small effusion.", "", [("presence", "pleural effusion")]),
        ("Rule out effusion.", "Small effusion.", "", []),
        ("", "No effusion.", "Effusion.", []),
        ("", "8 mm nodule.", "12 mm nodule.", []),
        ("", "Nodule of 14 mm, previously 8 mm.", "12 mm nodule.", [("size", "nodule")]),
        ("Nodule of 10 mm.", "11 mm nodule.", "", []),
        ("Nodule of 10 mm.", "2 cm nodule.", "", [("size", "nodule")]),
        ("MRN: A1", "Left mass.", "MRN: A2\nRight mass.", [("identity", "patient id"), ("side", "mass")]),
        ("", "Compared with 2 May 2025.", "Exam date: 2025-05-03", [("date", "prior examination")]),
    ],
)
def test_contradictions(history: str, note: str, prior: str, expected: list[tuple[str, str]]) -> None:
    sources = [stated("h", "history", history), stated("n", "note", note), stated("p", "prior", prior)]
    assert [(one.kind, one.subject) for one in contradictions(sources)] == expected


def test_the_region_that_a_score_rests_on() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[10:20, 60:80] = 255
    whole, region = occluded(picture, lambda one: float(one[10:20, 60:80].mean()) / 255)
    assert whole == 1.0
    assert region[:4] == (60, 10, 80, 20)
    assert 0.8 < region.score < 1
    assert occluded(picture, lambda one: 0.5)[1] == (0, 0, 80, 40, 0.0)


def test_a_log_shows_every_change(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    for number in range(4):
        with log.held():
            log.append({"event": "drafted", "case": f"K{number}"})
    whole = log.file.read_bytes()
    lines = whole.splitlines(keepends=True)
    changed = lines[1].replace(b"K1", b"K9")
    assert changed != lines[1]
    for tampered in ([lines[0], changed, *lines[2:]], [*lines[1:]], [lines[0], *lines[2:]], [lines[1], lines[0]]):
        log.file.write_bytes(b"".join(tampered))
        with pytest.raises(InputError, match="was changed at entry"):
            log.entries()
    log.file.write_bytes(whole + b'{"event":"dra')  # a kill in the middle of a line
    assert [entry["case"] for entry in log.entries()] == ["K0", "K1", "K2", "K3"]
    log.append({"event": "drafted", "case": "K4"})
    assert len(log.entries()) == 5
    assert json.loads(log.file.read_bytes().splitlines()[-1])["case"] == "K4"


def test_keys_sign_and_are_not_overwritten(tmp_path: Path) -> None:
    public = make_key(tmp_path / "anna.pem")
    assert (tmp_path / "anna.pem").stat().st_mode & 0o777 == 0o600
    key, signature = signed(tmp_path / "anna.pem", b"words")
    assert key == public
    assert holds(public, signature, b"words")
    assert not holds(public, signature, b"other words")
    assert not holds("no base64", signature, b"words")
    with pytest.raises(InputError, match="Cannot write"):
        make_key(tmp_path / "anna.pem")
    (tmp_path / "no.pem").write_text("no key")
    with pytest.raises(InputError, match="no private key"):
        signed(tmp_path / "no.pem", b"words")


def test_canonical_bytes_do_not_depend_on_order() -> None:
    assert (
        canonical({"b": [1, "é"], "a": None})
        == canonical({"a": None, "b": [1, "é"]})
        == '{"a":null,"b":[1,"é"]}'.encode()
    )
