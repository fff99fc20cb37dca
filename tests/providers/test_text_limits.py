"""What one vector holds of a text: the limit is stated, longer texts are refused, unknown ones said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

import tutti
from tutti.content import Text, TextSize
from tutti.errors import CapacityError, InputError, TextWarning
from tutti.interfaces import TextBounded
from tutti.model import Model
from tutti.processing.text_meter import TextMeter
from tutti.processing.tokenizer import Tokenizer
from tutti.providers.loading import LocalModel


@pytest.fixture(scope="module")
def mini() -> Model:
    return tutti.load("tutti-mini")


@pytest.fixture(scope="module")
def provider(mini: Model) -> LocalModel:
    assert isinstance(mini.provider, LocalModel)
    return mini.provider


def test_the_model_states_its_limit_and_keeps_to_it(provider: LocalModel) -> None:
    assert isinstance(provider, TextBounded)
    most = provider.max_text_tokens
    whole = "dog " * most
    assert provider.text_size(whole) == TextSize(most)
    assert provider.embed([Text(whole)]).notes == ()
    with pytest.raises(CapacityError, match=f"{most + 1} tokens.* at most {most} "):
        provider.embed([Text("a dog"), Text(whole + "dog")])


def test_what_is_too_long_is_shortened_only_where_that_is_asked_for(mini: Model, provider: LocalModel) -> None:
    words = [f"number {number}" for number in range(provider.max_text_tokens)]
    text = ", ".join(words)
    with pytest.raises(CapacityError, match="truncate"):
        mini.embed([text])
    short = provider.shortened(text)
    assert text.startswith(short)
    assert provider.text_size(short).tokens <= provider.max_text_tokens
    assert provider.text_size(text[: len(short) + 12]).tokens > provider.max_text_tokens - 4
    assert np.array_equal(mini.embed([text], truncate=True), mini.embed([short]))
    assert provider.shortened("a dog") == "a dog"
    assert 0 < len(provider.shortened("狗" * 10_000)) <= provider.max_text_tokens


@pytest.mark.parametrize("text", ["🐶", "🚗 🚗"])
def test_a_text_of_which_nothing_is_known_is_refused(mini: Model, text: str) -> None:
    with pytest.raises(InputError, match="vocabulary"):
        mini.embed([text])
    with pytest.raises(InputError, match="vocabulary"):
        mini.embed([text], truncate=True)


def test_a_text_of_which_a_part_is_unknown_is_embedded_with_a_note(mini: Model, provider: LocalModel) -> None:
    (note,) = provider.embed([Text("a cat"), Text("a dog 🐶")]).notes
    assert (note.index, note.size, note.text) == (1, TextSize(3, 1), "a dog 🐶")
    with pytest.warns(TextWarning, match="1 of 3 tokens of 'a dog 🐶'"):
        mini.embed(["a cat", "a dog 🐶"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mini.embed(["a cat", "ein Hund", "кошка"])


def test_vocabularies_say_what_stands_for_what_they_lack() -> None:
    pieces = models.WordPiece({"[UNK]": 0, "dog": 1, "##s": 2}, unk_token="[UNK]")
    lists = models.Unigram([("<unk>", 0.0), ("dog", -1.0)], unk_id=0)
    bytes_ = models.BPE({"a": 0}, [])
    unknown = []
    for model in (pieces, lists, bytes_):
        made = tokenizers.Tokenizer(model)
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        unknown.append(Tokenizer(made).unknown_id)
    assert unknown == [0, 0, None]


def test_texts_are_measured_as_the_model_reads_them() -> None:
    made = tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0, "dog": 1, "cat": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.normalizer = normalizers.Lowercase()
    meter = TextMeter(Tokenizer(made), 3, read=lambda text: text.replace("&", " "))
    assert meter.size("Dog&cat&bird") == TextSize(3, 1)
    assert meter.shortened("dog cat  bird dog dog") == "dog cat  bird"
    assert meter.shortened("dog&cat&dog&cat") == "dog&cat&dog&"
    assert not TextSize(0).says_nothing
    with pytest.raises(InputError, match="not Unicode"):
        meter.size("\ud800")
