"""Intervals that hold, tests that raise false alarms as seldom as they say, and power that is kept."""

from __future__ import annotations

import numpy as np
import pytest

from tutti.evaluate.statistics import (
    cases_needed,
    clustered_deviation,
    compare,
    detectable,
    holm,
    mean_interval,
    percentile,
    sign_flip_p,
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


def test_power_is_kept_at_the_number_that_it_names() -> None:
    """Scores of 0 or 1 of which a fifth differ, to the worse three times in four: a drop of 10 points."""
    rng = np.random.default_rng(2)

    def drops(count: int) -> list[float]:
        return np.where(rng.random(count) < 0.2, np.where(rng.random(count) < 0.75, -1.0, 1.0), 0.0).tolist()

    needed = cases_needed(0.1, clustered_deviation(drops(100_000), each(100_000)), one_sided=True)
    assert needed is not None
    assert 100 < needed < 150
    found = [sign_flip_p(drops(needed), each(needed), one_sided=True, seed=trial) < 0.05 for trial in range(100)]
    assert 0.7 <= np.mean(found) <= 0.92


def test_needed_and_detectable_are_inverse() -> None:
    needed = cases_needed(0.1, 0.5)
    assert needed == 207  # 196.2 and the correction for continuity
    assert detectable(197, 0.5) == pytest.approx(0.1, abs=0.001)
    assert cases_needed(0.0, 0.5) is None


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
