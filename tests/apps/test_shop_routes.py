"""The shop's routes behind the server's gate, and its command: each tenant's own, bad input refused."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image as pillow

from tests.apps.test_shop import feed, swatch
from tests.search.synthetic_media import Space
from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.apps.shop import Catalogue
from tutti.apps.shop.http import ShopApplication, open_shop
from tutti.cli import shop as command
from tutti.cli.main import main
from tutti.errors import InputError

MINE, BOBS = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}


def body(**values: object) -> bytes:
    return json.dumps(values).encode()


@pytest.fixture
def application(tmp_path: Path) -> ShopApplication:
    for tenant, only in (("alice", "L"), ("bob", "B")):
        Catalogue(tmp_path / "db", Space(), tenant=tenant).update(feed(tmp_path / f"{only}.jsonl", only))
    return ShopApplication(tmp_path / "db", Space())


def test_turns_choices_and_forgetting(application: ShopApplication, tmp_path: Path) -> None:
    swatch(tmp_path / "shade.png", (200, 30, 40))
    out = io.BytesIO()
    pillow.open(tmp_path / "shade.png").save(out, "PNG")
    photo = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    with served(Parrot(), keys=KEYS, applications=[application]) as server:
        assert asked(server, "POST", "/apps/shop/turns", body(session="a", text="lipsticks"))[0] == 401
        turn = body(session="a", text="Do you have this colour?", photo=photo, on_sheet=True)
        status, _, content = asked(server, "POST", "/apps/shop/turns", turn, MINE)
        assert status == 200
        assert json.loads(content)["offers"][0]["id"] == "L0"
        _, _, content = asked(server, "POST", "/apps/shop/turns", body(session="a", text="by Acme or Belle"), BOBS)
        assert {offer["id"][0] for offer in json.loads(content)["offers"]} == {"B"}
        assert asked(server, "POST", "/apps/shop/choices", body(session="a", product="L0"), MINE)[0] == 200
        assert asked(server, "POST", "/apps/shop/choices", body(session="a", product="L0"), BOBS)[0] == 400
        figures = json.loads(asked(server, "GET", "/apps/shop/figures", None, MINE)[2])
        assert (figures["sessions"], figures["conversion"]) == (1, 1.0)
        forgotten = json.loads(asked(server, "DELETE", "/apps/shop/sessions/a", None, MINE)[2])
        assert (forgotten["found"], forgotten["events"]) == (True, 3)
        assert json.loads(asked(server, "GET", "/apps/shop/figures", None, BOBS)[2])["turns"] == 1


@pytest.mark.parametrize(
    "turn",
    [
        body(session="a", text=""),
        body(text="bags"),
        body(session="a", text="x" * 1001),
        body(session="a", text="this", photo="/etc/passwd"),
        body(session="a", text="this", photo="data:image/png;base64,AAAA"),
        body(session="a", text="bags", other=1),
        b"[]",
    ],
)
def test_bad_turns_are_400(application: ShopApplication, turn: bytes) -> None:
    with served(Parrot(), keys=KEYS, applications=[application]) as server:
        assert asked(server, "POST", "/apps/shop/turns", turn, MINE)[0] == 400


def test_a_shop_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--app shop=DB"):
        open_shop(Space(), None)
    with pytest.raises(InputError, match="missing"):
        open_shop(Space(), str(tmp_path / "missing"))


@pytest.fixture
def _space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "open_named", lambda _: Space())


@pytest.mark.usefixtures("_space")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--in", str(tmp_path / "db")]
    assert main(["shop", "update", str(feed(tmp_path / "feed.jsonl")), *place]) == 0
    assert capsys.readouterr().out.startswith("12 added, 0 embedded again")
    assert main(["shop", "ask", "lipsticks", "under 12", "--explain", *place]) == 0
    out = capsys.readouterr().out
    assert "constraint: price below 12.00 EUR" in out
    assert "why L0: 9.90 EUR is under 12.00 EUR" in out
    assert main(["shop", "ask", "I take the first", *place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"].startswith("Noted: Velvet Lipstick red (L0)")
    assert main(["shop", "figures", *place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["conversion"] == 1.0
    assert main(["shop", "simulate", "--second", "price=3", *place]) == 0
    assert capsys.readouterr().out.startswith("1 choices in 1 sessions")
    assert main(["shop", "forget", "default", *place]) == 0


@pytest.mark.usefixtures("_space")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["update"], "expected a feed"),
        (["update", "missing.csv"], "does not exist"),
        (["ask", "bags"], "make a catalogue"),
        (["ask", "--photo", "missing.png"], "does not exist"),
        (["ask", "bags", "--white-sheet"], "--photo"),
        (["simulate"], "second setting"),
        (["forget"], "the name of a session"),
        (["sell"], "invalid choice"),
    ],
)
def test_what_the_command_refuses(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shop", *words, "--in", str(tmp_path / "db")]) == 2
    assert told in capsys.readouterr().err


def test_settings_are_checked(tmp_path: Path) -> None:
    from tutti.search.dialogue.settings_file import setting_of

    (tmp_path / "a.toml").write_text("colour = 5\ntop = 3\n")
    assert (setting_of(str(tmp_path / "a.toml")).colour, setting_of("words=2,top=7").top) == (5, 7)
    for wrong in ("colr=2", "words=much", "top=0", "top=2.5", "words=-1"):
        with pytest.raises(InputError):
            setting_of(wrong)
