"""The shop: answers made of facts, sessions that survive a kill, tenants apart, words that keep to the facts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from tests.search.shelf_of_things import things
from tests.search.synthetic_media import Space, Speaker
from tutti.apps.shop import Shop, ShopSetting
from tutti.apps.shop.events import figures
from tutti.apps.shop.simulate import simulate
from tutti.apps.shop.wording import keeps_to_facts
from tutti.errors import InputError

ROOT = Path(__file__).parents[2]


def feed(path: Path, only: str = "") -> Path:
    rows = []
    for one in things():
        row = {"id": one.id, "title": one.title, "price": f"{one.price.amount} EUR", "item_group_id": one.group}
        row |= {"availability": one.availability.replace(" ", "_"), "product_type": one.kind}
        named = {"brand": one.brand, "color": one.colour, "size": one.size, "pattern": one.pattern, "hex": one.hex}
        rows.append(row | {name: value for name, value in named.items() if value is not None})
    path.write_text("\n".join(json.dumps(row) for row in rows if str(row["id"]).startswith(only)))
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path / "db", Space())
    made.catalogue.update(feed(tmp_path / "feed.jsonl"))
    return made


def swatch(path: Path, rgb: tuple[int, int, int], light: tuple[float, float, float] = (1, 1, 1)) -> Path:
    """A smear on a grey ground with a white sheet, under a light."""
    scene = np.full((160, 160, 3), 0.12)
    scene[:, :60] = 0.86
    scene[60:110, 75:125] = (np.array(rgb) / 255) ** 2.2
    seen = np.clip(scene * np.array(light), 0, 1) ** (1 / 2.2)
    pillow.fromarray((seen * 255).astype(np.uint8)).save(path)
    return path


def test_a_photograph_and_turns_over_it(shop: Shop, tmp_path: Path) -> None:
    photo = swatch(tmp_path / "shade.png", (200, 30, 40), light=(0.9, 0.75, 0.5))
    answer = shop.ask("Do you have this colour?", photo=photo, on_sheet=True)
    assert answer.offers[0].id == "L0"
    assert answer.offers[0].delta_e is not None
    assert answer.offers[0].delta_e < 3
    assert "white sheet" in (answer.photo or "")
    assert any("ΔE" in reason for reason in answer.offers[0].why)
    assert [offer.id for offer in shop.ask("darker").offers] == ["L1"]
    assert "out of stock" in shop.ask("in stock").text or shop.ask("in stock").offers == ()


def test_everything_that_is_said_stands_in_the_catalogue(shop: Shop) -> None:
    known = {product.id: product for product in shop.catalogue.assortment().products}
    for turn in ("lipsticks", "under 20", "not Acme", "a bag that goes with it", "cheaper", "any price"):
        answer = shop.ask(turn)
        for offer in (*answer.offers, *(one for group in answer.alternatives for one in group.offers)):
            product = known[offer.id]
            assert (offer.title, offer.price, offer.currency) == (product.title, *product.price)
            assert offer.availability == product.availability
            assert f"{offer.price:,.2f} {offer.currency}" in answer.text


def test_nothing_fits_and_it_says_so(shop: Shop) -> None:
    answer = shop.ask("a blue bag by Acme")
    assert answer.offers == ()
    assert answer.text.startswith("Nothing in the catalogue fits all of this")
    assert {group.what for group in answer.alternatives} == {"without “brand is acme”", "without “colour is blue”"}


def test_what_is_asked_back_changes_nothing(shop: Shop) -> None:
    first = shop.ask("bags")
    asked = shop.ask("under 10 dollars")
    assert asked.questions
    assert asked.offers == ()
    assert asked.wishes == first.wishes
    assert [offer.id for offer in shop.ask("like the second").offers if offer.id == first.offers[1].id] == []
    assert shop.ask("hello", session="new").questions


def test_variants_are_one_offer(shop: Shop) -> None:
    (offer,) = shop.ask("running shoes").offers
    assert len(offer.variants) == 3
    assert any("size 41" in variant for variant in offer.variants)


def test_tenants_never_see_one_another(tmp_path: Path) -> None:
    shops = {}
    for tenant, only in (("anna", "L"), ("ben", "B")):
        shops[tenant] = Shop(tmp_path / "db", Space(), tenant=tenant)
        shops[tenant].catalogue.update(feed(tmp_path / f"{tenant}.jsonl", only))
    assert {offer.id[0] for offer in shops["anna"].ask("something by Acme or Belle").offers} == {"L"}
    assert {offer.id[0] for offer in shops["ben"].ask("something by Acme or Belle").offers} == {"B"}
    assert not shops["ben"].forget("nobody")[0]
    assert len(list(shops["ben"].events.read())) == 2
    assert not any("L0" in json.dumps(event) for event in shops["ben"].events.read())
    with pytest.raises(InputError, match="tenant"):
        Shop(tmp_path / "db", Space(), tenant="../anna")
    with pytest.raises(InputError, match="'carl' has no catalogue") as refused:
        Shop(tmp_path / "db", Space(), tenant="carl").ask("lipsticks")
    assert "anna" not in str(refused.value)


class Box:
    """A sealer that can be looked through."""

    def __init__(self, key: int = 7) -> None:
        self.key = key

    def seal(self, content: bytes, context: str) -> bytes:
        return bytes([self.key]) + bytes(byte ^ self.key for byte in content)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        if sealed[:1] != bytes([self.key]):
            raise InputError("It was sealed with another key.")
        return bytes(byte ^ self.key for byte in sealed[1:])


def test_sessions_are_sealed_and_forgotten(shop: Shop, tmp_path: Path) -> None:
    sealed = Shop(tmp_path / "db", Space(), sessions=tmp_path / "kept", sealer=Box())
    sealed.ask("lipsticks by Acme", session="anna")
    sealed.ask("I take the first", session="anna")
    content = b"".join(file.read_bytes() for file in (tmp_path / "kept").rglob("*") if file.is_file())
    assert b"acme" not in content
    assert b"lipstick" not in content
    assert [event["event"] for event in sealed.events.read()] == ["asked", "shown", "asked", "chosen"]
    other = Shop(tmp_path / "db", Space(), sessions=tmp_path / "kept", sealer=Box(9))
    with pytest.raises(InputError, match="another key"):
        other.ask("cheaper", session="anna")
    plain = Shop(tmp_path / "db", Space(), sessions=tmp_path / "kept")
    with pytest.raises(InputError, match="no key was given"):
        plain.ask("cheaper", session="anna")
    assert sealed.forget("anna") == (True, 4)
    assert list(sealed.events.read()) == []
    assert sealed.ask("hello", session="anna").questions


def test_events_hold_neither_pictures_nor_words(shop: Shop, tmp_path: Path) -> None:
    shop.ask("something like this for my wedding in Kent", photo=swatch(tmp_path / "s.png", (200, 30, 40)))
    content = shop.events.file.read_text()
    assert "wedding" not in content
    assert "vector" not in content
    assert max(map(len, content.split("\n"))) < 2000


KILLED = """
import sys
from tests.search.synthetic_media import Space
from tutti.apps.shop import Shop
shop = Shop(sys.argv[1], Space())
turns = ["lipsticks", "under 20", "any price", "in pink", "any colour"]
number = 0
while True:
    answer = shop.ask(turns[number % len(turns)])
    number += 1
    print(answer.turn, flush=True)
"""


def test_a_session_survives_being_killed(shop: Shop, tmp_path: Path) -> None:
    last = 0
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "db")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        ) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(5)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout.read().split() if line.isdigit()]
        assert told[0] >= last + 1
        last = told[-1]
    answer = shop.ask("bags")
    assert answer.turn > last
    assert all(event["event"] in ("asked", "shown") for event in shop.events.read())


def test_a_torn_event_is_passed_over(shop: Shop) -> None:
    shop.ask("bags")
    with shop.events.file.open("ab") as file:
        file.write(b'{"event": "asked", "sess')
    shop.ask("under 30")
    assert [event["event"] for event in shop.events.read()] == ["asked", "shown", "asked", "shown"]


def test_figures_and_two_settings_compared(shop: Shop) -> None:
    for number in range(12):
        shop.ask("lipsticks", session=f"s{number}")
        shop.chosen("L1", session=f"s{number}")  # out of stock, and the second cheapest
    shop.ask("bags", session="other")
    found = figures(shop.events.read())
    assert (found["sessions"], found["turns"], found["sessions_that_chose"]) == (13, 13, 12)
    in_stock, cheap = ShopSetting(words=0, stock=50, top=2), ShopSetting(words=0, stock=0, price=50, top=2)
    result: dict[str, Any] = simulate(shop, in_stock, cheap)
    assert (result["first"], result["second"], result["neither"]) == (0, 12, 0)
    assert result["advantage"]["low"] > 0.9
    assert result["p_value"] < 0.01
    same: dict[str, Any] = simulate(shop, cheap, cheap)
    assert abs(same["advantage"]["mean"]) < 0.3
    assert simulate(shop, in_stock, in_stock)["neither"] == 12
    with pytest.raises(InputError, match="no product"):
        shop.chosen("L99")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Here you are: (L0) costs 9.90 EUR and is in stock. (L2) costs 19.90 EUR.", True),
        ("L0 costs 8.90 EUR.", False),
        ("L0 costs 19.90 EUR.", False),
        ("L0 is waterproof.", False),
        ("L1 is in stock.", False),
        ("L1 is out of stock.", True),
        ("L7 costs 9.90 EUR.", False),
        ("All of these are in stock.", False),
        ("They cost 9.90 EUR.", False),
        ("L0 and L2 cost 9.90 EUR.", False),
        ("L0 is red, velvet lipstick.", True),
    ],
)
def test_a_wording_is_held_to_the_facts(shop: Shop, text: str, kept: bool) -> None:
    answer = shop.ask("lipsticks by Acme or Belle", session=str(abs(hash(text))))
    assert {offer.id for offer in answer.offers} >= {"L0", "L1", "L2"}
    assert keeps_to_facts(text, answer.text, answer.offers) is kept


def test_a_model_words_the_answer_only_with_facts(tmp_path: Path) -> None:
    speaker = Speaker(says="Yes: (L0) costs 9.90 EUR.")
    made = Shop(tmp_path / "db", speaker, responder=speaker)
    made.catalogue.update(feed(tmp_path / "feed.jsonl"))
    assert made.ask("red lipsticks under 12").text == "Yes: (L0) costs 9.90 EUR."
    speaker.says = "(L0) costs 5.00 EUR and comes with a free bag."
    assert made.ask("lipsticks by Acme", session="other").text.startswith("2 products fit")


@pytest.mark.parametrize(
    ("turn", "photo", "expected"),
    [("", None, "empty"), ("x" * 2000, None, "1,000"), ("this", "missing.png", "missing")],
)
def test_bad_turns_are_refused(shop: Shop, turn: str, photo: str | None, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        shop.ask(turn, photo=photo)


def test_an_index_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    from tutti.search import Index

    (tmp_path / "notes.txt").write_text("words")
    Index(tmp_path / "db", Space()).add(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="no catalogue"):
        Shop(tmp_path / "db", Space()).ask("bags")
