"""Guessed tokens: answers are the same with and without them, and they are left out where they do not pay."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.engine.test_decode_steps import WIDE, WINDOWED, needs_it, reader
from tests.engine.toy_models import TINY, Prompt, Reader, picture, spelled, words
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.engine.drafting import MOST_DRAFTED, MOST_ROWS, Drafter, best_length
from tutti.engine.request import Request
from tutti.models.layers.attention import CacheRows
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.llama.config import LlamaConfig
from tutti.models.schemes import Scheme


def parrot(config: LlamaConfig, scheme: Scheme = "int8", loops: float = 0.05) -> Reader:
    """A compiled reader with a quantized output, which repeats itself: later layers say little."""
    model = reader(config, scheme, compiled=False)
    for layer in model.model.layers:
        for part in (layer.self_attn.o_proj, layer.mlp.down_proj):
            part.kernel.scale.mul_(loops)
            if part.bias is not None:
                part.bias.data.mul_(loops)
    model.lm_head = QuantizedLinear(quantize(model.lm_head.weight.detach(), "int8"))
    return _compiled(model)


def _compiled(model: Reader) -> Reader:
    from tutti.engine.passes import run_passes

    run_passes(model)
    assert model.model.step is not None
    return model


def repeated(seed: int, length: int = 40) -> Prompt:
    """Words that come again and again, with others between them."""
    rng = np.random.default_rng(seed)
    some = [rng.integers(0, 256, rng.integers(3, 9)) for _ in range(3)]
    ids = np.concatenate([some[rng.integers(3)] for _ in range(12)])[:length]
    return Prompt(ids)


def answered(
    model: Reader, prompts: list[Prompt], capacity: Capacity, options: SamplingOptions, at_once: bool = True
) -> tuple[list[Request], Engine]:
    engine = Engine(model, eos_ids=(7,), detokenize=spelled, capacity=capacity)
    requests = []
    for prompt in prompts:
        requests.append(engine.submit(prompt, options))
        while not at_once and engine.step():
            pass
    while engine.step():
        pass
    return requests, engine


def told(requests: list[Request]) -> list[tuple[list[int], str, str | None]]:
    return [(one.token_ids, one.text, one.finish_reason) for one in requests]


KINDS: list[tuple[LlamaConfig, Scheme]] = [(TINY, "int8"), (WIDE, "int4"), (WINDOWED, "int8")]


@needs_it
@pytest.mark.parametrize(("config", "scheme"), KINDS)
@pytest.mark.parametrize("loops", [0.05, 0.4])
def test_answers_are_the_same_with_and_without(config: LlamaConfig, scheme: Scheme, loops: float) -> None:
    model = parrot(config, scheme, loops)
    prompts = [repeated(seed) for seed in range(5)]
    options = SamplingOptions(max_tokens=40)
    for at_once in (True, False):
        found, engine = answered(model, prompts, Capacity(), options, at_once)
        wanted, plain = answered(model, prompts, Capacity(draft_tokens=0), options, at_once)
        assert told(found) == told(wanted)
        assert plain.drafting.guessed == 0
        if loops < 0.1:
            assert engine.drafting.right > 20
            assert at_once or engine.steps < plain.steps


@needs_it
@settings(max_examples=25, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=4),
    tokens=st.integers(1, 30),
    block=st.sampled_from([2, 4, 16]),
    draft=st.integers(1, MOST_DRAFTED),
    stop=st.sampled_from([(), ("a",), ("\x10",)]),
)
def test_whatever_the_sizes(seeds: list[int], tokens: int, block: int, draft: int, stop: tuple[str, ...]) -> None:
    model = _parrots()
    prompts = [repeated(seed, 12 + seed % 30) for seed in seeds]
    options = SamplingOptions(max_tokens=tokens, stop=stop)
    bytes_ = 2 * 4 * 2 * 2 * TINY.head_dim * 90
    sizes = Capacity(block_tokens=block, cache_bytes=bytes_ * 2, step_tokens=20, max_running=4)
    found, _ = answered(model, prompts, replace(sizes, draft_tokens=draft), options)
    alone, _ = answered(model, prompts, Capacity(draft_tokens=0), options, at_once=False)
    for one, other in zip(found, alone, strict=True):
        assert one.error is None
        assert (one.token_ids, one.finish_reason) == (other.token_ids, other.finish_reason)


_kept: list[Reader] = []


def _parrots() -> Reader:
    if not _kept:
        _kept.append(parrot(TINY))
    return _kept[0]


@needs_it
@pytest.mark.parametrize("threads", [1, 2])
def test_tokens_of_a_sequence_are_to_the_last_bit_what_they_are_one_by_one(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = parrot(WINDOWED, loops=1.0)
        step = model.model.step
        assert step is not None
        x = torch.randn(9, WINDOWED.hidden_size, generator=torch.Generator().manual_seed(0))
        shape = (2, WINDOWED.num_hidden_layers, WINDOWED.num_key_value_heads, 64, WINDOWED.head_dim)
        keys, values = (list(one) for one in torch.randn(shape, generator=torch.Generator().manual_seed(1)))
        scattered = torch.randperm(64, generator=torch.Generator().manual_seed(2))[:14]
        contexts = list(range(6, 15))
        for place in (20, scattered):
            slots = torch.arange(25, 34) if isinstance(place, int) else place[5:14]
            with torch.inference_mode():
                each = torch.cat([
                    step(x[i : i + 1], torch.tensor([5 + i]), CacheRows(
                        keys, values, slots[i : i + 1], [place], contexts[i : i + 1]))
                    for i in range(9)
                ])  # fmt: skip
                for cached in (*keys, *values):
                    cached[:, slots] = float("nan")
                positions = torch.arange(5, 14)
                together = step(x, positions, CacheRows(keys, values, slots, [place] * 9, contexts))
            assert torch.equal(each, together)
    finally:
        torch.set_num_threads(before)


@needs_it
@pytest.mark.parametrize("options", [
    SamplingOptions(max_tokens=20, temperature=0.7), SamplingOptions(max_tokens=20, logprobs=2),
    SamplingOptions(max_tokens=20, repetition_penalty=1.3),
])  # fmt: skip
def test_only_greedy_choice_is_guessed(options: SamplingOptions) -> None:
    _, engine = answered(parrot(TINY), [repeated(0)], Capacity(), options)
    assert engine.drafting.guessed == 0


@needs_it
def test_sums_of_floats_are_not_guessed_for() -> None:
    _, engine = answered(reader(TINY, "int8"), [repeated(0)], Capacity(), SamplingOptions(max_tokens=20))
    assert engine.drafting.guessed == 0
    model = parrot(TINY)
    assert model.each_alone
    model.lm_head = nn.Linear(32, 256, bias=False)
    assert not model.each_alone


@needs_it
def test_media_and_many_at_once() -> None:
    model, medium = parrot(TINY), picture(1)
    halves = [repeated(seed, 20).input_ids for seed in range(6)]
    seen = [Prompt(np.concatenate([ids, np.full(5, 100_000), ids]), (medium,), (20,)) for ids in halves]
    others = [repeated(seed) for seed in range(MOST_ROWS + 2)]
    options, capacity = SamplingOptions(max_tokens=60), Capacity(max_running=20)
    for prompts, at_once in ((seen, False), ([*seen, *others], True)):
        found, engine = answered(model, prompts, capacity, options, at_once)
        wanted, _ = answered(model, prompts, replace(capacity, draft_tokens=0), options, at_once)
        assert told(found) == told(wanted)
        assert at_once or engine.drafting.guessed > 0


def test_what_stood_behind_the_same_tokens_is_guessed() -> None:
    drafter = Drafter([1, 2, 3, 4, 5, 6, 9, 1, 2, 3, 7, 8, 0, 1, 2, 3])
    assert drafter.guess([1, 2, 3, 4, 5, 6, 9, 1, 2, 3, 7, 8, 0, 1, 2, 3], 2) == (7, 8), "the last time counts"
    assert Drafter([5, 2, 3, 4, 9, 2, 3]).guess([5, 2, 3, 4, 9, 2, 3], 2) == (4, 9), "two tokens are enough"
    assert Drafter([1, 2, 3, 4]).guess([1, 2, 3, 4], 2) == ()
    assert Drafter([4]).guess([4], 2) == Drafter([]).guess([], 2) == ()
    assert Drafter([8, 1, 2, 1, 2, 1, 2]).guess([8, 1, 2, 1, 2, 1, 2], 2) == (1, 2), "what goes round goes on"
    high = 1 << 8  # bytes of one number and the next look like another one
    assert Drafter([high, high, 3, 1, 1]).guess([high, high, 3, 1, 1], 2) == ()


def test_placeholders_are_never_guessed() -> None:
    tokens = [1, 2, 3, 4, 100_000, 100_000, 5, 1, 2, 3]
    assert Drafter(tokens, [(4, 6)]).guess(tokens, 3) == (4,)
    tokens = [100_000, 100_000, 9, 3, 100_000, 100_000]
    assert Drafter(tokens, [(0, 2), (4, 6)]).guess([*tokens, 7], 3) == ()


def test_guesses_that_are_wrong_are_left_out_and_tried_again() -> None:
    tokens = [1, 2, 3] * 9
    drafter = Drafter(tokens)
    for _ in range(12):
        if drafted := drafter.guess(tokens, MOST_DRAFTED):
            drafter.learn(len(drafted), 0)
    counts = [len(drafter.guess(tokens, MOST_DRAFTED)) for _ in range(60)]
    assert set(counts[:10]) == {0}
    assert counts.count(1) == sum(counts) > 0, "one token now and then"
    for _ in range(12):
        drafter.learn(4, 4)
    assert len(drafter.guess(tokens, MOST_DRAFTED)) == MOST_DRAFTED


def test_how_many_follows_from_how_many_were_right() -> None:
    assert best_length(0.0) == best_length(0.05) == 0
    assert best_length(1.0) == MOST_DRAFTED
    lengths = [best_length(share / 20) for share in range(21)]
    assert all(one <= other for one, other in pairwise(lengths))
    assert best_length(0.5, most=1) == 1


@needs_it
def test_nothing_is_known_of_random_words_and_little_is_guessed() -> None:
    _, engine = answered(reader(TINY, "int8"), [words(0, 30)], Capacity(), SamplingOptions(max_tokens=30))
    assert engine.drafting.guessed == 0
