"""Catalogues: rows of every format, prices, what is broken, and prices and stock refreshed without embedding again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.search.synthetic_media import Space, picture
from tutti.errors import InputError
from tutti.search.catalogue.assortment import kind_heads
from tutti.search.catalogue.catalogue import Catalogue
from tutti.search.catalogue.feed_rows import feed_rows
from tutti.search.catalogue.money import Money, parse_money
from tutti.search.catalogue.products import product_of

ROWS = [
    {"id": "A1", "title": "Red shirt", "price": "19.99 EUR", "availability": "in_stock", "image_link": "a.png"},
    {"id": "A2", "title": "Blue shirt", "price": "24.00 EUR", "availability": "out_of_stock", "item_group_id": "A"},
    {"id": "A3", "title": "Blue shirt", "price": "24.00 EUR", "availability": "preorder", "item_group_id": "A"},
]


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, delimiter="\t" if path.suffix == ".tsv" else ",")
        table.writeheader()
        table.writerows(rows)
    return path


def xml(items: list[dict[str, str]], *, end: str = "</channel></rss>", head: str = "") -> str:
    inside = "".join(
        "<item>" + "".join(f"<g:{name}>{value}</g:{name}>" for name, value in item.items()) + "</item>"
        for item in items
    )
    return (
        f'<?xml version="1.0"?>{head}<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>'
        f"<title>A shop</title>{inside}{end}"
    )


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("19.99 EUR", None, Money(19.99, "EUR")),
        ("EUR 1.299,00", None, Money(1299.0, "EUR")),
        ("€5", None, Money(5.0, "EUR")),
        ("$1,299.50", None, Money(1299.5, "USD")),
        ("$20", "CAD", Money(20.0, "CAD")),
        ("1,299", "USD", Money(1299.0, "USD")),
        ("0.999 KWD", None, Money(0.999, "KWD")),
        ("12", "GBP", Money(12.0, "GBP")),
    ],
)
def test_prices(text: str, currency: str | None, expected: Money) -> None:
    assert parse_money(text, currency) == expected


@pytest.mark.parametrize(
    "text", ["", "free", "-3 EUR", "12 EURO", "12 XXX", "12", "EUR 12 USD", "1,2,3.4 EUR", "1e3 EUR"]
)
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(InputError):
        parse_money(text)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    tables = [written(tmp_path / name, ROWS) for name in ("feed.csv", "feed.tsv")]
    lines = tmp_path / "feed.jsonl"
    lines.write_text("\n".join(map(json.dumps, ROWS)))
    parquet.write_table(
        pa.Table.from_pylist([{"item_group_id": None, **row} for row in ROWS]), tmp_path / "feed.parquet"
    )
    (tmp_path / "feed.xml").write_text(xml(ROWS))
    entries = xml(ROWS).replace("item>", "entry>").replace("channel>", "feed2>")
    (tmp_path / "atom.xml").write_text(entries)
    names = [tmp_path / name for name in ("feed.parquet", "feed.xml", "atom.xml")]
    expected = [product_of(row) for row in ROWS]
    for path in (*tables, lines, *names):
        assert [product_of(row.cells) for row in feed_rows(path)] == expected, path.name


def test_a_broken_row_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [
        *ROWS[1:],
        {"id": "B1", "title": "No price"},
        {"id": "B2", "title": "Odd", "price": "3 EURO"},
        {"id": "A2", "title": "Twice", "price": "3 EUR"},
        {"title": "No id", "price": "3 EUR"},
        {"id": "B3", "title": "Odd stock", "price": "3 EUR", "availability": "perhaps"},
        {"id": "B4", "title": "Outside", "price": "3 EUR", "image_link": "../../etc/passwd"},
        {"id": "B5", "title": "Not there", "price": "3 EUR", "image_link": "gone.png"},
    ]
    path = written(tmp_path / "feed.csv", rows)
    with path.open("ab") as file:
        file.write(b"C1,\xff\xfe,3 EUR,,,\nC2,x,3 EUR,,,,,,\nZ1,Last,3 EUR,,,\n")
    catalogue = Catalogue(tmp_path / "db", Space())
    report = catalogue.update(path)
    assert report.added == 3
    assert [broken.item for broken in report.broken] == [
        *("row 3 (B1)", "row 4 (B2)", "row 5 (A2)", "row 6", "row 7 (B3)", "row 8 (B4)", "row 9 (B5)"),
        *("row 10 (C1)", "row 11 (C2)"),
    ]
    assert {product.id for product in catalogue.assortment().products} == {"A2", "A3", "Z1"}


def test_prices_and_stock_change_without_embedding(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", "red")
    space = Space()
    catalogue = Catalogue(tmp_path / "db", space)
    assert catalogue.update(written(tmp_path / "feed.csv", ROWS)).added == 3
    embedded = sum(space.calls)
    cheaper = [ROWS[0] | {"price": "9.99 EUR", "availability": "out_of_stock"}, *ROWS[1:]]
    report = catalogue.update(written(tmp_path / "feed.csv", cheaper))
    assert (report.refreshed, report.unchanged, report.replaced) == (1, 2, 0)
    assert sum(space.calls) - embedded <= 2  # the word by which the space's size is told
    product = catalogue.assortment().products[catalogue.assortment().by_id["A1"]]
    assert (product.price, product.availability) == (Money(9.99, "EUR"), "out of stock")
    report = catalogue.update(written(tmp_path / "feed.csv", [cheaper[0] | {"title": "Crimson shirt"}, *ROWS[1:]]))
    assert (report.replaced, report.unchanged) == (1, 2)


def test_what_the_feed_lacks_is_withdrawn_unless_it_is_partial(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "db", Space())
    rows = [{name: row[name] for name in ("id", "title", "price")} for row in ROWS]
    catalogue.update(written(tmp_path / "feed.csv", rows))
    assert catalogue.update(written(tmp_path / "feed.csv", rows[:2]), partial=True).withdrawn == 0
    assert catalogue.update(written(tmp_path / "feed.csv", rows[:2])).withdrawn == 1
    assert len(catalogue.assortment()) == 2
    catalogue.update(written(tmp_path / "feed.csv", rows))
    assert len(catalogue.assortment()) == 3


def test_a_feed_that_is_cut_off_withdraws_nothing(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("id", "title", "price")} for row in ROWS]
    catalogue = Catalogue(tmp_path / "db", Space())
    (tmp_path / "feed.xml").write_text(xml(rows))
    assert catalogue.update(tmp_path / "feed.xml").added == 3
    (tmp_path / "feed.xml").write_text(xml(rows[:1], end="<item><g:id>A2</g:i"))
    report = catalogue.update(tmp_path / "feed.xml")
    assert report.withdrawn == 0
    assert "breaks off" in report.broken[0].reason
    assert len(catalogue.assortment()) == 3


def test_a_feed_that_is_hostile_or_empty_is_refused(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "db", Space())
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    for name, content, expected in [
        ("bomb.xml", xml(ROWS, head=bomb), "entities"),
        ("file.xml", xml(ROWS, head='<!DOCTYPE x SYSTEM "file:///etc/passwd">'), "document type"),
        ("text.xml", "id,title", "not XML"),
        ("empty.csv", "", "no product"),
        ("header.csv", "id,title,price\n", "no product"),
        ("none.csv", "id,title,price\n1,A,3\n", "names no currency"),
        ("odd.pdf", "x", "no catalogue"),
    ]:
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=expected):
            catalogue.update(tmp_path / name)
    with pytest.raises(InputError, match="not a file"):
        catalogue.update(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="has no catalogue; make one with: tutti shop update"):
        catalogue.assortment()


def test_pictures_that_are_addresses_are_not_fetched(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"image_link": "http://127.0.0.1:9/a.jpg"}, *ROWS[1:]]
    report = Catalogue(tmp_path / "db", Space()).update(written(tmp_path / "feed.csv", rows))
    assert (report.added, report.without_picture) == (3, 1)


def test_tenants_have_catalogues_of_their_own(tmp_path: Path) -> None:
    space = Space()
    for tenant, row in (("anna", ROWS[1]), ("ben", ROWS[2])):
        Catalogue(tmp_path / "db", space, tenant=tenant).update(written(tmp_path / f"{tenant}.csv", [row]))
    for tenant, expected in (("anna", "A2"), ("ben", "A3")):
        assert list(Catalogue(tmp_path / "db", space, tenant=tenant).assortment().by_id) == [expected]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(12345.67, 12345.67), (99999.95, 99999.95), (1.459, 1.459), (1299.0, 1299.0), (1234567.0, 1234567.0), (7, 7.0)],
)
def test_a_price_that_is_a_number_keeps_all_its_digits(cell: float, expected: float) -> None:
    row = {"id": 4006381333931.0, "title": "Ring", "price": cell, "currency": "EUR"}
    product = product_of(row)
    assert (product.id, product.price) == ("4006381333931", Money(expected, "EUR"))


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("", 5.0),
        ("2020-02-24T11:07+0100/2020-02-29T23:07+0100", 9.0),
        ("2020-02-24T11:07Z/2999-01-01T00:00Z", 5.0),
        ("2999-01-01/2999-02-01", 9.0),
    ],
)
def test_a_sale_price_holds_between_its_dates(dates: str, expected: float) -> None:
    row = {"id": "1", "title": "Cup", "price": "9 EUR", "sale_price": "5 EUR", "sale_price_effective_date": dates}
    assert product_of(row).price == Money(expected, "EUR")


def test_dates_of_a_sale_that_cannot_be_read_are_refused() -> None:
    row = {"id": "1", "title": "Cup", "price": "9 EUR", "sale_price": "5 EUR", "sale_price_effective_date": "soon"}
    with pytest.raises(InputError, match="'soon'; expected two"):
        product_of(row)


@pytest.mark.parametrize(("mark", "coding"), [(";", "utf-8"), ("\t", "utf-8"), ("|", "utf-8"), (";", "utf-16")])
def test_a_table_is_parted_as_its_header_is(tmp_path: Path, mark: str, coding: str) -> None:
    lines = ["id;title;price", "A;Käse, jung;1.299,50 EUR", 'B;"Zwei; drei";3 EUR']
    (tmp_path / "feed.csv").write_text("\n".join(lines).replace(";", mark), encoding=coding)
    found = [product_of(row.cells) for row in feed_rows(tmp_path / "feed.csv")]
    assert [(one.id, one.title, one.price.amount) for one in found] == [
        ("A", "Käse, jung", 1299.5),
        ("B", " ".join(f"Zwei{mark} drei".split()), 3.0),
    ]


@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_a_mark_that_is_not_closed_takes_no_rows_in(tmp_path: Path, place: int) -> None:
    rows = [f"P{number}\tThing {number}\t{number} EUR\tfine" for number in range(1, 6)]
    rows[place] = rows[place].replace("fine", '"fine')
    (tmp_path / "feed.tsv").write_text("\n".join(["id\ttitle\tprice\tdescription", *rows]) + "\n")
    assert [product_of(row.cells).id for row in feed_rows(tmp_path / "feed.tsv")] == ["P1", "P2", "P3", "P4", "P5"]


def test_two_marks_far_apart_take_no_rows_in_and_texts_of_lines_stay_whole(tmp_path: Path) -> None:
    text = (
        'id,title,price\nA,"Cup,\nblue\n\nand red",1 EUR\nB,"Pot,2 EUR\nC,Pan,3 EUR\nD,Lid",4 EUR\nE,"a ""b""",5 EUR\n'
    )
    (tmp_path / "feed.csv").write_text(text)
    rows = list(feed_rows(tmp_path / "feed.csv"))
    assert [(row.cells.get("id"), row.fault is None) for row in rows] == [
        *(("A", True), ("B", True), ("C", True), ("D", True), ("E", True)),
    ]
    assert rows[0].cells["title"] == "Cup,\nblue\n\nand red"


def test_a_mark_that_is_never_closed_in_a_large_table_loses_one_row(tmp_path: Path) -> None:
    rows = ['0,"Thing, 3 EUR, x', *(f"{number},Thing {number},{number} EUR" for number in range(1, 12_000))]
    (tmp_path / "feed.csv").write_text("\n".join(["id,title,price", *rows]))
    found = list(feed_rows(tmp_path / "feed.csv"))
    assert [row.number for row in found if row.fault] == [1]
    assert len(found) == 12_000


def test_mark_up_in_a_text_is_left_out(tmp_path: Path) -> None:
    told = {"id": "1", "price": "3 EUR", "description": "For <b>large</b> dogs"}
    (tmp_path / "feed.xml").write_text(
        xml([told | {"title": "Bowl &amp;amp; stand", "shipping": "<g:price>1 EUR</g:price>"}])
    )
    product = product_of(next(iter(feed_rows(tmp_path / "feed.xml"))).cells)
    assert (product.title, product.description) == ("Bowl & stand", "For large dogs")
    assert product_of({"id": "1", "title": "a < b", "price": "3 EUR"}).title == "a < b"


@pytest.mark.parametrize(
    ("title", "head"),
    [("Chromecast with Google TV", "chromecast"), ("Dog Bowl In Blue & Grey", "bowl"), ("Cup - brown", "cup"),
     ("In stock shirt", "shirt"), ("Stoneware cups (4)", "cup")],
)  # fmt: skip
def test_a_title_says_what_a_thing_is_before_it_says_how(title: str, head: str) -> None:
    assert kind_heads(product_of({"id": "1", "title": title, "price": "3 EUR"})) == [head]
