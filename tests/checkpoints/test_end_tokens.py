"""Which tokens end an answer: the most specific file that says so counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutti.checkpoints.family import end_tokens
from tutti.errors import CheckpointError

FILES: dict[str, dict[str, Any]] = {
    "generation_config.json": {"eos_token_id": [7, 8]},
    "config.json": {"eos_token_id": 6, "text_config": {"eos_token_id": 5}},
    "tokenizer_config.json": {"eos_token": {"content": "</s>"}},
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {7, 8}),
        ({"generation_config.json": {"eos_token_id": None}}, {6}),
        ({"generation_config.json": {}, "config.json": {"text_config": {"eos_token_id": 5}}}, {5}),
        ({"generation_config.json": {"eos_token_id": []}, "config.json": {"text_config": None}}, {2}),
        ({"generation_config.json": {}, "config.json": {}, "tokenizer_config.json": {"eos_token": "</s>"}}, {2}),
        ({"generation_config.json": {}, "config.json": {}, "tokenizer_config.json": {}}, set()),
    ],
)
def test_found_from_the_most_specific_on(tmp_path: Path, changes: dict[str, Any], expected: set[int]) -> None:
    for name, values in {**FILES, **changes}.items():
        (tmp_path / name).write_text(json.dumps(values))
    assert end_tokens(tmp_path, {"</s>": 2}.__getitem__) == expected


def test_a_folder_that_names_none_has_none(tmp_path: Path) -> None:
    assert end_tokens(tmp_path, {}.__getitem__) == frozenset()


@pytest.mark.parametrize("value", ["</s>", [2, None], 2.0, True])
def test_what_is_no_token_is_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": value}))
    with pytest.raises(CheckpointError, match=r"eos_token_id is .*; expected a token id, or a list of them"):
        end_tokens(tmp_path, {}.__getitem__)
