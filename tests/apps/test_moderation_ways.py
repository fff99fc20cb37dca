"""Moderation by its command and by its routes: bad input refused, each tenant's own, and a kill in the middle."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import tutti
from tests.apps.test_moderation import policy_in
from tests.search.synthetic_media import Space, picture
from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.apps.moderation.http import ModerationApplication, open_moderation
from tutti.apps.moderation.moderator import Moderator
from tutti.apps.moderation.policy import read_policy
from tutti.cli.applications import APPLICATIONS
from tutti.cli.main import main
from tutti.errors import InputError

MINE, BOBS = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}
WORDS = """
[[category]]
name = "drugs"
action = "review"
threshold = 0.5
terms = ["heroin"]
[category.signals]
caption = 1.0
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tutti, "open_provider", lambda *_, **__: Space())
    policy_in(tmp_path, text=WORDS)
    picture(tmp_path / "blue.png", "blue")
    (tmp_path / "post.txt").write_text("h3r0in, cheap")
    return tmp_path


def test_the_command_decides_and_takes_verdicts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["moderate", "post.txt", "blue.png", "--policy", "policy.toml", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["action"] for row in rows] == ["review", "allow"]
    waiting = (here / "moderation/default/review.jsonl").read_text().splitlines()
    assert len(waiting) == 1
    (here / "judged.jsonl").write_text(json.dumps(json.loads(waiting[0]) | {"verdict": "block", "by": "anna"}))
    assert main(["moderate", "post.txt", "--policy", "policy.toml", "--decisions", "judged.jsonl"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("block ") and "(by anna)" in said and "decided before" in said
    assert main(["moderate", "review"]) == 0
    assert main(["moderate", "figures", "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1 and json.loads(out[0])["wrongly_stopped"]["share"] == 0
    assert main(["moderate", "post.txt", "--policy", "policy.toml", "--tenant", "bob"]) == 0
    assert capsys.readouterr().out.startswith("review ")


def test_paths_come_from_a_pipe(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("post.txt\nnone.png\n"))
    assert main(["moderate", "-", "--policy", "policy.toml"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["review", "review"]


def test_a_list_of_known_pictures_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image as pillow

    from tests.trust.forensics.test_known_media import scene

    pillow.fromarray(scene(4)).save("known.png")
    words = ["moderate", "hash", "known.png", "--label", "case", "--write", "known.jsonl"]
    assert main(words) == 0
    assert "1 added" in capsys.readouterr().out
    assert len((here / "known.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.png", "--policy", "policy.toml"], "none.png does not exist"),
        (["post.txt"], "No policy was given"),
        (["post.txt", "--policy", "none.toml"], "none.toml cannot be read"),
        (["post.txt", "--policy", "policy.toml", "--decisions", "none.jsonl"], "none.jsonl"),
        (["post.txt", "--policy", "policy.toml", "--calibration", "none.json"], "none.json cannot be read"),
        (["calibrate", "none.csv", "--policy", "policy.toml"], "none.csv does not exist"),
        (["calibrate", "a", "--policy", "policy.toml", "--false-positives", "7"], "expected a share"),
        (["hash", "blue.png"], "--label"),
        (["verdicts"], "expected the rows of review"),
        (["review", "--tenant", "../x"], "The tenant"),
    ],
)
def test_bad_input_is_refused(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["moderate", *words]) == 2
    assert said in capsys.readouterr().err


def body(**values: Any) -> bytes:
    return json.dumps(values).encode()


def test_the_routes_decide_for_each_tenant(tmp_path: Path) -> None:
    application = ModerationApplication(
        Moderator(read_policy(policy_in(tmp_path, text=WORDS)), Space()), tmp_path / "out"
    )
    picture(tmp_path / "blue.png", "blue")
    photo = "data:image/png;base64," + base64.b64encode((tmp_path / "blue.png").read_bytes()).decode()
    at = "/apps/moderation"
    with served(Parrot(), keys=KEYS, applications=[application]) as server:
        assert asked(server, "POST", f"{at}/decisions", body(text="heroin"))[0] == 401
        status, _, content = asked(server, "POST", f"{at}/decisions", body(text="heroin", media=photo), MINE)
        assert (status, json.loads(content)["action"]) == (200, "review")
        waiting = json.loads(asked(server, "GET", f"{at}/review", None, MINE)[2])["waiting"]
        assert len(waiting) == 1
        assert json.loads(asked(server, "GET", f"{at}/review", None, BOBS)[2])["waiting"] == []
        verdict = body(id=waiting[0]["id"], verdict="allow", by="anna")
        assert asked(server, "POST", f"{at}/verdicts", verdict, BOBS)[0] == 400
        assert asked(server, "POST", f"{at}/verdicts", verdict, MINE)[0] == 200
        again = json.loads(asked(server, "POST", f"{at}/decisions", body(text="heroin", media=photo), MINE)[2])
        assert (again["action"], again["by"]) == ("allow", "anna")
        assert json.loads(asked(server, "GET", f"{at}/figures", None, MINE)[2])["judged"] == 1
        for wrong in ({"text": ""}, {"media": "/etc/passwd"}):
            assert asked(server, "POST", f"{at}/decisions", body(**wrong), MINE)[0] == 400


def test_the_server_opens_it_with_a_policy(tmp_path: Path) -> None:
    assert APPLICATIONS["moderation"] == "tutti.apps.moderation.http:open_moderation"
    with pytest.raises(InputError, match="names no policy"):
        open_moderation(Space(), None)
    assert open_moderation(Space(), str(policy_in(tmp_path, text=WORDS))).name == "moderation"


def test_a_calibration_beside_the_policy_is_used(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["file,label"]
    for at in range(30):
        (here / f"{at}.txt").write_text("h e r o i n" if at < 5 else f"fine day {at}")
        rows.append(f"{at}.txt,{'drugs' if at < 5 else 'benign'}")
    (here / "labels.csv").write_text("\n".join(rows) + "\n")
    words = ["moderate", "calibrate", "labels.csv", "--policy", "policy.toml", "--false-positives", "0.05"]
    assert main(words) == 0
    assert "drugs: threshold" in capsys.readouterr().out
    assert (here / "policy.calibration.json").is_file()
    assert main(["moderate", "post.txt", "--policy", "policy.toml", "--json"]) == 0
    assert "+" in json.loads(capsys.readouterr().out)["version"]
    (here / "policy.toml").write_text(WORDS + "\n# changed\n")
    assert main(["moderate", "post.txt", "--policy", "policy.toml"]) == 2
    assert "calibrate again" in capsys.readouterr().err


def test_decisions_are_sealed_by_a_vault(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("ROOT_KEY", key)
    vault = ["--vault", "vault", "--vault-key", "env:ROOT_KEY"]
    assert main(["vault", "init", "vault", "--vault-key", "env:ROOT_KEY"]) == 0
    assert main(["moderate", "post.txt", "--policy", "policy.toml", *vault]) == 0
    assert b"post" not in (here / "moderation/default/decisions.jsonl").read_bytes()
    assert not (here / "moderation/default/review.jsonl").exists()
    capsys.readouterr()
    assert main(["moderate", "review", *vault]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "post.txt"
    assert main(["moderate", "review"]) == 0
    assert capsys.readouterr().out == ""
