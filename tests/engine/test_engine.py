"""Invariants of generation, each of the form "A equals B"."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.toy_models import (
    BLOCK,
    TINY,
    Medium,
    Prompt,
    Reader,
    Script,
    alone,
    finish_all,
    hear,
    picture,
    script_engine,
    spelled,
    tiny_engine,
    with_picture,
    words,
)
from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine, Request
from tutti.errors import CapacityError, InputError
from tutti.models.layers.attention import MaskedAttend

PROMPTS = [words(seed, length) for seed, length in enumerate((3, 17, 40, 9, 24))]
WARM = SamplingOptions(max_tokens=20, temperature=0.9, top_k=40, top_p=0.95, repetition_penalty=1.1, seed=11)
COLD = SamplingOptions(max_tokens=20)
BOTH = pytest.mark.parametrize("options", [COLD, WARM], ids=["greedy", "sampled"])


@BOTH
def test_batched_is_alone(options: SamplingOptions) -> None:
    engine = tiny_engine()
    together = finish_all(engine, [engine.submit(prompt, options) for prompt in PROMPTS])
    assert together == [alone(prompt, options) for prompt in PROMPTS]
    assert engine.blocks.free == engine.blocks.blocks


@BOTH
def test_whoever_joins_later_changes_nothing(options: SamplingOptions) -> None:
    engine = tiny_engine()
    requests = []
    for prompt in PROMPTS:
        requests.append(engine.submit(prompt, options))
        engine.step()
        engine.step()
    assert finish_all(engine, requests) == [alone(prompt, options) for prompt in PROMPTS]


@BOTH
@pytest.mark.parametrize("step_tokens", [2, 5, 16])
def test_a_prompt_in_chunks_is_the_whole_prompt(options: SamplingOptions, step_tokens: int) -> None:
    prompt = with_picture(1, picture(1, 11), before=10, after=20)
    assert alone(prompt, options, step_tokens=step_tokens, max_running=1) == alone(prompt, options)


@BOTH
def test_a_prompt_found_in_the_cache_is_a_fresh_one(options: SamplingOptions) -> None:
    model = Reader()
    engine = tiny_engine(model)
    first = finish_all(engine, [engine.submit(PROMPTS[2], options)])
    computed = model.computed
    again = engine.submit(PROMPTS[2], options)
    assert finish_all(engine, [again]) == first
    assert again.sequence.reused_tokens == 36
    assert model.computed - computed == computed - 36


def test_an_answer_is_found_in_the_cache_by_the_next_turn() -> None:
    engine = tiny_engine()
    first = engine.submit(PROMPTS[1], COLD)
    finish_all(engine, [first])
    turn = Prompt(torch.tensor([*first.sequence.tokens, 5, 6, 7]).numpy())
    second = engine.submit(turn, COLD)
    assert finish_all(engine, [second]) == [alone(turn, COLD)]
    # The last token was drawn but never computed.
    assert second.sequence.reused_tokens == (17 + 20 - 1) // BLOCK * BLOCK


def test_a_beginning_shared_by_two_at_once_is_computed_once() -> None:
    model = Reader()
    engine = tiny_engine(model)
    one, two = (engine.submit(PROMPTS[2], SamplingOptions(max_tokens=1)) for _ in range(2))
    assert finish_all(engine, [one, two])[0] == one.token_ids == two.token_ids
    assert model.computed == 40 + 4


@BOTH
def test_preempted_is_undisturbed(options: SamplingOptions) -> None:
    engine = tiny_engine(blocks=22)
    requests = [engine.submit(prompt, options) for prompt in PROMPTS]
    assert finish_all(engine, requests) == [alone(prompt, options) for prompt in PROMPTS]
    assert engine.scheduler.preemptions > 0
    assert engine.blocks.free == 22


@BOTH
def test_scattered_blocks_are_as_good_as_contiguous_ones(options: SamplingOptions) -> None:
    engine = tiny_engine(blocks=40)
    requests = [engine.submit(prompt, options) for prompt in PROMPTS]
    scattered = 0

    def look() -> None:
        nonlocal scattered
        scattered += sum(not one.contiguous for one in engine.scheduler.running)

    assert finish_all(engine, requests, look) == [alone(prompt, options) for prompt in PROMPTS]
    assert scattered > 0


def test_generated_is_rescored() -> None:
    model = Reader()
    prompt = words(3, 21)
    engine = tiny_engine(model, step_tokens=8, max_running=2)
    request = engine.submit(prompt, COLD)
    finish_all(engine, [request])
    ids = torch.tensor([request.sequence.tokens])
    with torch.inference_mode():
        hidden = model.decode(model.embed_tokens(ids), torch.arange(ids.shape[1])[None], MaskedAttend())
        whole = Reader.__base__.logits(model, hidden)[0, 20:-1]
    drawn = torch.cat([scores for scores in model.scores if len(scores)])
    torch.testing.assert_close(drawn, whole, atol=1e-5, rtol=1e-5)
    assert whole.argmax(-1).tolist() == request.token_ids


def test_media_stand_where_their_places_are() -> None:
    model = Reader()
    medium = picture(4, 7)
    prompt = with_picture(2, medium, before=5, after=6)
    engine = tiny_engine(model)
    request = engine.submit(prompt, COLD)
    finish_all(engine, [request])
    ids = torch.tensor(request.sequence.tokens)
    ids[5:12] = 0
    with torch.inference_mode():
        inputs = model.embed_tokens(ids)
        inputs[5:12] = torch.tanh(torch.from_numpy(medium.arrays["values"]))
        hidden = model.decode(inputs[None], torch.arange(len(ids))[None], MaskedAttend())
        assert model.logits(hidden)[0, 17:-1].argmax(-1).tolist() == request.token_ids
    assert request.usage.media_tokens == 7
    assert request.usage.prompt_tokens == 18
    assert request.usage.completion_tokens == 20


def test_a_second_question_on_the_same_medium_encodes_nothing() -> None:
    model = Reader()
    engine = tiny_engine(model)
    one = [with_picture(seed, picture(1)) for seed in (1, 2)]
    finish_all(engine, [engine.submit(prompt, COLD) for prompt in one])
    assert model.encoded == 1
    finish_all(engine, [engine.submit(with_picture(3, picture(1)), COLD)])
    assert model.encoded == 1
    assert (engine.embedding_cache.hits, engine.embedding_cache.misses) == (2, 1)


def test_another_medium_modality_or_tenant_is_encoded_and_computed_anew() -> None:
    model = Reader()
    engine = tiny_engine(model)
    base = with_picture(1, picture(1))
    others = [
        (with_picture(1, picture(2)), ""),
        (with_picture(1, picture(1, modality="sound")), ""),
        (base, "someone else"),
    ]
    first = engine.submit(base, COLD)
    finish_all(engine, [first])
    for encoded, (prompt, tenant) in enumerate(others, start=2):
        request = engine.submit(prompt, COLD, tenant=tenant)
        finish_all(engine, [request])
        assert model.encoded == encoded
        assert request.sequence.reused_tokens == (0 if tenant else BLOCK)
        assert (request.token_ids == first.token_ids) is bool(tenant)


def test_seeds_reproduce_and_differ() -> None:
    def say(seed: int) -> list[int]:
        return alone(PROMPTS[0], SamplingOptions(max_tokens=20, temperature=1.0, seed=seed))

    assert say(1) == say(1)
    assert say(1) != say(2)


def test_streamed_is_complete() -> None:
    for options in (COLD, WARM):
        engine = tiny_engine()
        request = engine.submit(PROMPTS[0], options)
        heard = hear(engine, request)
        assert heard.tokens == request.token_ids == alone(PROMPTS[0], options)
        assert heard.text == request.text == spelled(request.token_ids)
        assert [event.finish_reason for event in heard.events] == [None] * 19 + ["length"]


def test_an_end_token_ends_and_is_not_part_of_the_answer() -> None:
    engine = script_engine("Q: well, naïve 漢字")
    heard = hear(engine, request := engine.submit(Prompt(torch.tensor(list(b"Q: ")).numpy())))
    assert heard.text == "well, naïve 漢字"
    assert heard.events[-1].finish_reason == request.finish_reason == "stop"
    assert bytes(heard.tokens).decode() == heard.text


def test_a_stop_string_ends_and_is_not_part_of_the_text() -> None:
    engine = script_engine("Q: one two three")
    request = engine.submit(Prompt(torch.tensor(list(b"Q: ")).numpy()), SamplingOptions(stop=(" th", "zzz")))
    heard = hear(engine, request)
    assert heard.text == request.text == "one two"
    assert request.finish_reason == "stop"
    assert "".join(event.text for event in heard.events[:-1]) == "one two"


def test_a_context_that_runs_out_cuts_the_answer() -> None:
    engine = tiny_engine()
    request = engine.submit(words(1, 120), SamplingOptions(max_tokens=50))
    assert len(finish_all(engine, [request])[0]) == TINY.max_position_embeddings - 120
    assert request.finish_reason == "length"


def test_a_prompt_that_is_too_long_is_refused_in_a_sentence() -> None:
    engine = tiny_engine()
    with pytest.raises(CapacityError) as caught:
        engine.submit(words(1, 128))
    assert str(caught.value) == (
        "This model's maximum context length is 128 tokens, and the prompt of 128 leaves none for an answer; "
        "shorten it or give fewer media."
    )


def test_a_prompt_larger_than_the_cache_is_refused_and_a_long_answer_is_cut_to_it() -> None:
    engine = tiny_engine(blocks=5)
    with pytest.raises(CapacityError, match="needs keys and values of 21 tokens, but the cache holds 20"):
        engine.submit(words(1, 20))
    assert len(finish_all(engine, [engine.submit(words(1, 15), COLD)])[0]) == 5


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (words(1, 0), "The prompt is empty; expected at least one token."),
        (
            Prompt(words(1, 9).input_ids, (picture(1),), ()),
            "The prompt has 1 media but 0 places; expected one place for each.",
        ),
        (
            Prompt(words(1, 9).input_ids, (picture(1),), (5,)),
            (
                "Medium 0 (image) is to fill tokens 5 to 10 of a prompt of 9; expected places inside the prompt, "
                "behind those of the medium before."
            ),
        ),
        (
            Prompt(words(1, 9).input_ids, (picture(1, 3), picture(2, 3)), (1, 3)),
            (
                "Medium 1 (image) is to fill tokens 3 to 6 of a prompt of 9; expected places inside the prompt, "
                "behind those of the medium before."
            ),
        ),
    ],
)
def test_a_prompt_that_does_not_fit_itself_is_refused(prompt: Prompt, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        tiny_engine().submit(prompt)
    assert str(caught.value) == sentence


def test_options_are_checked_on_submission() -> None:
    with pytest.raises(InputError, match="top_p is 2; expected"):
        tiny_engine().submit(words(1, 3), SamplingOptions(top_p=2))


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_a_closed_stream_frees_every_block(steps: int) -> None:
    engine = tiny_engine(step_tokens=10, max_running=2)
    request = engine.submit(with_picture(1, picture(1), before=20), COLD)
    stream = engine.stream(request)
    for _ in range(steps):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert request.finish_reason == "cancelled"
    assert engine.blocks.free == engine.blocks.blocks
    assert not engine.step()
    assert len(request.token_ids) == steps


def test_cancelling_one_leaves_the_other_alone() -> None:
    engine = tiny_engine()
    first, second = (engine.submit(prompt, COLD) for prompt in PROMPTS[1:3])
    engine.step()
    engine.cancel(first)
    engine.cancel(first)
    assert hear(engine, second).tokens == alone(PROMPTS[2], COLD)
    heard = hear(engine, first)
    assert heard.events[-1].finish_reason == "cancelled"
    assert heard.text == first.text
    assert engine.blocks.free == engine.blocks.blocks


def test_a_medium_that_cannot_be_encoded_ends_its_own_request_only() -> None:
    engine = tiny_engine()
    broken = engine.submit(with_picture(1, picture(1, modality="broken")), COLD)
    other = engine.submit(PROMPTS[1], COLD)
    assert hear(engine, other).tokens == alone(PROMPTS[1], COLD)
    with pytest.raises(RuntimeError, match="the trunk is broken"):
        hear(engine, broken)
    assert engine.blocks.free == engine.blocks.blocks


def test_a_medium_of_another_length_than_its_places_is_an_error() -> None:
    engine = tiny_engine()
    values = picture(1, 5)
    wrong = Medium("image", values.arrays, 4, values.digest)
    with pytest.raises(InputError, match=r"Medium 0 \(image\) became 5 tokens, but the prompt keeps 4 places for it"):
        hear(engine, engine.submit(with_picture(1, wrong)))


def test_a_model_that_breaks_ends_the_requests_of_that_step_and_the_next_one_works() -> None:
    model = Script(b"ab" + bytes(100))
    engine = Engine(model, eos_ids=(0,), detokenize=spelled, capacity=Capacity(block_tokens=4))
    model.fail_at = 0
    request = engine.submit(Prompt(torch.tensor([97]).numpy()))
    with pytest.raises(RuntimeError, match="the machine is out of order"):
        hear(engine, request)
    model.fail_at = None
    assert engine.blocks.free == engine.blocks.blocks
    assert hear(engine, engine.submit(Prompt(torch.tensor([97]).numpy()))).text == "b"


def test_a_token_that_cannot_be_spelled_ends_its_own_request_only() -> None:
    def picky(ids: list[int]) -> str:
        if 255 in ids:
            raise ValueError("255 is no token of this tokenizer")
        return spelled(ids)

    model = Script(b"abcdefgh" + bytes([255]) + b"ijkl" + bytes(1))
    engine = Engine(model, eos_ids=(0,), detokenize=picky, capacity=Capacity(block_tokens=4))
    before, behind = (engine.submit(Prompt(np.zeros(length, dtype=np.int64))) for length in (7, 9))
    with pytest.raises(ValueError, match="255 is no token"):
        hear(engine, before)
    assert hear(engine, behind).text == "ijkl"
    assert engine.blocks.free == engine.blocks.blocks


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_and_goes_everyone_gets_the_right_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    engine = tiny_engine(blocks=30, max_running=4, step_tokens=int(rng.integers(5, 40)))
    kept: list[tuple[Request, Prompt, SamplingOptions]] = []
    for _ in range(40):
        choice = rng.random()
        if choice < 0.3:
            # Few beginnings, so that blocks are shared; some with a picture.
            beginning = words(int(rng.integers(2)), int(rng.integers(1, 40)))
            prompt = beginning if rng.random() < 0.7 else with_picture(7, picture(int(rng.integers(2))))
            options = (COLD, WARM)[int(rng.integers(2))]
            kept.append((engine.submit(prompt, options), prompt, options))
        elif choice < 0.4 and kept:
            request, _, _ = kept.pop(int(rng.integers(len(kept))))
            engine.cancel(request)
        else:
            engine.step()
    answers = finish_all(engine, [request for request, _, _ in kept])
    assert answers == [alone(prompt, options) for _, prompt, options in kept]
    assert engine.blocks.free == 30


def test_many_threads_stream_at_once() -> None:
    engine = tiny_engine(max_running=3)
    prompts = [words(seed, 5 + 3 * seed) for seed in range(8)]
    heard: dict[int, list[int]] = {}

    def listen(index: int) -> None:
        request = engine.submit(prompts[index], WARM)
        stream = engine.stream(request)
        if index == 7:
            next(stream)
            stream.close()  # type: ignore[attr-defined]
        else:
            heard[index] = [token for event in stream for token in event.token_ids]

    threads = [threading.Thread(target=listen, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert heard == {index: alone(prompts[index], WARM) for index in range(7)}
    assert engine.blocks.free == engine.blocks.blocks


def test_cancelled_while_another_thread_steps_is_freed_at_the_end_of_that_step() -> None:
    model = Reader()
    engine = tiny_engine(model)
    request = engine.submit(PROMPTS[1], COLD)
    entered, go_on = threading.Event(), threading.Event()
    decode = model.decode

    def slow(*args: object) -> torch.Tensor:
        entered.set()
        assert go_on.wait(30)
        return decode(*args)  # type: ignore[arg-type]

    model.decode = slow  # type: ignore[method-assign]
    stepping = threading.Thread(target=engine.step)
    stepping.start()
    assert entered.wait(30)
    engine.cancel(request)
    assert request.finish_reason is None
    late = engine.submit(PROMPTS[2], COLD)
    go_on.set()
    stepping.join(timeout=30)
    assert request.finish_reason == "cancelled"
    assert engine.blocks.free == engine.blocks.blocks
    assert hear(engine, late).tokens == alone(PROMPTS[2], COLD)


def test_an_interrupted_step_can_be_run_again() -> None:
    model = Reader()
    engine = tiny_engine(model)
    request = engine.submit(PROMPTS[1], COLD)
    engine.step()
    decode = model.decode

    def interrupted(*args: object) -> torch.Tensor:
        raise KeyboardInterrupt

    model.decode = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        engine.step()
    model.decode = decode  # type: ignore[method-assign]
    assert hear(engine, request).tokens == alone(PROMPTS[1], COLD)


@pytest.mark.parametrize("wrong", [{"block_tokens": 0}, {"max_running": 0}, {"step_tokens": 16}])
def test_a_capacity_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected block_tokens and max_running of 1 or more"):
        tiny_engine(**wrong)


def test_a_cache_smaller_than_a_block_is_refused() -> None:
    with pytest.raises(InputError, match="cache_bytes is 0; expected 1024"):
        tiny_engine(blocks=0)


def test_the_cache_is_no_larger_than_can_be_filled() -> None:
    assert tiny_engine(blocks=10**9, max_running=2).blocks.blocks == 2 * 128 // BLOCK


def test_narrow_keys_and_values_are_close_and_a_batch_changes_nothing() -> None:
    def scores(kv_dtype: torch.dtype | None = None) -> tuple[Tensor, list[list[int]]]:
        model = Reader()
        engine = Engine(model, eos_ids=(), detokenize=spelled, kv_dtype=kv_dtype)
        together = finish_all(engine, [engine.submit(prompt, COLD) for prompt in PROMPTS])
        return model.scores[0], together

    wide, _ = scores()
    narrow, together = scores(torch.bfloat16)
    assert 0 < float((narrow - wide).norm() / wide.norm()) < 0.02
    for prompt, tokens in zip(PROMPTS, together, strict=True):
        engine = Engine(Reader(), eos_ids=(), detokenize=spelled, kv_dtype=torch.bfloat16)
        assert finish_all(engine, [engine.submit(prompt, COLD)]) == [tokens]
