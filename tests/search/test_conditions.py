"""Conditions: what is a condition is written anew, and nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutti.errors import InputError
from tutti.search.table.conditions import condition

COLUMNS = ("price", "stock", "name", "colours")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("price < 50 and stock > 0", "(`price` < 50 AND `stock` > 0)"),
        ("not (price in (1, 2.5) or name like '%it''s%')", "(NOT ((`price` IN (1, 2.5) OR `name` LIKE '%it''s%')))"),
        (
            "colours has 'blue' AND price between -1 and 2e3",
            "(array_has(`colours`, 'blue') AND `price` BETWEEN -1 AND 2e3)",
        ),
        ('name is not null or "price" <> 3', "(`name` IS NOT NULL OR `price` != 3)"),
        ("name not in ('a') and stock = true", "(`name` NOT IN ('a') AND `stock` = TRUE)"),
    ],
)
def test_conditions_are_written_anew(typed: str, written: str) -> None:
    assert condition(typed, COLUMNS) == written


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "prize < 3",
            r"^There is no column 'prize', perhaps you meant 'price'; the database has: colours, name, price, stock\.$",
        ),
        ("price < 3; drop table items", r"^The condition has ';' at character 10, which is no part of one;"),
        ("price < 3 -- all", r"^The condition has '-' at character 11, which is no part of one;"),
        ("price < 3 /* x */", r"^The condition has '/' at character 11"),
        ("1 = 1", r"^The condition has '1' at character 1; expected the name of a column"),
        ("price < 3) or (true", r"^The condition has '\)' at character 10; expected the end, AND or OR"),
        ("price = (select 1)", r"^The condition has '\(' at character 9; expected a number or 'text' in single quotes"),
        ("lower(name) = 'a'", r"^There is no column 'lower'"),
        ("price = stock", r"^The condition has 'stock' at character 9; expected a number or 'text'"),
        ("name = 'open", r"^The condition has \"'\" at character 8, which is no part of one;"),
        ("price <", r"^The condition 'price <' ends too early; expected a number or 'text'\.$"),
        ("", r"^The condition is empty;"),
        ("(" * 60 + "price = 1" + ")" * 60, r"nests more than 50 deep"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        condition(typed, COLUMNS)


@given(st.text(alphabet="price stockname'()=<>;-*/\"`,.01anodritlkeb\n%_\\", max_size=40))
def test_whatever_gets_through_is_closed_in_itself(typed: str) -> None:
    try:
        written = condition(typed, COLUMNS)
    except InputError:
        return
    outside = "".join(written.split("'")[::2])  # what stands outside of texts
    assert written.count("'") % 2 == 0
    assert not any(sign in outside for sign in (";", "--", "/*"))
    depth = 0
    for place, sign in enumerate(outside):
        depth += (sign == "(") - (sign == ")")
        assert depth > 0 or place == len(outside) - 1
