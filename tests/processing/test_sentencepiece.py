"""SentencePiece's vocabularies: split as the library itself splits, broken ones refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutti.errors import InputError
from tutti.processing.sentencepiece import tokenizer_from_sentencepiece
from tutti.processing.tokenizer import Tokenizer

HERE = Path(__file__).parent / "sentencepiece"
MODEL = (HERE / "tiny.model").read_bytes()
IDS: dict[str, list[int]] = json.loads((HERE / "ids.json").read_text())


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(tokenizer_from_sentencepiece(MODEL))


@pytest.mark.parametrize("text", IDS)
def test_texts_are_split_as_the_library_does(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode(text) == IDS[text]
    assert tokenizer.decode(IDS[text]) == text.replace("\u2581", " ")
    assert tokenizer.encode(text, add_special=True) == [tokenizer.token_id("<s>"), *IDS[text]]


def test_marks_of_structure_are_special(tokenizer: Tokenizer) -> None:
    assert {"<s>", "</s>", "<unk>"} <= {*tokenizer.special_tokens}
    assert tokenizer.encode("</s>", parse_special=True) == [tokenizer.token_id("</s>")]
    assert tokenizer.vocab_size == 600


def test_a_file_that_is_cut_off_is_refused_or_holds_whole_pieces() -> None:
    for end in range(0, 3000, 7):
        try:
            made = tokenizer_from_sentencepiece(MODEL[:end])
        except InputError:
            continue
        assert made.get_vocab_size() < 600
    with pytest.raises(InputError, match="holds no pieces"):
        tokenizer_from_sentencepiece(b"")


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


PIECES = b"".join(field(1, field(1, piece)) for piece in (b"a", b"b"))
BPE, KEPT = field(2, b"\x18\x02"), field(3, b"\x20\x00")


def test_the_smallest_of_the_kind_is_read() -> None:
    assert tokenizer_from_sentencepiece(PIECES + BPE + KEPT).get_vocab_size() == 2


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PIECES + KEPT, "kind of SentencePiece"),  # unigrams, where nothing is said
        (PIECES + BPE, "kind of SentencePiece"),  # spaces are dropped, where nothing is said
        (PIECES + BPE + field(3, b"\x20\x00" + field(2, b"rules")), "kind of SentencePiece"),
        (PIECES + BPE + field(3, b"\x20\x00\x18\x00"), "kind of SentencePiece"),
        (PIECES + PIECES + BPE + KEPT, "has the piece 'a' twice"),
        (field(1, field(1, b"\xff")) + BPE + KEPT, "is damaged"),
        (field(1, field(1, b"a") + b"\x15\x00\x00\xc0\x7f") + BPE + KEPT, "is damaged"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "is damaged"),
        (b"\x0a\xff\xff\xff\xff\x0f", "is damaged"),
        (b"\x0b", "is damaged"),
        (b"PK\x03\x04", "is damaged"),
    ],
)
def test_what_splits_otherwise_or_is_no_vocabulary_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(InputError, match=found):
        tokenizer_from_sentencepiece(content)
