"""Disguised terms are found by the way they were disguised, and words that only resemble them are not."""

from __future__ import annotations

import pytest

from tutti.trust.forensics.evasion import TermFinder

TERMS = TermFinder(["heroin", "kill yourself", "ass", "buy a gun", "наркотик", "毒品"])


@pytest.mark.parametrize(
    ("text", "term", "way"),
    [
        ("Heroin!", "heroin", "plain"),
        ("you should kill yourself", "kill yourself", "plain"),
        ("h\u200bero\u200din", "heroin", "plain"),
        ("𝓱𝓮𝓻𝓸𝓲𝓷", "heroin", "plain"),
        ("ｈｅｒｏｉｎ", "heroin", "plain"),
        ("🅷🅴🆁🅾🅸🅽", "heroin", "plain"),
        ("h̷e̵r̸o̶i̷n", "heroin", "plain"),
        ("hеrоіn", "heroin", "disguised"),
        ("h3r01n", "heroin", "disguised"),
        ("k!ll y0ur5elf", "kill yourself", "disguised"),
        ("@$$", "ass", "disguised"),
        ("heeeeroin", "heroin", "disguised"),
        ("h.e-r_o.i.n", "heroin", "disguised"),
        ("killyourself", "kill yourself", "disguised"),
        ("h e r o i n", "heroin", "spaced"),
        ("k i l l  yourself", "kill yourself", "spaced"),
        ("her*in", "heroin", "masked"),
        ("uıoɹǝɥ", "heroin", "turned"),
        ("nioreh", "heroin", "reversed"),
        ("продам НАРКОТИК", "наркотик", "plain"),
        ("出售毒品", "毒品", "plain"),
    ],
)
def test_each_way_is_undone_and_named(text: str, term: str, way: str) -> None:
    assert [(match.term, match.way) for match in TERMS.find(text)] == [(term, way)]


@pytest.mark.parametrize(
    "text",
    [
        "as soon as possible",
        "he was her own hero in town",
        "a class of glass and grass",
        "assess the bass",
        "we buy a gunmetal bowl",
        "**** ******",
        "555 0199",
        "she will kill time, yourself included",
        "",
    ],
)
def test_words_that_resemble_a_term_are_left(text: str) -> None:
    assert TERMS.find(text) == []


def test_two_words_that_meet_are_not_one() -> None:
    assert TermFinder(["penis"]).find("the pen is here") == []
    assert TermFinder(["penis"]).find("p e n i s")


def test_a_disguise_scores_less_and_is_quoted() -> None:
    plain, disguised = TERMS.find("heroin")[0], TERMS.find("h3roin")[0]
    assert plain.score > disguised.score > 0.5
    assert disguised.reason == "“h3roin”, which is “heroin” disguised"
