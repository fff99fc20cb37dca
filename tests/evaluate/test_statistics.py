"""Intervals that hold, tests that raise false alarms as seldom as they say, and power that is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tutti.evaluate.statistics import (
    Spread,
    cases_needed,
    compare,
    detectable,
    holm,
    mean_interval,
    percentile,
    share_interval,
    sign_flip_p,
    spread_of,
)


def each(count: int) -> list[str]:
    return [str(index) for index in range(count)]


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        found = mean_interval((rng.random(60) < 0.3).astype(float).tolist(), each(60), seed=trial)
        held += found.low <= 0.3 <= found.high
    assert 0.88 <= held / 100 <= 0.99


def test_clusters_widen_the_interval() -> None:
    scores = [1.0] * 20 + [0.0] * 20
    alone = mean_interval(scores, each(40))
    together = mean_interval(scores, [str(index // 10) for index in range(40)])
    assert alone.mean == together.mean == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.clusters == 4


def test_all_right_is_not_certain() -> None:
    found = share_interval([1.0] * 3, each(3))
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.4385, abs=1e-4)  # 3 / (3 + 1.96²)
    assert share_interval([0.0] * 3, each(3)).high == pytest.approx(1 - 0.4385, abs=1e-4)
    assert share_interval([1.0] * 6, ["a"] * 3 + ["b"] * 3).low < share_interval([1.0] * 6, each(6)).low
    mixed = [1.0] * 20 + [0.0] * 20
    assert share_interval(mixed, each(40)) == mean_interval(mixed, each(40))


def test_no_data_is_not_zero() -> None:
    with pytest.raises(ValueError, match="no scores"):
        mean_interval([], [])
    assert percentile([], 0.5) is None


def test_sign_flips_by_hand() -> None:
    """Four drops: 1 of 16 flips is as extreme downwards, 2 of 16 either way."""
    assert sign_flip_p([-1, -1, -1, -1], each(4), one_sided=True) == 1 / 16
    assert sign_flip_p([-1, -1, -1, -1], each(4)) == 2 / 16
    assert sign_flip_p([0, 0], each(2)) == 1
    # In one cluster, they are one drop.
    assert sign_flip_p([-1, -1, -1, -1], ["a"] * 4, one_sided=True) == 1 / 2


def test_false_alarms_are_as_seldom_as_said() -> None:
    rng = np.random.default_rng(1)
    alarms = [
        sign_flip_p(rng.integers(-1, 2, 40).tolist(), each(40), one_sided=True, seed=trial) < 0.05
        for trial in range(150)
    ]
    assert np.mean(alarms) <= 0.08


def mcnemar_power(count: int, ups: float, downs: float, alpha: float) -> float:
    """Exact power of the one-sided test on cases that become right or wrong with these chances, from binomials."""
    changing, total = ups + downs, 0.0
    for changed in range(count + 1):
        share = math.comb(count, changed) * changing**changed * (1 - changing) ** (count - changed)
        tail = np.cumsum([math.comb(changed, up) / 2**changed for up in range(changed + 1)])
        caught = int((tail < alpha).sum())
        up = ups / changing
        total += share * sum(math.comb(changed, k) * up**k * (1 - up) ** (changed - k) for k in range(caught))
    return total


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize(("drop", "changing"), [(0.1, 0.16), (0.1, 0.2), (0.1, 0.4), (0.2, 0.3), (0.3, 0.5)])
def test_power_is_what_is_named_at_the_number_that_is_named(drop: float, changing: float, alpha: float) -> None:
    spread = Spread(changing=changing, size=1, step=1, cases=1)
    needed = cases_needed(drop, spread, alpha=alpha, one_sided=True)
    assert needed is not None
    assert mcnemar_power(needed, (changing - drop) / 2, (changing + drop) / 2, alpha) == pytest.approx(0.8, abs=0.03)


def test_the_test_has_the_power_that_binomials_give_it() -> None:
    rng = np.random.default_rng(2)
    found = 0
    for trial in range(200):
        drops = np.where(rng.random(134) < 0.2, np.where(rng.random(134) < 0.75, -1.0, 1.0), 0.0).tolist()
        found += sign_flip_p(drops, each(134), one_sided=True, seed=trial) < 0.05
    assert found / 200 == pytest.approx(mcnemar_power(134, 0.05, 0.15, 0.05), abs=0.07)


def test_power_is_kept_with_graded_scores_in_clusters() -> None:
    """Means over six prompts, two cases a medium."""
    rng = np.random.default_rng(3)

    def drops(media: int) -> list[float]:
        chance = np.repeat(rng.beta(1.4, 0.6, media), 2)[:, None]
        worse = np.clip(chance - 0.2 * rng.random(chance.shape), 0, 1)
        old, new = (np.mean(rng.random((2 * media, 6)) < one, axis=1) for one in (chance, worse))
        return (new - old).tolist()

    def pairs(media: int) -> list[str]:
        return [str(index // 2) for index in range(2 * media)]

    many = drops(20_000)
    spread = spread_of(many, pairs(20_000))
    assert spread is not None
    assert spread.cases == 2
    assert spread.step == pytest.approx(1 / 6)
    needed = cases_needed(float(np.mean(many)), spread, one_sided=True)
    assert needed is not None
    media = math.ceil(needed / 2)
    found = [sign_flip_p(drops(media), pairs(media), one_sided=True, seed=trial) < 0.05 for trial in range(200)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.08)


def test_needed_and_detectable_are_inverse() -> None:
    spread = Spread(changing=0.25, size=1, step=1, cases=1)
    needed = cases_needed(0.1, spread)
    assert needed == 209  # 196.2 by the plain formula with a deviation of 0.5
    assert detectable(needed, spread) == pytest.approx(0.1, abs=0.0005)
    assert cases_needed(0.0, spread) is None
    assert spread_of([0.0, 0.0], each(2)) is None


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_comparison_says_how_many_cases_would_do() -> None:
    rng = np.random.default_rng(3)
    first = (rng.random(40) < 0.55).astype(float).tolist()
    second = (rng.random(40) < 0.50).astype(float).tolist()
    found = compare(first, second, each(40))
    assert found.p_value > 0.05
    assert found.cases_needed is None or found.cases_needed > 40
    assert found.difference.mean == pytest.approx(np.mean(first) - np.mean(second))
