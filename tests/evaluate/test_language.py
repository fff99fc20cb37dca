"""Words and normal forms, script by script; numbers in digits and in words."""

from __future__ import annotations

import unicodedata

import pytest

from tutti.evaluate.captions import Consensus
from tutti.evaluate.hallucination import Truth, asserts, check
from tutti.evaluate.language import holds, normalized, numbers_in, words
from tutti.evaluate.metrics import Said, score
from tutti.evaluate.numerals import in_digits, number_of
from tutti.evaluate.suite import Annotation, Case

DIFFERENT = {
    "Hindi": ("की", "का"),
    "Hindi with a virama": ("कर्म", "करम"),
    "Bengali": ("কি", "কা"),
    "Tamil": ("கா", "கி"),
    "Tamil with a pulli": ("தமிழ்", "தமிழ"),
    "Thai": ("ไม้", "ไม่"),
    "Lao": ("ບໍ່", "ບ່າ"),
    "Burmese": ("ကို", "ကာ"),
    "Khmer": ("កា", "កី"),
    "Arabic": ("كَتَبَ", "كُتِبَ"),
    "Hebrew": ("דָּבָר", "דֶּבֶר"),
    "Korean": ("가", "각"),
    "French": ("côté", "côte"),
    "Turkish": ("kapı", "kapi"),
    "German": ("Masse", "Maße ist"),
    "a dog and a cat": ("🐶", "🐱"),
    "signs": ("+", "×"),
    "a sign before a number": ("-5", "5"),
}
SAME = {
    "Korean jamo": ("한국", unicodedata.normalize("NFD", "한국")),
    "a marked letter in two forms": ("é", "e\N{COMBINING ACUTE ACCENT}"),
    "Hindi in two forms": ("क़", "क\N{DEVANAGARI SIGN NUKTA}"),
    "German ß": ("STRASSE", "Straße"),
    "Turkish capitals": ("İstanbul", "istanbul"),
    "Greek final sigma": ("ΟΔΟΣ", "οδος"),
    "Cyrillic capitals": ("МОСКВА", "москва"),
    "Arabic presentation forms": ("ﻛﺘﺎﺏ", "كتاب"),
    "wide letters": ("ＡＢＣ", "abc"),
    "a joiner in Persian": ("می\N{ZERO WIDTH NON-JOINER}خواهم", "میخواهم"),
    "marks of direction": ("\N{RIGHT-TO-LEFT MARK}שלום", "שלום"),
    "Hindi punctuation": ("कुत्ता।", "कुत्ता"),
    "Arabic punctuation": ("كلب؟", "كلب"),
    "digits of Devanagari": ("१२", "12"),
    "a true minus": ("−5", "-5"),
    "numbers in words": ("one hundred and five dogs", "105 dogs"),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_words_that_differ_are_different(pair: tuple[str, str]) -> None:
    one, other = pair
    assert normalized(one) != normalized(other)
    case = Case(id="c", media=(), question="q", expected=(one,), metric="exact")
    assert score(case, Said(text=other)).value == 0
    assert score(case, Said(text=one)).value == 1


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME)
def test_words_that_are_the_same_are_equal(pair: tuple[str, str]) -> None:
    assert normalized(pair[0]) == normalized(pair[1])


SENTENCES = {
    "Hindi": ("यह कुत्ता है और वह", "वह कत्ता हो और यह", 4),
    "Tamil": ("நாய் ஓடுகிறது", "நாய ஓடுகிறது", 1),
    "Thai": ("ไม้ สวย", "ไม่ สวย", 1),
    "Arabic": ("كَتَبَ الوَلَدُ", "كُتِبَ الوَلَدُ", 1),
    "Hebrew": ("דָּבָר טוֹב", "דֶּבֶר טוֹב", 1),
}


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES)
def test_word_errors_are_counted_in_every_script(sentence: tuple[str, str, int]) -> None:
    reference, said, errors = sentence
    case = Case(id="c", media=(), question="q", expected=(reference,), metric="wer")
    assert score(case, Said(text=said)).extra == {"word_errors": errors, "words": len(reference.split())}
    assert score(case, Said(text=reference)).value == 1


@pytest.mark.parametrize("text", ["यह कुत्ता है", "นี่ คือ หมา", "これ は 犬 です", "это собака здесь", "ein süßer Hund"])
def test_captions_agree_with_themselves_in_every_script(text: str) -> None:
    consensus = Consensus([[text], ["something else entirely"]])
    assert consensus.score(text, [text]) > 5
    assert consensus.score(text.replace(text.split()[1], "x"), [text]) < consensus.score(text, [text])


def test_words_keep_marks_hyphens_and_apostrophes() -> None:
    assert words("Ein café-au-lait, isn't it? कुत्ता_है") == ["ein", "café-au-lait", "isn't", "it", "कुत्ता", "है"]


def test_what_is_asserted_in_other_scripts_is_found() -> None:
    assert asserts("यहाँ एक कुत्ता है", "कुत्ता")
    assert not asserts("यहाँ एक कत्ता है", "कुत्ता")
    truth = Truth(Annotation(texts=("दुकान की",)))
    assert [claim.supported for claim in check('It says "दुकान की".', truth)] == [True]
    assert [claim.supported for claim in check('It says "का".', truth)] == [False]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("−5 degrees", [-5]), ("-5", [-5]), ("8–18", [8, 18]), ("12 345 people", [12345]), ("1 234 567", [1234567]),
        ("12\N{NO-BREAK SPACE}345,", [12345]), ("12\N{NARROW NO-BREAK SPACE}345.5", [12345.5]), ("1'299.50", [1299.5]),
        ("12 34", [12, 34]), ("2024 100", [2024, 100]), ("1e3", [1000]), ("1.5E-4", [0.00015]), ("3 × 10³", [3000]),
        ("2x10^-2", [0.02]), ("10^6", [1e6]), ("5 m²", [5]), ("3½", [3.5]), ("½", [0.5]), ("one hundred", [100]),
        ("a hundred", [100]), ("one hundred and five", [105]), ("two thousand three hundred and four", [2304]),
        ("twenty one", [21]), ("twenty-one", [21]), ("three, four", [3, 4]), ("three four", [3, 4]),
        ("1.5 million", [1.5e6]),
        ("two million one hundred thousand", [2_100_000]), ("2 hundred", [200]), ("two dozen", [24]), ("a dozen", [12]),
        ("minus five", [-5]), ("negative 3", [-3]), ("three point one four", [3.14]), ("two and a half", [2.5]),
        ("two and three", [2, 3]), ("nan", []), ("infinity", []), ("inf", []), ("1e999", []), ("१२", [12]), ("٣٫", [3]),
        ("no number", []), ("twenty thirty", [20, 30]), ("nineteen ninety", [19, 90]), ("50%", [50]),
        ("$1,299.00", [1299]),
    ],
)  # fmt: skip
def test_numbers(text: str, found: list[float]) -> None:
    assert numbers_in(text) == pytest.approx(found)


def test_numbers_in_words_become_digits_where_words_are_compared() -> None:
    assert in_digits("one hundred dogs and two million cats".split()) == ["100", "dogs", "and", "2000000", "cats"]
    assert in_digits("a couple of 3.50 m".split()) == ["a", "couple", "of", "3.50", "m"]
    assert number_of("two hundred") == 200
    assert number_of("two hundred dogs") is None


@pytest.mark.parametrize(("answer", "right"), [("−5", 1), ("5", 0), ("minus five", 1), ("Answer: **−5**", 1)])
def test_a_number_is_read_with_its_sign(answer: str, right: float) -> None:
    case = Case(id="c", media=(), question="q", expected=("-5",), metric="number")
    assert score(case, Said(text=answer)).value == right


def test_a_number_in_words_counts_once_among_assertions() -> None:
    truth = Truth(Annotation(facts=("200 people",)))
    assert [claim.supported for claim in check("Two hundred people.", truth)] == [True, True]
    assert [claim.text for claim in check("Two thousand people.", truth) if not claim.supported] == [
        "number: two thousand"
    ]


def test_phrases_of_signs_are_found_as_they_are() -> None:
    assert holds("a big 🐶!", "🐶")
    assert not holds("a big 🐱!", "🐶")
    assert not holds("a hotdog", "dog")
    assert not holds("anything", " ")
