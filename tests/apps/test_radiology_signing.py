"""Only a person's signature makes a report final; what is kept survives a kill and shows tampering."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.apps.radiology_cases import opened
from tutti.apps.radiology import CaseFiles, Radiology
from tutti.apps.radiology.pages import to_html, to_pdf
from tutti.apps.radiology.resources import to_bundle
from tutti.errors import InputError, TuttiError
from tutti.trust.clinical.chain import canonical
from tutti.trust.clinical.signing_keys import make_key, signed
from tutti.trust.vault import Vault


def note(folder: Path, text: str = "Left fracture. No pneumothorax.") -> CaseFiles:
    (folder / "note.json").write_text(json.dumps({"segments": [{"start_s": 0, "end_s": 1, "text": text}]}))
    return CaseFiles(notes=[folder / "note.json"])


@pytest.fixture
def radiology(tmp_path: Path) -> Radiology:
    made = opened(tmp_path / "cases")
    made.draft("K1", note(tmp_path))
    make_key(tmp_path / "anna.pem")
    return made


def accepted(radiology: Radiology, case: str = "K1") -> str:
    return radiology.cases.draft(case).text()


def test_signing_with_edits_and_a_struck_finding(radiology: Radiology, tmp_path: Path) -> None:
    text = accepted(radiology).replace("[F1] ", "[F1] In my view: ").replace("[F2] ", "")
    state = radiology.sign(
        "K1", signer="Anna Lee", key=tmp_path / "anna.pem", text=text, struck={"F2": "not asked for"}
    )
    assert state["status"] == "final"
    assert 0 < state["final"]["edited_share"] < 0.6
    state = radiology.cases.state("K1")
    page, bundle = to_html(state), to_bundle(state)
    assert "F2 was struck: not asked for" in page and "Signed by Anna Lee" in page
    assert to_pdf(state).startswith(b"%PDF")
    resources = [entry["resource"] for entry in bundle["entry"]]
    assert {one["status"] for one in resources if "status" in one} == {"final"}
    assert [one["code"]["text"] for one in resources if one["resourceType"] == "Observation"] == ["fracture"]
    provenance = resources[-1]
    assert provenance["agent"][1]["who"]["display"] == "Anna Lee"
    assert provenance["signature"][0]["data"] == state["final"]["signature"]
    with pytest.raises(InputError, match="final"):
        radiology.draft("K1", note(tmp_path))
    with pytest.raises(InputError, match="final already"):
        radiology.sign("K1", signer="Anna Lee", key=tmp_path / "anna.pem", text=text, struck={"F2": "no"})
    figures = radiology.cases.figures()
    assert (figures["final"], figures["agreed_share"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signer": ""}, "first and last name"),
        ({"signer": "Anna"}, "first and last name"),
        ({"text": " "}, "0 characters|1 characters"),
        ({"text": "[F1] only"}, r"F2 \(pneumothorax\) is not in the accepted text"),
        ({"text": "[F1] only", "struck": {"F2": " "}}, "or a reason why it was struck"),
        ({"struck": {"F2": "no"}}, "struck and is still in"),
        ({"struck": {"F9": "no"}}, "has no finding F9"),
        ({"case": "K2"}, "There is no case K2"),
    ],
)
def test_what_may_not_be_signed(radiology: Radiology, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    values = {"case": "K1", "signer": "Anna Lee", "key": tmp_path / "anna.pem", "text": accepted(radiology), **change}
    with pytest.raises(InputError, match=message):
        radiology.sign(values.pop("case"), **values)
    assert radiology.cases.state("K1")["status"] == "preliminary"


def test_a_name_has_one_key_and_a_draft_that_changed_is_read_again(radiology: Radiology, tmp_path: Path) -> None:
    cases = radiology.cases
    make_key(tmp_path / "other.pem")
    statement = cases.statement("K1", "Anna Lee", accepted(radiology), {})
    public, signature = signed(tmp_path / "anna.pem", canonical(statement))
    with pytest.raises(InputError, match="does not hold"):
        cases.sign({**statement, "text": statement["text"] + "!"}, public, signature)
    with pytest.raises(InputError, match="does not hold"):
        cases.sign(statement, base64.b64encode(bytes(32)).decode(), signature)
    radiology.draft("K1", note(tmp_path, "Right fracture. No pneumothorax."))
    with pytest.raises(InputError, match="read it again"):
        cases.sign(statement, public, signature)
    radiology.sign("K1", signer="Anna Lee", key=tmp_path / "anna.pem", text=accepted(radiology))
    radiology.draft("K2", note(tmp_path))
    for signer, key in (("Anna Lee", "other.pem"), ("Omar Haddad", "anna.pem")):
        with pytest.raises(InputError, match="a name has one key here"):
            radiology.sign("K2", signer=signer, key=tmp_path / key, text=accepted(radiology, "K2"))


def forge(cases: Any, case: str, how: int) -> None:
    """Write `final` into a case's file without a person's key, in one of several ways."""
    file = cases._file(case)
    body = json.loads(file.read_bytes())
    said = {"case": case, "draft": "", "signer": "Eve Mallory", "text": "all well", "struck": {}, "at": "2026-01-01"}
    final = {"statement": said, "public_key": base64.b64encode(bytes(32)).decode(), "signature": "AAAA",
             "edited_share": 0.0, "seconds_to_sign": 0.0}  # fmt: skip
    body = {**body, "final": final} if how else {**body, "status": "final"}
    target = file.with_suffix(".next") if how == 2 else file
    target.write_bytes(canonical(body))
    if how == 3:  # with an entry in the log as well
        cases._commit(case, body, {"event": "signed", "signer": "Eve Mallory", "public_key": final["public_key"]})


ACTS = ("draft", "redraft", "queue", "read", "statement", "no key", "no reason", "wrong key", "figures", "forge0",
        "forge1", "forge2", "forge3", "sign")  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ACTS), max_size=8))
def test_no_sequence_of_calls_reaches_final_without_sign(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_key(folder / "anna.pem")
        radiology = opened(folder / "cases")
        radiology.draft("K1", note(folder))
        signed_once = False
        for act in acts:
            try:
                do(act, radiology, folder)
                signed_once = signed_once or act == "sign"
            except TuttiError:
                pass
            rows = {row["case"]: row["status"] for row in radiology.cases.queue()}
            assert "K1" in rows
            if not signed_once:
                assert rows["K1"] in ("preliminary", "damaged")


def do(act: str, radiology: Radiology, folder: Path) -> None:
    cases = radiology.cases
    if act in ("draft", "redraft"):
        radiology.draft("K1", note(folder, "Mass." if act == "redraft" else "Left fracture."))
    elif act in ("queue", "figures"):
        cases.queue() if act == "queue" else cases.figures()
    elif act == "read":
        to_bundle(cases.state("K1"))
    elif act.startswith("forge"):
        forge(cases, "K1", int(act[-1]))
    else:
        statement = cases.statement("K1", "Anna Lee", accepted(radiology), {"F1": ""} if act == "no reason" else {})
        if act == "no key":
            cases.sign(statement, "", "")
        elif act == "wrong key":
            _, signature = signed(folder / "anna.pem", canonical(statement))
            cases.sign(statement, base64.b64encode(bytes(32)).decode(), signature)
        elif act == "sign":
            radiology.sign("K1", signer="Anna Lee", key=folder / "anna.pem", text=accepted(radiology))


def test_tampering_shows(radiology: Radiology, tmp_path: Path) -> None:
    radiology.sign("K1", signer="Anna Lee", key=tmp_path / "anna.pem", text=accepted(radiology))
    radiology.draft("K2", note(tmp_path))
    cases = radiology.cases
    file, log = cases._file("K1"), cases.log.file
    whole, entries = file.read_bytes(), log.read_bytes()
    file.write_bytes(whole.replace(b"fracture", b"normality"))
    rows = {row["case"]: row for row in cases.queue()}
    assert rows["K1"]["status"] == "damaged" and "changed outside" in rows["K1"]["reason"]
    file.unlink()
    assert {row["case"] for row in cases.queue()} == {"K1", "K2"}
    file.write_bytes(whole)
    log.write_bytes(b"".join(entries.splitlines(keepends=True)[:1]))  # its end cut off
    assert cases.queue()[0]["status"] == "damaged"
    log.write_bytes(entries.replace(b"Anna Lee", b"Eve Mall"))
    with pytest.raises(InputError, match="was changed at entry 2"):
        cases.queue()
    log.write_bytes(entries)
    assert [row["status"] for row in cases.queue()] == ["preliminary", "final"]


KILLED = """
import sys
from pathlib import Path
from tests.apps.radiology_cases import opened
from tutti.apps.radiology import CaseFiles
folder = Path(sys.argv[1])
radiology = opened(folder / "cases")
print("ready", flush=True)
for number in range(100_000):
    radiology.draft(f"K{number % 5}", CaseFiles(notes=[folder / "note.json"]))
    print(number, flush=True)
"""


def test_a_kill_leaves_what_was_promised(tmp_path: Path) -> None:
    note(tmp_path)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'src'}"}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(7):
            last = process.stdout.readline()
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        last = process.stdout.read().strip().splitlines()[-1:] or [last]  # type: ignore[assignment]
    cases = opened(tmp_path / "cases").cases
    rows = cases.queue()
    assert {row["status"] for row in rows} == {"preliminary"}
    assert len(rows) == 5
    assert len(cases.log.entries()) in (int(last[0]) + 1, int(last[0]) + 2)


@pytest.mark.parametrize("step", ["before the log", "before the new file"])
def test_a_change_cut_in_two(radiology: Radiology, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = radiology.cases.state("K1")

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "before the log":
            patch.setattr(radiology.cases.log, "append", dies)
        else:
            patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            radiology.draft("K1", note(tmp_path, "Mass."))
    after = opened(tmp_path / "cases").cases.state("K1")
    assert (after == before) == (step == "before the log")
    assert not list((tmp_path / "cases").rglob("*.next"))


def test_tenants_and_vault(tmp_path: Path) -> None:
    vault = Vault.init(tmp_path / "keys.vault", f"file:{tmp_path / 'root.key'}")
    make_key(tmp_path / "anna.pem")
    anna = opened(tmp_path / "cases", tenant="anna", sealer=vault.sealer("anna"))
    anna.draft("K1", note(tmp_path))
    anna.sign("K1", signer="Anna Lee", key=tmp_path / "anna.pem", text=accepted(anna))
    assert anna.cases.state("K1")["status"] == "final"
    held = b"".join(file.read_bytes() for file in (tmp_path / "cases").rglob("*") if file.is_file())
    assert b"fracture" not in held and b"Anna L" not in held and b'"K1"' not in held  # short ones come by chance
    bob = opened(tmp_path / "cases", tenant="bob")
    assert bob.cases.queue() == []
    with pytest.raises(InputError, match="no case K1"):
        bob.cases.state("K1")
    with pytest.raises(InputError, match="no vault was given"):
        opened(tmp_path / "cases", tenant="anna").cases.queue()
    with pytest.raises(InputError, match="tenant"):
        opened(tmp_path / "cases", tenant="../anna")
    with pytest.raises(InputError, match="case"):
        bob.draft("../K1", note(tmp_path))


def test_the_time_with_a_case_runs_from_opening_to_signing_of_one_person(radiology: Radiology, tmp_path: Path) -> None:
    cases = radiology.cases
    for case in ("K2", "K3"):
        radiology.draft(case, note(tmp_path))
    with pytest.raises(InputError, match="reader is 'anna'"):
        cases.opened("K1", "anna")
    with pytest.raises(InputError, match="no case K9"):
        cases.opened("K9", "Anna Lee")
    cases.opened("K1", "Anna Lee")
    cases.opened("K2", "Ben Orr")  # another person's
    cases.opened("K3", "Anna Lee")
    radiology.draft("K3", note(tmp_path, "Right fracture."))  # another draft: read again
    time.sleep(0.05)
    for case in ("K1", "K2", "K3"):
        radiology.sign(case, signer="Anna Lee", key=tmp_path / "anna.pem", text=accepted(radiology, case))
    with pytest.raises(InputError, match="is final"):
        cases.opened("K1", "Anna Lee")
    found = cases.figures()
    assert (found["final"], found["timed"], found["agreed_share"]) == (3, 1, 1.0)
    assert 0.04 <= found["seconds_with_case"] < 10
