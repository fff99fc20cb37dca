"""What of the lines in a picture answers a question, on lines laid out here."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tutti.content import TextLine
from tutti.providers.quoting import claims, kind_asked, quote, rows_of


def line(text: str, left: float, top: float, height: float = 20, width: float | None = None) -> TextLine:
    return TextLine(text=text, box=(left, top, left + (width or 10 * len(text)), top + height), confidence=0.9)


RECEIPT = [
    line("Blue Door Coffee", 40, 10, 40, 400),
    line("12 Harbour Street", 60, 60),
    line("Tel: 415 555 0199", 60, 90),
    line("2024-03-09", 60, 120),
    line("18:22", 300, 122),
    line("Flat white", 20, 160),
    line("4.50", 400, 162),
    line("Almond croissant", 20, 190),
    line("5.25", 400, 191),
    line("Subtotal", 20, 220),
    line("9.75", 400, 221),
    line("Tax", 20, 250),
    line("0.90", 400, 251),
    line("Total", 20, 280),
    line("$10.65", 400, 282),
    line("Thank you for coming, see you again soon", 20, 320),
    line("we are open every day of the week but on holidays", 20, 350),
]


def near(question: str, texts: Sequence[str]) -> list[float]:
    return [0.0] * len(texts)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the total?", "“Total $10.65”"),
        ("How much was spent in all?", "“Total $10.65”"),
        ("Which shop is it from?", "“Blue Door Coffee”"),
        ("On what day was it issued? I need the date.", "“2024-03-09 18:22”"),
        ("How much did the croissant cost?", "“Almond croissant 5.25”"),
        ("What is the price of the flat white?", "“Flat white 4.50”"),
        ("What is the phone number?", "“Tel: 415 555 0199”"),
        ("What is the address?", "“12 Harbour Street”"),
    ],
)
def test_the_row_that_was_asked_for_is_quoted(question: str, answer: str) -> None:
    found = quote(question, RECEIPT, near)
    assert found is not None
    assert found.text == answer


def test_short_texts_are_quoted_whole_and_long_ones_by_what_is_near() -> None:
    sign = [line("NO PARKING", 10, 10, 40), line("Mon-Fri", 200, 62), line("8 - 18 h", 10, 60)]
    found = quote("What does it say?", sign, near)
    assert found is not None
    assert found.whole
    assert found.text == "“NO PARKING 8 - 18 h Mon-Fri”"
    long = quote("Anything about opening?", RECEIPT, lambda _, texts: [float("open" in text) for text in texts])
    assert long is not None
    assert not long.whole
    assert "every day of the week" in long.text
    assert quote("What does it say?", [], near) is None


def test_what_lies_over_another_line_is_read_once() -> None:
    twice = [line("the ship", 100, 50, 30, 120), line("galleries at the ship", 10, 48, 34, 230)]
    assert [row.text for row in rows_of(twice)] in (["galleries at the ship"], ["the ship"])
    assert len(rows_of(twice)) == 1


def test_claims_say_where_each_line_stands() -> None:
    (row, *_) = rows_of(RECEIPT)
    (claim,) = claims([row], "receipt.jpg")
    assert claim.text == "Blue Door Coffee"
    assert claim.evidence == "read in receipt.jpg at (40, 10, 440, 50), confidence 0.90"


def test_kinds_of_lines_are_told_by_the_question() -> None:
    assert kind_asked("What does it say?") is None
    assert kind_asked("How much is it?") == "total"
    assert kind_asked("How much is the latte?") == "price"
    assert kind_asked("What is the e-mail address?") == "mail"
