"""The price book: every row has its day and its source, wrong rows are told at once, and old ones warn."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tutti.content import Usage
from tutti.errors import InputError
from tutti.pricing.prices import Price, read_prices, stale
from tutti.pricing.tokens import image_tokens


def test_every_row_has_its_day_and_source_and_a_rule_that_works() -> None:
    book = read_prices()
    assert len(book.models) > 10
    for row in (*book.models.values(), *book.machines.values()):
        assert row.read <= date(2026, 11, 25)
        assert len(row.source) > 20
    for price in book.models.values():
        assert price.output > price.input > 0
        if price.image:
            assert image_tokens(price.image, 640, 480) > 0


def test_cost_of_usage() -> None:
    price = Price(
        name="m", input=2.0, cached=0.5, audio=4.0, output=10.0, read=date(2026, 1, 1), source="s",
        long={"above": 1000, "input": 4.0, "output": 20.0},
    )  # fmt: skip
    assert price.cost_usd(Usage(prompt_tokens=600, completion_tokens=100)) == pytest.approx((1200 + 1000) / 1e6)
    assert price.cost_usd(Usage(prompt_tokens=600, cached_tokens=200)) == pytest.approx((800 + 100) / 1e6)
    assert price.cost_usd(Usage(prompt_tokens=600, audio_tokens=100)) == pytest.approx((1000 + 400) / 1e6)
    assert price.cost_usd(Usage(prompt_tokens=1001, completion_tokens=1)) == pytest.approx((4004 + 20) / 1e6)
    assert price.cost_usd(Usage(prompt_tokens=1001, cached_tokens=1)) == pytest.approx((4000 + 1) / 1e6)


def test_a_price_past_ninety_days_warns() -> None:
    price = Price(name="m", input=1, output=2, read=date(2026, 1, 1), source="https://x")
    assert stale(price, date(2026, 4, 1)) is None
    warning = stale(price, date(2026, 4, 2))
    assert warning == "The price of m was read 91 days ago, on 2026-01-01; look it up again: https://x"


def test_own_prices_stand_beside_and_in_the_place_of_others(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('[models."openai:gpt-4o"]\ninput = 1\noutput = 2\nread = 2026-11-25\nsource = "contract"\n')
    book = read_prices(file)
    assert book.price("openai:gpt-4o").input == 1
    assert book.price("openai:gpt-4o-mini").input == 0.15
    with pytest.raises(InputError, match=r"No price is known for openai:gpt-9; add a row"):
        book.price("openai:gpt-9")
    with pytest.raises(InputError, match=r"No price is known for gpt-4o-mini; perhaps you meant openai:gpt-4o-mini\.$"):
        book.price("gpt-4o-mini")
    with pytest.raises(InputError, match="No price is known for the machine 'z80'"):
        book.machine("z80")


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    good = "read = 2026-11-25\nsource = 's'\noutput = 1\n"
    file.write_text(
        f"[others]\na = 1\n[models.a]\n{good}[models.b]\ninput = -1\n{good}[models.c]\ninput = 1\nmagic = 2\n{good}"
        "[models.d]\ninput = 1\noutput = 1\nread = '2026'\nsource = 's'\n[machines.e]\nusd_per_hour = nan\n"
        "read = 2026-11-25\nsource = 's'\n"
    )
    with pytest.raises(InputError) as caught:
        read_prices(file)
    message = str(caught.value)
    assert "has 6 problems" in message
    for one in ("unknown table 'others'", "models.a: there is no input", "models.b: input is -1", "models.c: unknown",
                "models.d: read is '2026'", "machines.e: usd_per_hour is nan"):  # fmt: skip
        assert one in message
    file.write_text("[")
    with pytest.raises(InputError, match="is not TOML"):
        read_prices(file)
