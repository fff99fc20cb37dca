from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from tutti.content import SamplingOptions
from tutti.engine.sampling import Sampler, check_options
from tutti.errors import InputError

# Probabilities 1/2, 1/4, 1/8, 1/8.
LOGITS = torch.log(torch.tensor([0.125, 0.5, 0.125, 0.25]))


def drawn(times: int = 4000, **options: float) -> dict[int, float]:
    sampler = Sampler(SamplingOptions(**{"temperature": 1.0, **options}))
    return {token: count / times for token, count in Counter(sampler.draw(LOGITS) for _ in range(times)).items()}


def test_greedy_takes_the_likeliest() -> None:
    assert Sampler(SamplingOptions()).draw(LOGITS) == 1


def test_draws_follow_the_distribution() -> None:
    assert drawn() == pytest.approx({0: 0.125, 1: 0.5, 2: 0.125, 3: 0.25}, abs=0.03)


def test_temperature_half_squares_the_odds() -> None:
    # Squares are 1, 16, 1, 4 parts of 22.
    assert drawn(temperature=0.5) == pytest.approx({0: 1 / 22, 1: 16 / 22, 2: 1 / 22, 3: 4 / 22}, abs=0.03)


def test_top_k_keeps_the_two_likeliest() -> None:
    assert drawn(top_k=2) == pytest.approx({1: 2 / 3, 3: 1 / 3}, abs=0.03)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, {1}), (0.5, {1}), (0.51, {1, 3}), (0.75, {1, 3}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_keeps_the_least_that_reach_it(top_p: float, kept: set[int]) -> None:
    assert set(drawn(top_p=top_p)) == kept


def test_a_token_without_probability_is_never_drawn() -> None:
    logits = torch.tensor([-math.inf, 0.0, -math.inf])
    sampler = Sampler(SamplingOptions(temperature=1.0, seed=3))
    assert {sampler.draw(logits) for _ in range(200)} == {1}


def test_repetition_penalty_divides_what_is_positive_and_multiplies_what_is_negative() -> None:
    options = SamplingOptions(repetition_penalty=2.0)
    # 3 / 2 = 1.5 falls behind 2.
    assert Sampler(options, present=[0]).draw(torch.tensor([3.0, 2.0])) == 1
    # -1 * 2 = -2 falls behind -1.5; dividing would have favoured it.
    assert Sampler(options, present=[0]).draw(torch.tensor([-1.0, -1.5])) == 1
    # Unsaid, the likeliest wins.
    assert Sampler(options).draw(torch.tensor([3.0, 2.0])) == 0


def test_repetition_penalty_counts_what_was_drawn() -> None:
    sampler = Sampler(SamplingOptions(repetition_penalty=2.0))
    logits = torch.tensor([3.0, 2.9, 2.8])
    assert [sampler.draw(logits) for _ in range(3)] == [0, 1, 2]
    assert logits.tolist() == pytest.approx([3.0, 2.9, 2.8]), "the model's logits were changed"


def test_placeholders_outside_the_vocabulary_are_not_penalized() -> None:
    assert Sampler(SamplingOptions(repetition_penalty=2.0), present=[100_000, -1]).draw(LOGITS) == 1


def test_one_seed_one_sequence() -> None:
    def sequence(seed: int) -> list[int]:
        sampler = Sampler(SamplingOptions(temperature=1.0, seed=seed))
        return [sampler.draw(LOGITS) for _ in range(40)]

    assert sequence(7) == sequence(7)
    assert sequence(7) != sequence(8)


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    Sampler(SamplingOptions(temperature=1.0)).draw(LOGITS)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_tokens": 0}, "max_tokens is 0; expected 1 or more."),
        ({"temperature": -1.0}, "temperature is -1.0; expected 0 (greedy) or a finite number above it."),
        ({"temperature": math.nan}, "temperature is nan; expected 0 (greedy) or a finite number above it."),
        ({"temperature": math.inf}, "temperature is inf; expected 0 (greedy) or a finite number above it."),
        ({"top_k": -1}, "top_k is -1; expected 0 (keep all tokens) or more."),
        ({"top_p": 0.0}, "top_p is 0.0; expected a number above 0 and at most 1."),
        ({"top_p": 1.5}, "top_p is 1.5; expected a number above 0 and at most 1."),
        (
            {"repetition_penalty": 0.0},
            "repetition_penalty is 0.0; expected a finite number above 0 (1 is no penalty).",
        ),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 9223372036854775807."),
        ({"stop": ("a", "")}, "stop holds an empty string, which would end every answer; expected non-empty strings."),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        check_options(SamplingOptions(**options))  # type: ignore[arg-type]
    assert str(caught.value) == sentence
