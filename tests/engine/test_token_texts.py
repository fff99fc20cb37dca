"""Texts of tokens in their place: joined, they are the answer, whatever the tokens are and wherever it ends."""

from __future__ import annotations

import random

import pytest

from tutti.content import TokenLogprob
from tutti.engine.detokenizer import TextStream
from tutti.engine.token_texts import TokenTexts

WORDS = [
    b" the",
    b" dog",
    b"s",
    b" sa",
    b"id ",
    b"\xf0\x9f",
    b"\x90\xb6",
    b"\xc3",
    b"\xa9",
    b"!",
    b" stop",
    b"st",
    b"op",
]


def read(ids: list[int]) -> str:
    """As SentencePiece reads: without the space before the first word, with marks for what is no character."""
    return b"".join(WORDS[one] for one in ids).decode(errors="replace").removeprefix(" ")


def told(ids: list[int], stop: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    answer = TextStream(read, stop)
    likely, found = TokenTexts(answer), []
    for one in ids:
        answer.push(one)
        likely.add(TokenLogprob(token="", logprob=-1.0))
        if answer.stopped:
            break
        found += likely.given()
        assert "".join(token.token for token in found) == answer.text[: len("".join(token.token for token in found))]
    if not answer.stopped:
        answer.finish()
    found += likely.given(last=True)
    return answer.text, [one.token for one in found]


@pytest.mark.parametrize(
    ("ids", "tokens"),
    [
        ([0, 1, 2], ["the", " dog", "s"]),
        ([1, 5, 6, 9], ["dog", "", "\N{DOG FACE}", "!"]),
        ([1, 7], ["dog", "\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_each_token_has_what_it_adds(ids: list[int], tokens: list[str]) -> None:
    assert told(ids) == ("".join(tokens), tokens)


def test_a_stop_string_and_its_tokens_are_left_out() -> None:
    assert told([0, 1, 10, 0], ("stop",)) == ("the dog ", ["the", " dog", " "])
    assert told([0, 11, 12, 0], ("stop",)) == ("the", ["the"])
    assert told([0, 11, 2, 9], ("stop",)) == ("thests!", ["the", "st", "s", "!"])


def test_joined_they_are_the_answer_whatever_is_drawn() -> None:
    chance = random.Random(0)
    for _ in range(400):
        ids = [chance.randrange(len(WORDS)) for _ in range(chance.randrange(1, 90))]
        text, tokens = told(ids, chance.choice([(), ("stop",), ("s", "xyz"), ("é!",)]))
        assert "".join(tokens) == text


def test_alternatives_are_read_in_the_same_place() -> None:
    answer = TextStream(read)
    assert answer.texts_of([0, 1]) == ["the", "dog"]
    answer.push(0)
    assert answer.texts_of([0, 1, 2, 7]) == [" the", " dog", "s", "\N{REPLACEMENT CHARACTER}"]
