"""What a request may cost and what it has cost, by the book."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tutti.content import Image, Message, Usage
from tutti.errors import InputError
from tutti.interfaces import Prices
from tutti.media import Limits
from tutti.pricing.prices import Price, PriceBook
from tutti.pricing.tariff import Tariff

PRICE = Price(
    name="x:y",
    input=2.0,
    output=10.0,
    read=date(2026, 1, 1),
    source="none",
    image={"rule": "tiles", "base": 85, "tile": 170},
)
TARIFF = Tariff(PriceBook(models={"x:y": PRICE}, machines={}), Limits())


def test_an_estimate_has_media_words_and_the_longest_answer() -> None:
    conversation = [Message.user(Image(np.zeros((512, 512, 3), np.uint8)), "w" * 40)]
    tokens = 85 + 170 + 10
    assert TARIFF.estimate("x:y", conversation, 100) == pytest.approx((2 * tokens + 10 * 100) / 1e6)
    assert isinstance(TARIFF, Prices)


def test_a_cost_is_what_the_provider_counted() -> None:
    assert TARIFF.cost("x:y", Usage(prompt_tokens=1000, completion_tokens=10)) == pytest.approx(0.0021)


def test_without_a_price_nothing_is_told() -> None:
    with pytest.raises(InputError, match="No price is known for x:z"):
        TARIFF.cost("x:z", Usage())
