"""Whisper's older files of a vocabulary: the same tokens as `tokenizer.json`, broken ones refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

from tutti.errors import InputError
from tutti.processing.tokenizer import Tokenizer
from tutti.processing.vocabulary import tokenizer_from_vocabulary

MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("d", "o"), ("do", "g"), ("Ġ", "dog")]
STRUCTURE = ["<|startoftranscript|>", "<|en|>", "<|fr|>", "<|transcribe|>", "<|notimestamps|>", "<|0.00|>", "<|0.02|>"]
TEXTS = ["the dog", " the  dogs\n", "naïve Straße 東京 🦊", "", "<|en|> stays text", "don't 123"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pieces = [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in MERGES), "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, MERGES)) + "\n")
    added = {token: len(pieces) + index for index, token in enumerate(STRUCTURE)}
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    return tmp_path


def test_the_tokens_are_those_of_tokenizer_json(folder: Path) -> None:
    vocabulary = json.loads((folder / "vocab.json").read_text())
    library = Library(models.BPE(vocabulary, MERGES))
    library.pre_tokenizer, library.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made = Tokenizer(tokenizer_from_vocabulary(folder))
    for text in TEXTS:
        assert made.encode(text) == library.encode(text).ids, text
        assert made.decode(made.encode(text)) == text
    assert made.token_id("<|0.02|>") == len(vocabulary) + 6
    assert {*made.special_tokens} == {"<|endoftext|>", *STRUCTURE[:5]}
    assert made.decode([made.token_id("<|en|>"), *made.encode("the dog"), made.token_id("<|endoftext|>")]) == "the dog"


def test_added_tokens_may_be_named_by_the_settings(folder: Path) -> None:
    added = json.loads((folder / "added_tokens.json").read_text())
    (folder / "added_tokens.json").unlink()
    entries = {str(number): {"content": token, "special": True} for token, number in added.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": entries}))
    assert Tokenizer(tokenizer_from_vocabulary(folder)).token_id("<|fr|>") == added["<|fr|>"]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("vocab.json", "[]", "no JSON object"),
        ("vocab.json", "{", "no valid JSON"),
        ("vocab.json", '{"a": "b"}', "something else than token ids"),
        ("vocab.json", '{"a": 0}', "do not fit each other"),
        ("merges.txt", "a b c", "two pieces with a space between"),
        ("merges.txt", "alone", "two pieces with a space between"),
        ("merges.txt", None, "vocab.json and merges.txt beside each other"),
        ("added_tokens.json", '{"<|en|>": 99999}', "behind a gap"),
    ],
)
def test_what_is_broken_is_refused(folder: Path, name: str, content: str | None, found: str) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(InputError, match=found):
        tokenizer_from_vocabulary(folder)
