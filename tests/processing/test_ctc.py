"""Letters of frames to words, and the files that say which letter is which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutti.errors import InputError, UnsupportedConfig
from tutti.processing.ctc import CTCVocabulary, Word

LETTERS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
PLAIN = CTCVocabulary(tokens={number: token for token, number in LETTERS.items()})


def write(folder: Path, letters: Any = LETTERS, **files: Any) -> Path:
    for name, values in {"vocab": letters, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("ids", "text", "words"),
    [
        ([], "", []),
        ([0, 0, 0], "", []),
        ([5, 5, 0, 5, 6], "AAB", [("AAB", 0, 5)]),
        ([0, 5, 5, 4, 4, 0, 6, 0, 7, 0], "A BC", [("A", 1, 3), ("BC", 6, 9)]),
        ([4, 5, 4, 0, 4, 6, 4], "A  B", [("A", 1, 2), ("B", 5, 6)]),
        ([5, 99, 98, 6], "A<unk>B", [("A<unk>B", 0, 4)]),
    ],
)
def test_repeats_count_once_and_blanks_not_at_all(ids: list[int], text: str, words: list[Word]) -> None:
    assert PLAIN.decode(ids) == (text, words)


def test_what_the_files_of_published_checkpoints_say(tmp_path: Path) -> None:
    # facebook/wav2vec2-base-960h: upper case, written as it is.
    older = {"unk_token": "<unk>", "pad_token": "<pad>", "do_lower_case": False, "word_delimiter_token": "|"}
    assert CTCVocabulary.from_folder(write(tmp_path, tokenizer_config=older), 8) == PLAIN
    # jonatasgrosman/wav2vec2-large-xlsr-53-*: marks beside the others, their own names for some.
    letters = {"[PAD]": 0, "[UNK]": 1, " ": 2, "é": 3}
    marks = {"pad_token": {"content": "[PAD]"}, "unk_token": "[UNK]", "word_delimiter_token": " "}
    folder = write(tmp_path, letters, tokenizer_config={"do_lower_case": True}, special_tokens_map=marks)
    found = CTCVocabulary.from_folder(folder, 4)
    assert found.decode([3, 2, 9, 3]) == ("é [unk]é", [Word("é", 0, 1), Word("[unk]é", 2, 4)])
    # facebook/mms-1b-*: a vocabulary for each language.
    nested = {"fra": LETTERS, "deu": {"<pad>": 0, "ß": 1}}
    folder = write(tmp_path, nested, tokenizer_config={"target_lang": "deu"}, special_tokens_map={})
    assert CTCVocabulary.from_folder(folder, 2).decode([1]) == ("ß", [Word("ß", 0, 1)])


def test_added_tokens_are_letters_too(tmp_path: Path) -> None:
    folder = write(tmp_path, added_tokens={"<s>": 8})
    assert CTCVocabulary.from_folder(folder, 8).decode([8, 5])[0] == "<s>A"


@pytest.mark.parametrize(
    ("files", "error", "sentence"),
    [
        ({"letters": {}}, InputError, "has no vocab.json with letters"),
        ({"letters": []}, InputError, "vocab.json is not a JSON object"),
        ({"letters": {"A": "B"}}, UnsupportedConfig, "does not map letters to ids"),
        ({"letters": {"eng": {"A": 1}}}, UnsupportedConfig, "or not for one language"),
        ({"letters": {"A": 1}}, UnsupportedConfig, "vocab.json lacks '<pad>', which stands for nothing"),
        ({"letters": {**LETTERS, "D": 8}}, UnsupportedConfig, "has the id 8, and the model 8 letters"),
        ({"tokenizer_config": {"pad_token": 3}}, UnsupportedConfig, "pad_token is 3; expected a token"),
    ],
)
def test_bad_files_are_refused(files: dict[str, Any], error: type[Exception], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=sentence):
        CTCVocabulary.from_folder(write(tmp_path, **files), 8)
