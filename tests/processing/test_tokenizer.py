"""Text to ids and back, and in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutti.errors import InputError
from tutti.processing.tokenizer import Tokenizer

KINDS = ("word_pieces", "byte_pairs", "sentence_pieces")
IDS = st.lists(st.integers(0, 330), max_size=24)


def test_nothing_is_padded_cut_or_added_unless_asked(word_pieces: Tokenizer) -> None:
    ids = word_pieces.encode("the dog barks " * 10)
    assert len(ids) == 30
    assert word_pieces.encode("dog", add_special=True) == [2, *word_pieces.encode("dog"), 3]


def test_special_tokens_spelled_in_a_text_stay_text_unless_asked(word_pieces: Tokenizer) -> None:
    separator = word_pieces.token_id("[SEP]")
    assert word_pieces.decode(word_pieces.encode("[SEP] dog")) == "[ sep ] dog"
    assert separator not in word_pieces.encode("[SEP] dog")
    assert word_pieces.encode("[SEP] dog", parse_special=True)[0] == separator
    assert separator not in word_pieces.encode("[SEP] dog")


@pytest.mark.parametrize(
    "text",
    [
        "it's a t-shirt, isn't it?",
        "the dogs' playing: 3.5 (the 3, 5)!",
        "10:30. the dog barks",
        "don't",
        "5, 3 dogs",
    ],
)
def test_english_gets_its_spaces_back(word_pieces: Tokenizer, text: str) -> None:
    assert word_pieces.decode(word_pieces.encode(text)) == text


@pytest.mark.parametrize("text", ["The dog at the café 🐶, 日本語", "", " two  spaces "])
def test_bytes_come_back_exactly(byte_pairs: Tokenizer, text: str) -> None:
    assert byte_pairs.decode(byte_pairs.encode(text)) == text


def test_special_tokens_are_no_part_of_the_text(byte_pairs: Tokenizer) -> None:
    end = byte_pairs.token_id("<|eot|>")
    assert byte_pairs.decode([*byte_pairs.encode("dog"), end, *byte_pairs.encode("s")]) == "dogs"
    assert byte_pairs.special_tokens == ("<|eot|>",)
    assert byte_pairs.vocab_size == 320


@pytest.mark.parametrize("kind", KINDS)
@given(ids=IDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_streamed_pieces_are_the_whole(request: pytest.FixtureRequest, kind: str, ids: list[int]) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    assert "".join(tokenizer.decode_stream(ids)) == tokenizer.decode(ids)


def test_a_character_of_several_tokens_is_shown_when_it_is_complete(byte_pairs: Tokenizer) -> None:
    pieces = list(byte_pairs.decode_stream(byte_pairs.encode("a 語 b")))
    assert "".join(pieces) == "a 語 b"
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)
    assert len(pieces) > 3


@given(ids=IDS, cut=st.integers(0, 24))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_the_text_of_the_beginning_is_the_beginning_of_the_text(
    word_pieces: Tokenizer, ids: list[int], cut: int
) -> None:
    assert word_pieces.decode(ids).startswith(word_pieces.decode(ids[:cut]))


def test_bad_tokenizers_and_texts_are_refused(word_pieces: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no .*tokenizer\.json; expected the tokenizer in that form"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(InputError, match="is not a tokenizer"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")
    with pytest.raises(InputError, match="The tokenizer has no token 'cat'"):
        word_pieces.token_id("cat")
    with pytest.raises(InputError, match="characters that are not Unicode"):
        word_pieces.encode("dog \ud800")
