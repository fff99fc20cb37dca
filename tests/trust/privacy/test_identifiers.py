"""Words that identify: each kind found where it stands, checksums kept, and what only looks alike left alone."""

from __future__ import annotations

import pytest

from tutti.content import TextLine
from tutti.trust.privacy.checksums import is_card, is_iban
from tutti.trust.privacy.identifiers import find_identifiers
from tutti.trust.privacy.speech import redact_text
from tutti.trust.privacy.words import identifying_boxes

NAMES = ("Jane Doe", "Zoë Müller-Lüdenscheidt")
FOUND = [
    ("write to jane.doe+x@mail.example.org now", "email", "jane.doe+x@mail.example.org"),
    ("jane.doe @ example . org", "email", "jane.doe @ example . org"),
    ("it is jane at example dot com", "email", "jane at example dot com"),
    ("IBAN DE89 3704 0044 0532 0130 00 please", "iban", "DE89 3704 0044 0532 0130 00"),
    ("GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
    ("DE89 37O4 OO44 O532 O13O OO", "iban", "DE89 37O4 OO44 O532 O13O OO"),
    ("card 4111 1111 1111 1111 exp 12/30", "card", "4111 1111 1111 1111"),
    ("5500-0055-5555-5559", "card", "5500-0055-5555-5559"),
    ("call +49 (0)30 901820 today", "phone", "+49 (0)30 901820"),
    ("030 / 90 18 20", "phone", "030 / 90 18 20"),
    ("555-867-5309", "phone", "555-867-5309"),
    ("Tel: 901 820", "phone", "Tel: 901 820"),
    ("born 12 March 1980 in X", "birth_date", "12 March 1980"),
    ("DOB: 1980-03-12", "birth_date", "1980-03-12"),
    ("Geburtsdatum\n12.03.1980", "birth_date", "12.03.1980"),
    ("a B-MW 1234 in the yard", "plate", "B-MW 1234"),
    ("CFA 7360", "plate", "CFA 7360"),
    ("AB12 CDE", "plate", "AB12 CDE"),
    ("AA-229-AA", "plate", "AA-229-AA"),
    ("Dear Mrs DOE,", "name", "DOE"),
    ("zoe was here", "name", "zoe"),
    ("Ludenscheldt", "name", "Ludenscheldt"),
]


@pytest.mark.parametrize(("text", "kind", "words"), FOUND, ids=[words for _, _, words in FOUND])
def test_each_kind_is_found_where_it_stands(text: str, kind: str, words: str) -> None:
    found = find_identifiers(text, NAMES)
    assert [(one.kind, text[one.start : one.end].strip()) for one in found] == [(kind, words)]


@pytest.mark.parametrize(
    "text",
    [
        "DE88 3704 0044 0532 0130 00 is no IBAN by its sum",
        "total 12.50 EUR 1000",
        "on 12.03.2026 at 14:30",
        "a janitor and a door",
        "version 3.11.7",
        "1920 x 1080",
    ],
)
def test_what_looks_alike_is_left(text: str) -> None:
    assert [one.kind for one in find_identifiers(text, NAMES) if one.kind != "phone"] == []


def test_checksums_catch_every_changed_digit() -> None:
    iban, card = "DE89370400440532013000", "4111111111111111"
    assert is_iban(iban) and is_card(card)
    for place in range(2, len(iban)):
        assert not is_iban(iban[:place] + str((int(iban[place]) + 1) % 10) + iban[place + 1 :])
    for place in range(1, len(card)):
        assert not is_card(card[:place] + str((int(card[place]) + 1) % 10) + card[place + 1 :])


def test_a_line_is_covered_where_the_words_stand() -> None:
    line = TextLine(text="mail to jane@example.org or come by one of these days", box=(0, 0, 530, 20), confidence=1)
    (found,) = identifying_boxes([line])
    left, top, right, bottom = found.box
    assert found.kind == "email"
    assert 30 < left < 85 and 230 < right < 320
    assert top < 0 and bottom > 20
    (whole,) = identifying_boxes([line], whole=True)
    assert whole.box[0] < 0 and whole.box[2] > 530


def test_a_date_on_the_line_after_the_word_birth_is_covered() -> None:
    lines = [
        TextLine(text="Date of birth:", box=(0, 0, 100, 20), confidence=1),
        TextLine(text="12.03.1980", box=(120, 0, 200, 20), confidence=1),
    ]
    (found,) = identifying_boxes(lines)
    assert found.kind == "birth_date" and found.box[0] < 120 and found.box[2] > 200


def test_text_is_written_without_what_identifies() -> None:
    text, kinds = redact_text("Jane Doe, jane@example.org, DE89 3704 0044 0532 0130 00.", NAMES)
    assert text == "[name] [name], [email], [iban]."
    assert kinds == ["name", "name", "email", "iban"]
