"""Numbers as feeds write them, and the row that keeps a column from being numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutti.search.ingest.feed import read_feed
from tutti.search.ingest.feed_columns import columns_of
from tutti.search.ingest.walk import ItemSource


def read(cells: list[object]) -> list[object]:
    columns = columns_of({"x": cell} for cell in cells)
    return [columns.read("x", cell) for cell in cells]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["9", "9.5", "-3", "", None, ".5", "0.5", " 7 "], [9.0, 9.5, -3.0, None, None, 0.5, 0.5, 7.0]),
        (["899.00", "1,299.00", "12,345,678"], [899.0, 1299.0, 12345678.0]),
        (["1,299", "899"], [1299.0, 899.0]),
        (["19,90", "1.299,00", "5"], [19.9, 1299.0, 5.0]),
        (["19,90", "1.299"], [19.9, 1299.0]),
        (["1 299,50", "1\u00a0299,50", "1\u202f299,50", "1'299,50"], [1299.5] * 4),
        ([9, "1,299.00", 2.5], [9.0, 1299.0, 2.5]),
        ([True, False], [True, False]),
        (["007", "008"], ["007", "008"]),
        (["1e5", "2e5"], ["1e5", "2e5"]),
        (["nan", "1"], ["nan", "1"]),
        (["12,34", "a"], ["12,34", "a"]),
        (["1,29,9", "1,299"], ["1,29,9", "1,299"]),
        (["\u0661\u0662", "1"], ["\u0661\u0662", "1"]),
        (["red", 3, {"a": 1}], ["red", "3", '{"a": 1}']),
        (["- 5", "--5"], ["- 5", "--5"]),
    ],
)
def test_a_column_is_read_in_one_way(cells: list[object], expected: list[object]) -> None:
    assert read(cells) == expected


@pytest.mark.parametrize(
    ("cells", "remark"),
    [
        (["1", "2,000.50", "3", "call us"], "row 4 holds 'call us', and 3 of 4 rows hold numbers"),
        (["1.5", "2.5", "19,90", "1.25"], "its rows write numbers in several ways"),
    ],
)
def test_what_keeps_a_column_from_being_numbers_is_named(cells: list[object], remark: str) -> None:
    (found,) = columns_of({"price": cell} for cell in cells).remarks
    assert found.startswith("The column 'price' is text and cannot be compared by size: ")
    assert remark in found


@pytest.mark.parametrize("cells", [["red", "blue", "3"], ["1", "2"], ["A1", "B2"], [None, ""]])
def test_a_column_of_words_or_numbers_needs_no_remark(cells: list[object]) -> None:
    assert columns_of({"x": cell} for cell in cells).remarks == ()


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_feed_with_a_mark_and_odd_separators(tmp_path: Path, ending: str) -> None:
    title, prices = "a\u2028b\x85c", ["1,299.00", "899.00"]
    if ending == "jsonl":
        rows = [json.dumps({"sku": i, "title": title, "price": p}, ensure_ascii=False) for i, p in enumerate(prices)]
    else:
        comma = "," if ending == "csv" else "\t"
        rows = [comma.join(("sku", "title", "price"))]
        rows += [comma.join((str(i), f'"{title}"', f'"{p}"')) for i, p in enumerate(prices)]
    (tmp_path / f"feed.{ending}").write_bytes(b"\xef\xbb\xbf" + "\n".join(rows).encode() + b"\n")
    said: list[str] = []
    sources = list(read_feed(tmp_path / f"feed.{ending}", remark=said.append))
    assert [source.columns["price"] for source in sources if isinstance(source, ItemSource)] == [1299.0, 899.0]
    assert {source.columns["title"] for source in sources if isinstance(source, ItemSource)} == {title}
    assert said == []
