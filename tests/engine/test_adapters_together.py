"""Requests with several adapters share steps, and each gets the answer that it gets alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.engine.toy_models import TINY, Prompt, Reader, words
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.engine.passes import run_passes, undo_passes
from tutti.models.layers import adapted
from tutti.models.layers.adapted import NO_ADAPTER, AdaptedLinear, AdapterRows, LowRank, adapter_rows
from tutti.models.layers.attention import CacheRows
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.lora import LoRALinear
from tutti.models.llama.model import LlamaLayers, rope_frequencies
from tutti.models.llama.step import step_fault
from tutti.models.schemes import Scheme

WIDE = replace(TINY, hidden_size=64, intermediate_size=192, head_dim=32, max_position_embeddings=256)
SCHEMES: list[Scheme | None] = [None, "int8", "int4"]
RANKS = {"q_proj": (4, 0, 3), "v_proj": (0, 2, 5), "down_proj": (6, 2, 1)}
"""Layer → ranks of three adapters; 0 where one leaves it alone."""
NUMBERS = (NO_ADAPTER, 0, 1, 2)

needs_it = pytest.mark.skipif(
    step_fault(None, LlamaLayers, rope_frequencies) is not None, reason="the compiled part is not there"
)


def changes(ranks: tuple[int, ...], n: int, k: int, seed: int) -> list[LowRank | None]:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    return [LowRank(drawn(rank, k) / k**0.5, drawn(n, rank) / 2) if rank else None for rank in ranks]


def reader(scheme: Scheme | None, compiled: bool, only: int | None = None) -> Reader:
    """The toy with three adapters, or, as one had it before, with one of them alone."""
    model = Reader(WIDE)
    layers, rows = model.model.layers, AdapterRows()
    for seed, (name, layer) in enumerate(list(layers.named_modules())):
        if not isinstance(layer, nn.Linear):
            continue
        n, k = layer.weight.shape
        base = layer if scheme is None else QuantizedLinear(quantize(layer.weight.detach(), scheme))
        ranks = RANKS.get(name.rpartition(".")[2])
        if ranks is None:
            layers.set_submodule(name, base)
            continue
        made = changes(ranks, n, k, seed)
        if only is None:
            layers.set_submodule(name, AdaptedLinear(base, made, rows))
        elif only != NO_ADAPTER and (change := made[only]) is not None:
            alone = LoRALinear(base, (n, k), len(change.down), 0.5)
            alone.lora_A.weight.data, alone.lora_B.weight.data = 2 * change.down, change.up
            layers.set_submodule(name, alone)
        else:
            layers.set_submodule(name, base)
    model.requires_grad_(False)
    if compiled:
        run_passes(model)
        assert model.model.step is not None
    return model


def answers(model: Reader, asked: list[tuple[Prompt, int]], capacity: Capacity | None = None) -> list[list[int]]:
    engine = Engine(model, eos_ids=(), detokenize=lambda _: "", capacity=capacity or Capacity())
    requests = []
    for prompt, number in asked:
        requests.append(engine.submit(prompt, SamplingOptions(max_tokens=16), adapter=number))
        engine.step()  # so that some decode while the next one's prompt is read
    while engine.step():
        pass
    if len(asked) > 1:
        assert engine.step_sequences > 1.5 * engine.steps, "a batch is not shared"
    assert not any(request.error for request in requests)
    return [request.sequence.generated for request in requests]


ASKED = [(words(seed // 4, 10 + seed // 4), NUMBERS[seed % 4]) for seed in range(12)]
"""Three questions, each of the model as it is and with each adapter."""


@needs_it
@pytest.mark.parametrize("scheme", SCHEMES)
def test_compiled_steps_answer_as_each_adapter_alone(scheme: Scheme | None) -> None:
    together = answers(reader(scheme, compiled=True), ASKED)
    for number in NUMBERS:
        model = reader(scheme, compiled=True, only=number)
        alone = [answers(model, [(prompt, NO_ADAPTER)])[0] for prompt, its in ASKED if its == number]
        assert alone == [answer for answer, (_, its) in zip(together, ASKED, strict=True) if its == number]
    assert len({tuple(answer) for answer in together}) == len(ASKED)


@pytest.mark.parametrize("most", [0, 10**6])
@pytest.mark.parametrize("scheme", [None, "int8"])
def test_steps_of_torch_answer_as_each_adapter_alone(
    scheme: Scheme | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapted, "_SIDE_BY_SIDE", most)
    together = answers(reader(scheme, compiled=False), ASKED)
    for number in NUMBERS:
        model = reader(scheme, compiled=False, only=number)
        alone = [answers(model, [(prompt, NO_ADAPTER)])[0] for prompt, its in ASKED if its == number]
        assert alone == [answer for answer, (_, its) in zip(together, ASKED, strict=True) if its == number]


def test_nothing_is_shared_between_adapters_but_the_room() -> None:
    """One prompt, of many blocks: keys and values of one adapter are not another's, set back and read again or not."""
    asked = [(words(5, 40), number) for number in (*NUMBERS, *NUMBERS)]
    model = reader(None, compiled=False)
    wide = answers(model, asked)
    tight = Capacity(block_tokens=4, cache_bytes=2 * 4 * 2 * 2 * 32 * 4 * 40, step_tokens=20, max_running=6)
    assert answers(model, asked, tight) == wide
    assert wide[:4] == wide[4:]
    assert len({tuple(answer) for answer in wide}) == 4


@needs_it
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_row_through_an_adapter_depends_on_no_other_row_and_no_number_of_threads(scheme: Scheme | None) -> None:
    before, scores = torch.get_num_threads(), []
    x = torch.randn(5, WIDE.hidden_size, generator=torch.Generator().manual_seed(0))
    shape = (2, WIDE.num_hidden_layers, WIDE.num_key_value_heads, 40, WIDE.head_dim)
    keys, values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    cache = CacheRows(list(keys), list(values), torch.tensor([4, 9, 14, 35, 20]), (0, 5, 10, 35, 12), (5, 5, 5, 1, 9))
    through = (0, NO_ADAPTER, 2, 2, 1)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            decoder = reader(scheme, compiled=True).model
            rows, step = adapter_rows(decoder), decoder.step
            assert rows is not None and step is not None
            with torch.inference_mode():
                with rows.through(through):
                    whole = step(x, torch.tensor([4, 4, 4, 0, 8]), cache)
                own = CacheRows(cache.keys, cache.values, *(part[2:3] for part in cache[2:]))
                with rows.through((2,)):
                    assert torch.equal(whole[2:3], step(x[2:3], torch.tensor([4]), own))
                plain = step(x[1:2], torch.tensor([4]), CacheRows(*cache[:2], *(part[1:2] for part in cache[2:])))
                assert torch.equal(whole[1:2], plain)
            scores.append(whole)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*scores)


@needs_it
def test_passes_leave_adapters_in_place_and_can_be_undone() -> None:
    model = reader("int8", compiled=True)
    undo_passes(model)
    assert model.model.step is None
    assert answers(model, ASKED[:4]) == answers(reader("int8", compiled=False), ASKED[:4])


def test_one_adapters_numbers_do_not_reach_the_rows_of_another() -> None:
    rows = AdapterRows()
    layer = nn.Linear(8, 8, bias=False)
    huge = LowRank(torch.full((1, 8), 1e30), torch.full((8, 1), 1e30))
    small = LowRank(torch.ones(1, 8), torch.ones(8, 1))
    both = AdaptedLinear(layer, [huge, small], rows)
    x = torch.ones(3, 8)
    with torch.inference_mode(), rows.through([0, 1, NO_ADAPTER]):
        out = both(x)
    assert not torch.isfinite(out[0]).all()
    assert torch.allclose(out[1], layer(x[1]) + 8)
    assert torch.allclose(out[2], layer(x[2]))


def test_rows_of_no_step_are_refused() -> None:
    rows = AdapterRows()
    layer: Any = AdaptedLinear(nn.Linear(4, 4), [LowRank(torch.ones(1, 4), torch.ones(4, 1))], rows)
    with rows.through([0, 0, NO_ADAPTER], [0]), torch.inference_mode():
        layer(torch.ones(3, 4))
        layer(torch.ones(1, 4))
        with pytest.raises(RuntimeError, match="met 2 rows in a step of 3"):
            layer(torch.ones(2, 4))
