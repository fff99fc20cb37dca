"""Radiology drafts behind the server's gate, and as a command: tenants apart, keys that stay with their people."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import tutti
from tests.apps.radiology_cases import Looks, pixels
from tests.cli.fake_model import FakeModel
from tests.media.dicom_files import make_dicom
from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.apps.radiology.http import RadiologyApplication, open_radiology
from tutti.apps.radiology.service import guarded
from tutti.cli.main import main
from tutti.errors import InputError
from tutti.model import Model
from tutti.trust.clinical.signing_keys import make_key, signed

MINE, BOBS = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}


def body(**values: object) -> bytes:
    return json.dumps(values).encode()


def image() -> str:
    content = make_dicom(pixels(), Modality="DX", BodyPartExamined="CHEST")
    return "data:application/dicom;base64," + base64.b64encode(content).decode()


def test_draft_queue_and_sign(tmp_path: Path) -> None:
    make_key(tmp_path / "anna.pem")
    application = RadiologyApplication(tmp_path / "cases", Looks())
    at = "/apps/radiology"
    with served(Parrot(), keys=KEYS, applications=[application]) as server:
        assert asked(server, "GET", f"{at}/queue")[0] == 401
        case = body(case="K1", images=[image(), image()], history="Rule out pneumonia.", priors=["No effusion."])
        status, _, content = asked(server, "POST", f"{at}/drafts", case, MINE)
        assert status == 200, content
        state = json.loads(content)
        assert state["status"] == "preliminary" and "NOT FOR CLINICAL USE" in state["notice"]
        assert json.loads(asked(server, "GET", f"{at}/queue", None, BOBS)[2])["cases"] == []
        assert asked(server, "GET", f"{at}/cases/K1", None, BOBS)[0] == 400
        text = "\n".join(f"[{one['id']}] seen and agreed" for one in state["draft"]["findings"])
        accepted = body(signer="Anna Lee", text=text)
        made = json.loads(asked(server, "POST", f"{at}/cases/K1/statement", accepted, MINE)[2])
        public, signature = signed(tmp_path / "anna.pem", made["to_sign"].encode())
        bad = body(statement=made["statement"], public_key=public, signature=signature[::-1])
        assert asked(server, "POST", f"{at}/cases/K1/sign", bad, MINE)[0] == 400
        good = body(statement=made["statement"], public_key=public, signature=signature)
        assert asked(server, "POST", f"{at}/cases/K2/sign", good, MINE)[0] == 400
        assert asked(server, "POST", f"{at}/cases/K1/sign", good, BOBS)[0] == 400
        status, _, content = asked(server, "POST", f"{at}/cases/K1/sign", good, MINE)
        assert status == 200 and json.loads(content)["status"] == "final", content
        bundle = json.loads(asked(server, "GET", f"{at}/cases/K1/fhir", None, MINE)[2])
        assert bundle["entry"][0]["resource"]["status"] == "final"
        assert b"Signed by Anna Lee" in asked(server, "GET", f"{at}/cases/K1/page", None, MINE)[2]


@pytest.mark.parametrize(
    "case",
    [
        body(case="K1"),
        body(case="../K1", images=["data:image/png;base64,AAAA"]),
        body(case="K1", images=["/etc/passwd"]),
        body(case="K1", images=["data:image/png;base64,AAAA"]),
        body(case="K1", images=[], other=1),
        b"[]",
    ],
)
def test_bad_cases_are_refused(tmp_path: Path, case: bytes) -> None:
    with served(Parrot(), keys=KEYS, applications=[RadiologyApplication(tmp_path, Looks())]) as server:
        status, _, content = asked(server, "POST", "/apps/radiology/drafts", case, MINE)
        assert status in (400, 422), content


def test_a_folder_must_be_named() -> None:
    with pytest.raises(InputError, match="--app radiology=cases"):
        open_radiology(Parrot(), None)


class Sees(FakeModel):
    """Looks at pictures as `Looks` does."""

    def classify(self, medium: Any, labels: Any) -> dict[str, float]:
        return Looks().classify(medium, labels)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tutti, "load", lambda *_, **__: Sees())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chest.dcm").write_bytes(make_dicom(pixels(), Modality="DX", BodyPartExamined="CHEST"))
    (tmp_path / "note.json").write_text('{"segments": [{"start_s": 0, "end_s": 1, "text": "Left pneumothorax."}]}')
    return tmp_path


def test_the_command(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drafting = "radiology draft chest.dcm --case K1 --note note.json --in cases --out out".split()
    assert main(drafting) == 0
    told = capsys.readouterr().out
    assert "NOT FOR CLINICAL USE" in told and "K1: preliminary" in told
    assert sorted(file.name for file in (at / "out").iterdir()) == [
        "report.fhir.json", "report.html", "report.pdf", "report.txt",
    ]  # fmt: skip
    for file in (at / "out").iterdir():
        assert file.suffix == ".pdf" or "NOT FOR CLINICAL USE" in file.read_text()
    assert main(["radiology", "key", "anna.pem"]) == 0
    signing = ["radiology", "sign", "K1", "--in", "cases", "--signer", "Anna Lee", "--key", "anna.pem"]
    assert main(signing) == 2
    assert "--accept" in capsys.readouterr().err
    (at / "accepted.txt").write_text("# a remark\n[F2] Pneumothorax on the left.")
    assert main([*signing, "--text", "accepted.txt"]) == 2
    assert "F1 (pneumonia) is not in the accepted text" in capsys.readouterr().err
    assert main([*signing, "--text", "accepted.txt", "--strike", "F1=not seen", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert state["status"] == "final"
    assert state["final"]["statement"]["text"] == "[F2] Pneumothorax on the left.\n"
    assert main("radiology queue --in cases --json".split()) == 0
    assert [row["status"] for row in json.loads(capsys.readouterr().out)["cases"]] == ["final"]
    assert main("radiology check --in cases".split()) == 0
    assert "2 entries: 1 cases, 0 preliminary, 1 final, 0 damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("draft chest.dcm", "--case"),
        ("draft none.dcm --case K1", "none.dcm"),
        ("draft note.json --case K1", "note.json"),
        ("sign K1 --accept", "--signer"),
        ("sign K1 --accept --signer A --key k.pem", "no case K1"),
        ("show", "expected the name of a case"),
        ("show K9", "no case K9"),
        ("key no/such/folder/k.pem", "Cannot write"),
    ],
)
def test_what_the_command_refuses(at: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert main(["radiology", *words.split(), "--in", "cases"]) == 2
    assert message in capsys.readouterr().err


def test_identifiers_are_covered_before_a_hosted_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from tutti.providers.hosted import Hosted
    from tutti.trust import privacy

    made: list[Any] = []
    monkeypatch.setattr(privacy, "Redactor", lambda steps: made.append(steps) or steps)
    nothing = dict.fromkeys(("_events", "_failed", "_payload"))
    connected = {"library": "json", "_accepts": lambda self: None, "_connected": lambda self, library, address: None}
    elsewhere = type("Elsewhere", (Hosted,), nothing | connected)
    hosted = Model(elsewhere("openai:x", "x", None, None, None))  # type: ignore[arg-type]
    assert isinstance(guarded(hosted).guard, privacy.PrivacyGuard)
    assert made[0].speech and made[0].words
    local = Model(Parrot())  # type: ignore[arg-type]
    assert guarded(local) is local
