"""Text that looks at media by cross-attention: the invariants of generation hold for it, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.engine.toy_models import (
    BLOCK,
    BLOCK_BYTES,
    TINY,
    Medium,
    Prompt,
    Reader,
    finish_all,
    picture,
    tiny_engine,
    words,
)
from tutti.content import SamplingOptions
from tutti.engine import Engine, Request
from tutti.errors import CapacityError, InputError
from tutti.models.layers.attention import Attend, LookingAttend, MaskedAttend, MediaMemory
from tutti.models.layers.rotary import rotary_angles
from tutti.models.llama.model import rope_frequencies
from tutti.processing.prompt import View

COLD = SamplingOptions(max_tokens=20)
WARM = SamplingOptions(max_tokens=20, temperature=0.9, seed=11)


class Onlooker(Reader):
    """The tiny decoder, which looks at media before each of its blocks; heads and widths as in its self-attention."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        for layer in range(TINY.num_hidden_layers):
            for name, rows in {"look_q": 32, "look_k": 16, "look_v": 16}.items():
                weight = torch.randn(rows, 32, generator=generator) * 0.3
                self.register_parameter(f"{name}{layer}", nn.Parameter(weight))
        self.remembered = 0
        self.eval()

    state_bytes = 2 * 4 * TINY.num_hidden_layers * 2 * 8
    most_states = 5

    def remember(self, states: Tensor) -> MediaMemory:
        self.remembered += 1

        def heads(name: str, layer: int) -> Tensor:
            return (states @ self.get_parameter(f"{name}{layer}").T).unflatten(-1, (2, 8))

        layers = range(self.layers)
        return MediaMemory(
            tuple(heads("look_k", layer) for layer in layers), tuple(heads("look_v", layer) for layer in layers)
        )

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        self.computed += positions.numel()
        angles = rotary_angles(positions, rope_frequencies(self.config))
        x = inputs_embeds
        for index, layer in enumerate(self.model.layers):
            query = (x @ self.get_parameter(f"look_q{index}").T).unflatten(-1, (4, 8))
            x = x + attend.look(index, query).flatten(-2)
            if attend.sees is not None:
                x = x + 0.3 * attend.sees[..., None] * x.flip(-1)
            x = layer(x, angles, attend)
        return self.model.norm(x)


def show(seed: int, media: Sequence[Medium], gap: int = 7, blind: bool = False, seen: int = 4) -> Prompt:
    """Words, a mark and words again for each medium; each token looks at the medium last seen.

    `blind` tokens before the first medium look at all there is, as in some families.
    """
    ids = words(seed, gap + len(media) * (1 + gap)).input_ids
    starts = tuple(gap + number * (1 + gap) for number in range(len(media)))
    views = [
        View(number, first, stop, seen)
        for number, (first, stop) in enumerate(zip(starts, (*starts[1:], len(ids)), strict=True))
    ]
    if blind:
        views += [View(number, 0, starts[0], 5) for number in range(len(media))]
    return Prompt(ids, [replace(medium, tokens=1) for medium in media], starts, views)


def watcher(**capacity: int) -> tuple[Engine, Onlooker]:
    model = Onlooker()
    return tiny_engine(model, **capacity), model


def alone(prompt: Prompt, options: SamplingOptions, **capacity: int) -> list[int]:
    engine, _ = watcher(**capacity)
    return finish_all(engine, [engine.submit(prompt, options)])[0]


A, B, C = (picture(seed) for seed in range(3))
PROMPTS = [
    show(1, [A]),
    words(2, 17),
    show(3, [A, B, C], blind=True),
    show(1, [B, A], gap=3, seen=5),
    words(4, 30),
    show(5, [C, C], blind=True),
]
BOTH = pytest.mark.parametrize("options", [COLD, WARM], ids=["greedy", "sampled"])


@BOTH
def test_batched_is_alone(options: SamplingOptions) -> None:
    engine, _ = watcher()
    together = finish_all(engine, [engine.submit(prompt, options) for prompt in PROMPTS])
    assert together == [alone(prompt, options) for prompt in PROMPTS]
    assert engine.blocks.free == engine.blocks.blocks


@pytest.mark.parametrize("step_tokens", [2, 5, 16])
@pytest.mark.parametrize("prompt", [PROMPTS[2], PROMPTS[3]], ids=["blind", "plain"])
def test_a_prompt_in_chunks_is_the_whole_prompt(prompt: Prompt, step_tokens: int) -> None:
    assert alone(prompt, COLD, step_tokens=step_tokens, max_running=1) == alone(prompt, COLD)


def test_preempted_is_undisturbed() -> None:
    engine, _ = watcher(blocks=48)  # of which half is for media
    requests = [engine.submit(prompt, COLD) for prompt in PROMPTS]

    def look() -> None:
        assert not any(sequence.memories for sequence in engine.scheduler.waiting)

    assert finish_all(engine, requests, look) == [alone(prompt, COLD) for prompt in PROMPTS]
    assert engine.scheduler.preemptions > 0


@pytest.mark.parametrize("blind", [False, True])
def test_generated_is_rescored_by_one_pass_with_a_mask(blind: bool) -> None:
    prompt = show(3, [A, B], blind=blind)
    engine, model = watcher(step_tokens=6, max_running=2)
    request = engine.submit(prompt, COLD)
    finish_all(engine, [request])
    ids = torch.tensor([request.sequence.tokens])
    states = torch.cat([torch.tanh(torch.from_numpy(medium.arrays["values"])) for medium in (A, B)])
    looks = torch.zeros(1, ids.shape[1], len(states), dtype=torch.bool)
    for view in prompt.views:
        stop = ids.shape[1] if view.stop == len(prompt.input_ids) else view.stop
        looks[0, view.first : stop, view.medium * 5 : view.medium * 5 + view.states] = True
    sees = torch.arange(ids.shape[1])[None] >= prompt.starts[0]
    memory = model.remember(states[None])
    with torch.inference_mode():
        attend = LookingAttend(None, memory, looks, sees)
        hidden = model.decode(model.embed_tokens(ids), torch.arange(ids.shape[1])[None], attend)
        whole = Reader.__base__.logits(model, hidden)[0, len(prompt.input_ids) - 1 : -1]
    drawn = torch.cat([scores for scores in model.scores if len(scores)])
    torch.testing.assert_close(drawn, whole, atol=1e-5, rtol=1e-5)
    # What is looked at matters, and so does who looks.
    assert alone(show(3, [A, C], blind=blind), COLD) != request.token_ids
    assert alone(show(3, [A, B], blind=not blind), COLD) != request.token_ids


def test_nothing_to_look_at_is_zeros_and_no_token_sees() -> None:
    query = torch.ones(1, 2, 4, 8)
    assert not MaskedAttend().look(0, query).any()
    assert MaskedAttend().sees is None
    memory = MediaMemory((torch.ones(1, 3, 2, 8),), (torch.ones(1, 3, 2, 8),))
    looks = torch.tensor([[[False] * 3, [False, True, False]]])
    out = LookingAttend(None, memory, looks).look(0, query)
    assert out.flatten(2).sum(-1).tolist() == [[0, 32]]


def test_examples_shared_by_two_questions_are_computed_once() -> None:
    engine, model = watcher()
    one, two = (show(1, [A, B, last], gap=3) for last in (C, picture(9)))
    first = engine.submit(one, COLD)
    finish_all(engine, [first])
    computed = model.computed
    second = engine.submit(two, COLD)
    assert finish_all(engine, [second]) == [alone(two, COLD)]
    # Words, two examples and what stands before the last picture: 11 tokens, of which whole blocks are found.
    assert second.sequence.reused_tokens == 2 * BLOCK
    assert model.computed - computed == len(two.input_ids) + 19 - 2 * BLOCK


def test_another_medium_view_or_tenant_is_computed_anew() -> None:
    engine, _ = watcher()
    base = show(1, [A, B], gap=3)
    finish_all(engine, [engine.submit(base, COLD)])
    reused = {}
    for name, prompt, tenant in [
        ("same", base, ""),
        ("first medium", show(1, [C, B], gap=3), ""),
        ("fewer states", show(1, [A, B], gap=3, seen=3), ""),
        ("blind tokens look", show(1, [A, B], gap=3, blind=True), ""),
        ("tenant", base, "someone else"),
    ]:
        request = engine.submit(prompt, COLD, tenant=tenant)
        assert finish_all(engine, [request]) == [alone(prompt, COLD)]
        reused[name] = request.sequence.reused_tokens
    assert reused == {"same": 8, "first medium": 0, "fewer states": 0, "blind tokens look": 0, "tenant": 0}
    again = engine.submit(show(1, [A, picture(9)], gap=3, blind=True), COLD)
    finish_all(engine, [again])
    assert again.sequence.reused_tokens == 0


def test_who_looks_at_the_same_medium_holds_it_once_and_lets_it_go() -> None:
    engine, model = watcher()
    requests = [engine.submit(show(seed, [A]), COLD) for seed in (1, 2, 3)]
    engine.step()
    assert (model.encoded, model.remembered) == (1, 1)
    held = {id(memory) for request in requests for memory in request.sequence.memories.values()}
    assert len(held) == 1
    engine.cancel(requests[0])
    assert not requests[0].sequence.memories
    finish_all(engine, requests[1:])
    assert not any(request.sequence.memories for request in requests)
    finish_all(engine, [engine.submit(show(4, [A]), COLD)])
    assert (model.encoded, model.remembered) == (1, 2)


def test_what_is_looked_at_counts_towards_the_cache() -> None:
    large = [picture(seed, tokens=60) for seed in range(10, 14)]
    state_bytes, cache_bytes = Onlooker.state_bytes, 48 * BLOCK_BYTES
    assert 2 * 48 * state_bytes == cache_bytes // 2, "two of 48 states fill the half that media may take"
    prompts = [show(seed, [medium], seen=48) for seed, medium in enumerate(large)]
    prompts.append(show(9, [large[3]], seen=48))
    engine, _ = watcher(blocks=48)
    requests = [engine.submit(prompt, COLD) for prompt in prompts]
    held: set[int] = set()

    def look() -> None:
        running = {id(memory): memory for one in engine.scheduler.running for memory in one.memories.values()}
        really = sum(keys.nbytes for one in running.values() for keys in (*one.keys, *one.values))
        assert really <= engine.media.held_bytes <= engine.media.budget_bytes
        held.add(len(engine.scheduler.running))

    assert finish_all(engine, requests, look) == [alone(prompt, COLD) for prompt in prompts]
    assert max(held) == 3, "two, and one that looks at what another looks at already"
    assert engine.media.held_bytes == 0
    with pytest.raises(CapacityError, match=r"need keys and values of 36,864 bytes, but the cache holds 24,576 of"):
        engine.submit(show(1, large[:3], seen=48), COLD)
    blocks, media = watcher(blocks=48)[0].blocks.blocks, engine.media.budget_bytes
    assert blocks * BLOCK_BYTES + media <= cache_bytes


def test_a_cache_must_hold_the_largest_medium() -> None:
    least = 5 * Onlooker.state_bytes + BLOCK_BYTES
    watcher(cache_bytes=least)
    with pytest.raises(InputError, match=rf"expected {least} \(the largest medium and one block\) or more"):
        watcher(cache_bytes=least - 1)


def test_a_medium_that_cannot_be_encoded_ends_its_own_request_only() -> None:
    engine, _ = watcher()
    broken = engine.submit(show(1, [picture(1, modality="broken")]), COLD)
    other = engine.submit(PROMPTS[0], COLD)
    assert list(engine.stream(other))
    assert other.token_ids == alone(PROMPTS[0], COLD)
    with pytest.raises(RuntimeError, match="the trunk is broken"):
        list(engine.stream(broken))


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (View(0, 3, 16, 4), "Tokens 3 to 16 of a prompt of 15 are to look at 4 states of medium 0 of 1"),
        (View(1, 3, 5, 4), "Tokens 3 to 5 of a prompt of 15 are to look at 4 states of medium 1 of 1"),
        (View(0, 3, 3, 4), "Tokens 3 to 3"),
        (View(0, 3, 5, 0), "0 states"),
    ],
)
def test_a_view_that_does_not_fit_its_prompt_is_refused(view: View, sentence: str) -> None:
    engine, _ = watcher()
    with pytest.raises(InputError, match=sentence):
        engine.submit(replace(show(1, [A]), views=[view]))


def test_a_prompt_for_another_kind_of_model_is_an_error() -> None:
    engine, _ = watcher()
    with pytest.raises(InputError, match="Medium 0 became 5 states, but 6 are to be looked at"):
        list(engine.stream(engine.submit(show(1, [A], seen=6))))
    reading = tiny_engine()
    with pytest.raises(InputError, match="look at media, which this model reads in their places"):
        list(reading.stream(reading.submit(show(1, [A]))))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_and_goes_everyone_gets_the_right_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    engine, _ = watcher(blocks=60, max_running=4, step_tokens=int(rng.integers(5, 40)))
    kept: list[tuple[Request, Prompt]] = []
    for _ in range(40):
        choice = rng.random()
        if choice < 0.3:
            prompt = PROMPTS[int(rng.integers(len(PROMPTS)))]
            kept.append((engine.submit(prompt, COLD), prompt))
        elif choice < 0.4 and kept:
            request, _ = kept.pop(int(rng.integers(len(kept))))
            engine.cancel(request)
        else:
            engine.step()
    answers = finish_all(engine, [request for request, _ in kept])
    assert answers == [alone(prompt, COLD) for _, prompt in kept]
    assert (engine.blocks.free, engine.media.held_bytes) == (30, 0)
