"""Several questions on one medium, packed: none sees another, and each is answered as if it stood alone."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.clips import FRAMES
from recipes.tutti_mini.instruct import MAKERS, Packed, PlainAttend, SceneSource, among, pack, prefix
from recipes.tutti_mini.pools import Pools
from tutti.models.layers.attention import MaskedAttend
from tutti.models.omni.model import Omni
from tutti.training.objectives import IGNORE


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_str((files("tutti") / "assets/tutti-mini/tokenizer.json").read_text())


@pytest.fixture(scope="module")
def model() -> Omni:
    torch.manual_seed(0)
    model = Omni(SMALL).eval()
    model.words.table.random_(-100, 100)
    return model


PAIRS = [("what is this?", "a dog"), ("is it red?", "no")]


def test_labels_are_the_answer_and_its_end(tokenizer: Tokenizer) -> None:
    packed = Packed(**pack(tokenizer, [[SMALL.user_id]], [PAIRS]))
    wanted = [label for label in packed.labels[0].tolist() if label != IGNORE]
    answers = [[*tokenizer.encode(answer).ids, SMALL.eos_id] for _, answer in PAIRS]
    assert wanted == answers[0] + answers[1]
    first = packed.labels[0].tolist().index(wanted[0])
    assert packed.input_ids[0, first] == SMALL.assistant_id
    assert packed.input_ids[0, first + 1] == wanted[0]


def test_no_question_sees_another(tokenizer: Tokenizer) -> None:
    packed = Packed(**pack(tokenizer, [[SMALL.user_id, 7]], [PAIRS]))
    segments, mask = packed.segments[0], packed.mask()[0, 0]
    second = segments == 2
    assert not mask[second][:, segments == 1].any()
    assert mask[second][:, segments == 0].all()
    assert not mask[segments == 0][:, segments > 0].any()
    assert packed.positions[0][second][0] == packed.positions[0][segments == 1][0] == 2


def test_packed_equals_alone(tokenizer: Tokenizer, model: Omni) -> None:
    start = [SMALL.user_id, 2000, 2001]
    packed = Packed(**pack(tokenizer, [start], [PAIRS]))
    with torch.inference_mode():
        together = model.hidden(packed.input_ids, None, packed.positions, packed.mask())
        for number, pair in enumerate(PAIRS, 1):
            alone = Packed(**pack(tokenizer, [start], [[pair]]))
            embedded = model.embed_tokens(alone.input_ids)
            hidden = model.decode(embedded, alone.positions, MaskedAttend())
            torch.testing.assert_close(
                together[0][packed.segments[0] == number], hidden[0, len(start) :], atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("kind", [*MAKERS, "text"])
def test_a_batch_fits_the_model(kind: str, tokenizer: Tokenizer, pools: Pools, model: Omni) -> None:
    source = SceneSource(kind, tokenizer, pools, 2, questions=3)
    batch, again = (source.batch(np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(batch["input_ids"], again["input_ids"])
    media = {
        modality: {name: values.float() for name, values in arrays.items()}
        for modality, arrays in batch["media"].items()
    }
    packed = Packed(*(batch[name] for name in ("input_ids", "labels", "positions", "segments")))
    for modality, arrays in media.items():
        places = (packed.input_ids == SMALL.placeholder_ids[modality]).sum(1)
        with torch.inference_mode():
            assert (places == model.connect(modality, arrays).shape[1]).all()
    if kind == "clip":
        assert media["video"]["pixel_values"].shape[1] == FRAMES
    assert prefix()[0] == SMALL.user_id


def test_the_logits_of_some_words_are_those_of_all(model: Omni) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        model.special_out.normal_()
        model.output_bias.normal_()
    hidden = torch.randn(3, model.config.decoder.hidden_size)
    words = torch.tensor([1, 3, 103, 104, 2000, 30521])
    with torch.inference_mode():
        torch.testing.assert_close(among(model, hidden, words), model.logits(hidden)[:, words])


def test_plain_products_attend_as_the_decoder_does() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 11, heads, 8) for heads in (4, 2, 2))
    mask = (torch.rand(2, 1, 11, 11) < 0.5) | torch.eye(11, dtype=torch.bool)
    expected = MaskedAttend(mask)(0, query, key, value)
    torch.testing.assert_close(PlainAttend(mask)(0, query, key, value), expected)
