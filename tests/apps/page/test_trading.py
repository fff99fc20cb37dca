"""Reports and the applications as the page shows them, without a browser; then drawn by Gradio."""

from __future__ import annotations

import html
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tests.apps.radiology_cases import Looks, pixels
from tests.apps.test_moderation import policy_in
from tests.apps.test_moderation_ways import WORDS
from tests.apps.test_shop import feed, swatch
from tests.search.synthetic_media import Space, picture
from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import asked
from tutti.apps.moderation.http import ModerationApplication
from tutti.apps.moderation.moderator import Moderator
from tutti.apps.moderation.policy import read_policy
from tutti.apps.page.evaluating import framed_report
from tutti.apps.page.options import PageOptions
from tutti.apps.page.page import DemoPage
from tutti.apps.page.rooms import Stopped
from tutti.apps.page.trading import ModerationRoom, RadiologyRoom, ShopRoom
from tutti.apps.radiology.http import RadiologyApplication
from tutti.apps.shop import Catalogue
from tutti.apps.shop.http import ShopApplication
from tutti.errors import InputError
from tutti.model import Model
from tutti.serve.lifecycle import ServerOptions
from tutti.trust.clinical.signing_keys import make_key


def test_a_report_stands_in_a_frame_without_scripts(tmp_path: Path) -> None:
    page = '<!doctype html><p title="x">it\'s</p><script>alert(1)</script>'
    (tmp_path / "report.html").write_text(page)
    shown = framed_report({"suite": tmp_path}, "suite")
    assert shown.startswith('<iframe class="report" sandbox title="Report suite" srcdoc="')
    assert html.unescape(shown.partition('srcdoc="')[2].rpartition('"')[0]) == page
    assert "<script" not in shown
    with pytest.raises(InputError, match="known are: suite"):
        framed_report({"suite": tmp_path}, "../suite")
    with pytest.raises(InputError, match="tutti evaluate"):
        framed_report({"gone": tmp_path / "gone"}, "gone")


def test_the_shop_answers_and_takes_and_each_tenant_has_its_own(tmp_path: Path) -> None:
    for tenant, only in (("alice", "L"), ("bob", "B")):
        Catalogue(tmp_path / "db", Space(), tenant=tenant).update(feed(tmp_path / f"{only}.jsonl", only))
    shop = ShopRoom(ShopApplication(tmp_path / "db", Space()))
    photo = str(swatch(tmp_path / "shade.png", (200, 30, 40)))
    said, offers = shop.ask("Do you have this colour?", photo, session="s", tenant="alice")
    assert offers[0][1] == "L0" and "• 1. " in said and "EUR" in said
    assert shop.take("L0", session="s", tenant="alice") == "Noted: L0."
    with pytest.raises(InputError, match="no product 'L0'"):
        shop.take("L0", session="s", tenant="bob")
    with pytest.raises(InputError, match="Nothing was chosen"):
        shop.take(None, session="s", tenant="alice")
    shop.forget(session="s", tenant="alice")


def test_a_turn_that_was_stopped_leaves_the_dialogue_as_it_was(tmp_path: Path) -> None:
    Catalogue(tmp_path / "db", Space(), tenant="alice").update(feed(tmp_path / "feed.jsonl", "L"))
    shop = ShopRoom(ShopApplication(tmp_path / "db", Space()))
    photo = str(swatch(tmp_path / "shade.png", (200, 30, 40)))
    done: list[float] = []
    shop.ask("Do you have this colour?", photo, session="s", tenant="alice", told=done.append)
    assert done == sorted(done) and done[-1] == 1.0
    kept = shop.application.shop("alice").sessions.load("s")
    events = list(shop.application.shop("alice").events.read())

    def stop(share: float) -> None:
        if share > 0.5:
            raise Stopped("Stopped; nothing was kept.")

    with pytest.raises(Stopped):
        shop.ask("cheaper, please", None, session="s", tenant="alice", told=stop)
    assert shop.application.shop("alice").sessions.load("s") == kept
    assert list(shop.application.shop("alice").events.read()) == events


def test_moderation_decides_says_why_and_takes_a_verdict(tmp_path: Path) -> None:
    moderator = Moderator(read_policy(policy_in(tmp_path, text=WORDS)), Space(), None, None)
    room = ModerationRoom(ModerationApplication(moderator, tmp_path / "decisions"))
    blue = str(picture(tmp_path / "blue.png", "blue"))
    assert room.decide(blue, "", tenant="default")[0] == "Allow: blue.png"
    lines = room.decide(blue, "h3r0in, cheap", tenant="default")
    assert lines[0] == "Review: blue.png" and "heroin" in lines[1]
    [(label, decision)] = room.waiting(tenant="default")
    assert label == "blue.png: drugs 0.95"
    assert room.waiting(tenant="bob") == []
    assert "heroin" in room.reasons(decision, tenant="default")[1]
    for chosen, by, told in ((None, "Anna", "Nothing is chosen"), (decision, " ", "No name")):
        with pytest.raises(InputError, match=told):
            room.judge(chosen, "block", by, tenant="default")
    assert room.judge(decision, "block", "Anna", tenant="default") == "Block is noted, by Anna."
    assert room.waiting(tenant="default") == []
    assert room.decide(blue, "h3r0in, cheap", tenant="default")[0] == "Block, by Anna: blue.png"
    looked: list[float] = []

    def stop(seconds: float) -> None:
        looked.append(seconds)
        raise Stopped("Stopped.")

    green = str(picture(tmp_path / "green.png", "green"))
    with pytest.raises(Stopped):
        room.decide(green, "h3r0in, cheap", tenant="default", told=stop)
    assert looked == [0.0] and room.waiting(tenant="default") == []
    with pytest.raises(InputError, match="Neither a file nor words"):
        room.decide(None, " ", tenant="default")


def test_a_case_is_drafted_edited_and_signed_and_the_key_does_not_stay(tmp_path: Path) -> None:
    pillow.fromarray(np.stack([pixels()] * 3, axis=-1)).save(tmp_path / "chest.png")
    room = RadiologyRoom(RadiologyApplication(tmp_path / "cases", Looks()))
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        room.draft(
            "K0", [str(tmp_path / "chest.png")], "", [], modality="DX", body_part="CHEST", tenant="default", told=stop
        )
    assert shares == [0.5] and room.queue(tenant="default") == []
    made = room.draft(
        "K1", [str(tmp_path / "chest.png")], "Rule out <pneumonia>.", [], modality="DX", body_part="CHEST",
        tenant="default",
    )  # fmt: skip
    assert made.status == "preliminary" and "NOT FOR CLINICAL USE" in made.shown
    assert "<summary title=" in made.shown and "<pneumonia>" not in made.shown
    assert made.picture.shape == (64, 64, 3)
    assert room.queue(tenant="default")[0][1] == "K1" and room.queue(tenant="bob") == []
    make_key(tmp_path / "anna.pem")
    content = (tmp_path / "anna.pem").read_bytes()

    def sign(struck: str = "", *, keyed: bool = False) -> str:
        copy = tmp_path / "copy.pem"
        copy.write_bytes(content)
        try:
            return room.sign(
                "K1", signer="Anna Lee", key=str(copy), password="", text=made.text + "Agreed.\n", struck=struck,
                tenant="default", keyed=keyed,
            ).shown  # fmt: skip
        finally:
            assert not copy.exists()

    with pytest.raises(InputError, match="a key stays with its person"):
        sign(keyed=True)
    with pytest.raises(InputError, match="'F1' strikes nothing"):
        sign("F1")
    assert "Signed by Anna Lee" in sign()
    again = room.view("K1", tenant="default")
    assert again.status == "final" and again.text.endswith("Agreed.\n")
    with pytest.raises(InputError, match="No case is chosen"):
        room.view(None, tenant="default")


def test_gradio_draws_a_tab_for_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.html").write_text("<p>fine</p>")
    Catalogue(tmp_path / "db", Space(), tenant="default").update(feed(tmp_path / "feed.jsonl"))
    applications = {"shop": str(tmp_path / "db"), "radiology": str(tmp_path / "cases")}
    applications["moderation"] = str(policy_in(tmp_path, text=WORDS))
    options = PageOptions(models=["space"], reports={"suite": tmp_path}, applications=applications)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Gradio's own parts
        page = DemoPage(options, lambda _: Model(Space()))
        assert page.app(nullcontext) is page
        with served(Parrot(), offer=ServerOptions(page=page)) as server:
            status, _, content = asked(server, "GET", "/ui/config")
            assert status == 200
        page.close()
    for name in ("Ask", "Evaluate", "Shop", "Radiology", "Moderation"):
        assert f'"label":"{name}"'.encode() in content
