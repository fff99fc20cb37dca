"""Compiled decode steps: the answers that torch gives, the same alone and among others, and never needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine.toy_models import TINY, Prompt, Reader, picture, with_picture, words
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.engine.passes import run_passes, undo_passes
from tutti.models.layers import decode_step, native
from tutti.models.layers.attention import CacheRows
from tutti.models.layers.codes import quantize
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.packed import instructions
from tutti.models.llama import step as llama_step
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaLayers, rope_frequencies
from tutti.models.llama.step import step_fault
from tutti.models.schemes import Scheme

WIDE = replace(TINY, hidden_size=64, intermediate_size=192, head_dim=32, max_position_embeddings=256)
WINDOWED = replace(WIDE, sliding_window=5, full_layers=1, attention_bias=True, output_bias=False)
KINDS: list[tuple[LlamaConfig, Scheme | None]] = [
    (TINY, None), (WIDE, None), (WINDOWED, None), (TINY, "int8"), (WINDOWED, "int8"), (WIDE, "int4"),
]  # fmt: skip

MADE = (LlamaLayers, rope_frequencies)

needs_it = pytest.mark.skipif(step_fault(None, *MADE) is not None, reason="the compiled part is not there")


def reader(config: LlamaConfig, scheme: Scheme | None, compiled: bool = True) -> Reader:
    model = Reader(config)
    for name, layer in list(model.model.layers.named_modules()):
        if isinstance(layer, nn.Linear):
            if layer.bias is not None:
                layer.bias.data.normal_(std=0.2, generator=torch.Generator().manual_seed(len(name)))
            if scheme is not None:
                model.model.layers.set_submodule(
                    name, QuantizedLinear(quantize(layer.weight.detach(), scheme), layer.bias)
                )
    model.requires_grad_(False)
    if compiled:
        run_passes(model)
        assert model.model.step is not None
    return model


def answers(model: Reader, prompts: list[Prompt], at_once: bool, capacity: Capacity | None = None) -> list[list[int]]:
    engine = Engine(model, eos_ids=(), detokenize=lambda _: "", capacity=capacity or Capacity())
    requests = []
    for prompt in prompts:
        requests.append(engine.submit(prompt, SamplingOptions(max_tokens=24)))
        while not at_once and engine.step():
            pass
        engine.step()  # so that some decode while the next one's prompt is read
    while engine.step():
        pass
    return [request.sequence.generated for request in requests]


def prompts(config: LlamaConfig) -> list[Prompt]:
    some = [words(seed, length) for seed, length in enumerate((3, 17, 30, 9, 50))]
    return [*some, with_picture(7, picture(1))] if config.hidden_size == TINY.hidden_size else some


@needs_it
@pytest.mark.parametrize(("config", "scheme"), KINDS)
def test_answers_are_the_same_alone_and_among_others(config: LlamaConfig, scheme: Scheme | None) -> None:
    model = reader(config, scheme)
    alone = answers(model, prompts(config), at_once=False)
    assert answers(model, prompts(config), at_once=True) == alone
    if scheme is None:  # whose numbers hardly depend on how a prompt is cut; codes may round to the other side
        assert answers(model, prompts(config), True, Capacity(block_tokens=4, step_tokens=11, max_running=3)) == alone


@needs_it
@pytest.mark.parametrize(("config", "scheme"), [kind for kind in KINDS if kind[1] != "int4"])
def test_answers_are_those_of_torch(config: LlamaConfig, scheme: Scheme | None) -> None:
    found = answers(reader(config, scheme), prompts(config), at_once=True)
    assert found == answers(reader(config, scheme, compiled=False), prompts(config), at_once=True)
    assert len({token for answer in found for token in answer}) > 20, "a model that repeats itself would show nothing"


@needs_it
@pytest.mark.parametrize(("config", "scheme"), KINDS)
def test_logits_depend_on_no_number_of_threads(config: LlamaConfig, scheme: Scheme | None) -> None:
    scores, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            model = reader(config, scheme)
            decoder = model.model
            assert decoder.step is not None
            x = torch.randn(5, config.hidden_size, generator=torch.Generator().manual_seed(0))
            shape = (2, config.num_hidden_layers, config.num_key_value_heads, 40, config.head_dim)
            keys, values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
            places = (0, 5, torch.tensor([31, 11, 25]), 35, 12)
            cache = CacheRows(list(keys), list(values), torch.tensor([4, 9, 25, 35, 20]), places, (5, 5, 3, 1, 9))
            with torch.inference_mode():
                whole = decoder.step(x, torch.tensor([4, 4, 2, 0, 8]), cache)
                one = decoder.step(x[2:3], torch.tensor([2]), CacheRows(cache.keys, cache.values, *(
                    part[2:3] for part in cache[2:])))  # fmt: skip
            assert torch.equal(whole[2:3], one), "a row depends on no other"
            scores.append(whole)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*scores)


@needs_it
@pytest.mark.parametrize(("config", "scheme"), [kind for kind in KINDS if kind[1] is not None])
def test_how_a_prompt_is_cut_changes_nothing(
    config: LlamaConfig, scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = reader(config, scheme)
    assert model.model.step is not None
    if not model.model.step.reads:  # with AVX2 alone, prompts go through torch
        assert instructions(int8_sums().levels) < 2
        return
    whole = answers(model, prompts(config), at_once=True)
    cut = Capacity(block_tokens=4, step_tokens=11, max_running=3)
    assert answers(model, prompts(config), True, cut) == whole
    monkeypatch.setattr(decode_step, "_AT_ONCE", 7)
    assert answers(model, prompts(config), at_once=True) == whole
    assert answers(model, prompts(config), at_once=False) == whole


@needs_it
def test_blocks_of_a_sequence_may_lie_anywhere() -> None:
    model = reader(WIDE, None)
    tight = Capacity(block_tokens=4, cache_bytes=2 * 4 * 2 * 2 * 32 * 4 * 30, step_tokens=20, max_running=4)
    some = [words(seed, 12) for seed in range(6)]
    assert answers(model, some, True, tight) == answers(model, some, False)


@needs_it
def test_what_the_passes_made_can_be_undone_and_does_not_follow_elsewhere() -> None:
    model = reader(WIDE, "int4")
    states = {name: tensor.clone() for name, tensor in reader(WIDE, "int4", compiled=False).state_dict().items()}
    assert all(torch.equal(tensor, states[name]) for name, tensor in model.state_dict().items())
    undo_passes(model)
    assert model.model.step is None
    assert all(torch.equal(tensor, states[name]) for name, tensor in model.state_dict().items())
    run_passes(model)
    assert model.model.step is not None
    assert model.double().model.step is None


@needs_it
def test_layers_of_other_kinds_and_other_caches_go_the_way_of_torch() -> None:
    model = reader(WIDE, None)
    step = model.model.step
    assert step is not None
    cache = torch.zeros(2, 8, 32, dtype=torch.bfloat16)
    slots = torch.zeros(1, dtype=torch.int64)
    assert not step.takes(CacheRows([cache], [cache], slots, [0], [1]))
    cache = cache.float()
    assert step.takes(CacheRows([cache], [cache], slots, [0], [1]))
    many = [1] * (decode_step.MOST_ROWS + 1)
    assert not step.takes(CacheRows([cache], [cache], slots, many, many))
    with pytest.raises(RuntimeError, match="does not take"):
        step(torch.zeros(65, 64), torch.zeros(65, dtype=torch.int64), CacheRows([cache], [cache], slots, many, many))

    class Other(nn.Linear):
        """Such as an adapter's."""

    model.model.layers[0].mlp.down_proj = Other(192, 64)
    model.model.compile_step()
    assert model.model.step is None


def test_without_the_compiled_part_or_with_a_wrong_one_there_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_step, "step_fault", lambda *_: "is not there")
    decoder = LlamaLayers(WIDE)
    decoder.compile_step()
    assert decoder.step is None
    monkeypatch.setattr(native, "library", lambda: None)
    assert step_fault.__wrapped__(None, *MADE) == "is not there"


@needs_it
def test_a_wrong_step_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = decode_step.DecodeStep.__call__
    monkeypatch.setattr(decode_step.DecodeStep, "__call__", lambda self, *given: right(self, *given).roll(1, 0))
    assert "differs by" in (step_fault.__wrapped__(None, *MADE) or "")


@needs_it
def test_rotary_positions_that_are_stretched_reach_the_step() -> None:
    model = reader(replace(WIDE, rope_theta=50.0), None)
    assert not np.allclose(rope_frequencies(model.config), rope_frequencies(WIDE))
    assert answers(model, prompts(WIDE), True) == answers(
        reader(replace(WIDE, rope_theta=50.0), None, compiled=False), prompts(WIDE), True
    )
