"""Whatever is drawn within a constraint is JSON that keeps to the schema, for word pieces and for bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

import tutti
from tutti.errors import InputError
from tutti.processing.constraints import JsonVocabulary
from tutti.processing.tokenizer import Tokenizer

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "animal": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["cat", "big, dog", "u2"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "ok_now": {"type": "boolean"},
    },
    "required": ["animal", "kind", "count", "ok_now"],
    "additionalProperties": False,
}


def word_pieces() -> tuple[Tokenizer, int]:
    folder = Path(tutti.__file__).parent / "assets/tutti-mini"
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return tokenizer, tokenizer.token_id("<|eos|>")


def bytes_only() -> tuple[Tokenizer, int]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = tokenizers.Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(["</s>"])
    tokenizer = Tokenizer(made)
    return tokenizer, tokenizer.token_id("</s>")


@pytest.fixture(scope="module", params=[word_pieces, bytes_only])
def drawn(request: pytest.FixtureRequest) -> tuple[JsonVocabulary, int]:
    tokenizer, end = request.param()
    return JsonVocabulary(tokenizer, [end]), end


def said(vocabulary: JsonVocabulary, end: int, schema: dict[str, Any], seed: int, most: int = 400) -> str:
    """Tokens drawn at random among those allowed."""
    random = np.random.default_rng(seed)
    constraint = vocabulary.constraint(json.dumps(schema))
    ids: list[int] = []
    for _ in range(most):
        mask = constraint.mask()
        assert mask.any()
        token = end if mask[end] else int(random.choice(np.flatnonzero(mask)))
        if token == end:
            return constraint.decode(ids)
        constraint.take(token)
        ids.append(token)
    raise AssertionError(constraint.decode(ids))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_drawn_keeps_to_the_schema(drawn: tuple[JsonVocabulary, int], seed: int) -> None:
    answer = json.loads(said(*drawn, SCHEMA, seed))
    assert {*answer} == {*SCHEMA["required"]}
    assert answer["kind"] in SCHEMA["properties"]["kind"]["enum"]
    assert 0 <= answer["count"] <= 9
    assert isinstance(answer["ok_now"], bool)
    assert len(answer["animal"]) <= 12


def test_every_value_of_a_list_can_be_said(drawn: tuple[JsonVocabulary, int]) -> None:
    assert {said(*drawn, SCHEMA["properties"]["kind"], seed) for seed in range(30)} == {'"cat"', '"big, dog"', '"u2"'}


def test_what_cannot_be_written_is_told(drawn: tuple[JsonVocabulary, int]) -> None:
    vocabulary, end = drawn
    if vocabulary.pieces is None:
        assert said(vocabulary, end, {"const": "Größe"}, 0) == '"Größe"'
    else:  # a vocabulary of small letters
        with pytest.raises(InputError, match="letters that this model cannot write"):
            said(vocabulary, end, {"const": "A"}, 0)


@pytest.mark.parametrize("schema", ["3", "{", '{"type": "nonsense"}', '{"$ref": "#/none"}', "{}" + " " * 40_000])
def test_what_is_no_schema_is_refused(drawn: tuple[JsonVocabulary, int], schema: str) -> None:
    with pytest.raises(InputError, match="The JSON schema"):
        drawn[0].constraint(schema)


def test_a_model_answers_in_json_and_tells_how_likely_it_was() -> None:
    model = tutti.load()
    answer = model.ask("What is a dog?", json_schema=json.dumps(SCHEMA), max_tokens=80, logprobs=2)
    assert json.loads(answer.text)["kind"] in ("cat", "big, dog", "u2")
    assert answer.finish_reason == "stop"
    assert len(answer.logprobs) == answer.usage.completion_tokens
    for one in answer.logprobs:
        assert len(one.top) == 2
        assert one.logprob <= one.top[0][1] <= 0
