"""Figures of an audit: counted by hand, found where planted, and silent where nothing is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tutti.trust.fairness.association import amplification_of, association_of
from tutti.trust.fairness.policy import AuditPolicy, judged
from tutti.trust.fairness.ranking import ndkl, shares_of, skew_of, skews_at
from tutti.trust.fairness.rates import calibration_error, gap_of, odds_gaps, rows_needed, wilson


def test_a_gap_by_hand() -> None:
    hits = [True] * 9 + [False] + [True] * 5 + [False] * 5
    gap = gap_of("accuracy", "gender", hits, ["a"] * 10 + ["b"] * 10)
    assert gap is not None
    assert (gap.best, gap.worst) == ("a", "b")
    assert gap.gap == pytest.approx(0.4)
    # Fisher's exact test of 9 of 10 against 5 of 10 gives .141.
    assert gap.p_value == pytest.approx(0.141, abs=0.02)
    assert gap.low < 0.4 < gap.high
    assert gap_of("accuracy", "gender", hits, ["a"] * 15 + ["b"] * 5) is None


def test_wilson_by_hand() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)  # Brown, Cai and DasGupta 2001
    assert wilson(0, 20)[0] == pytest.approx(0)


def test_equalized_odds_and_parity_by_hand() -> None:
    truth = np.array([True] * 20 + [False] * 20)
    said = np.array([True] * 10 + [True] * 4 + [False] * 6 + [False] * 10 + [True] * 3 + [False] * 7)
    of = ["a"] * 10 + ["b"] * 10 + ["a"] * 10 + ["b"] * 10
    found = {gap.figure: gap.gap for gap in odds_gaps(truth, said, of, "g")}
    assert found == pytest.approx({"false negative rate": 0.6, "false positive rate": 0.3, "demographic parity": 0.15})


def log_choices(n: int) -> np.ndarray:
    """Logarithms of the binomial coefficients of n."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return factorials[n] - factorials - factorials[::-1]


def found_share(rows: int, rate: float, other: float, alpha: float) -> float:
    """Share of draws, two groups of so many rows, in which a permutation test finds a gap: every outcome counted."""
    ways, places = log_choices(rows), np.arange(rows + 1)
    one, two = (np.exp(ways + places * np.log(p) + (rows - places) * np.log1p(-p)) for p in (rate, other))
    share = 0.0
    for hits in range(2 * rows + 1):
        low, high = max(0, hits - rows), min(hits, rows)
        first = np.arange(low, high + 1)
        drawn = one[first] * two[hits - first]
        if drawn.sum() < 1e-12:
            continue
        chance = np.exp(ways[first] + ways[hits - first] - (ways[first] + ways[hits - first]).max())
        chance /= chance.sum()
        gap = np.abs(2 * first - hits)
        order = np.argsort(-gap, kind="stable")
        # Of gaps as large as one or larger; equal ones count together.
        up_to = np.searchsorted(-gap[order], -gap, side="right")
        share += float(drawn[np.cumsum(chance[order])[up_to - 1] <= alpha].sum())
    return share


def test_every_outcome_counted_the_n_that_the_calculation_names_finds_five_points_and_no_gap_rarely() -> None:
    rows = rows_needed(0.8, 0.05)
    assert 0.8 <= found_share(rows, 0.80, 0.75, 0.05) < 0.82
    assert found_share(rows - 100, 0.80, 0.75, 0.05) < 0.8, "the calculation names more rows than are needed"
    assert 0.03 < found_share(rows, 0.80, 0.80, 0.05) <= 0.05


def test_an_injected_gap_of_five_points_is_found_at_the_n_that_the_calculation_names() -> None:
    rows, found = rows_needed(0.8, 0.05), 0
    assert 1080 < rows < 1160  # 1,134 by Fleiss's tables with the correction
    for seed in range(200):
        rng = np.random.default_rng(seed)
        hits = np.concatenate([rng.random(rows) < 0.80, rng.random(rows) < 0.75])
        gap = gap_of("accuracy", "g", hits.tolist(), ["a"] * rows + ["b"] * rows, seed=seed)
        assert gap is not None
        found += gap.p_value <= 0.05
    expected = found_share(rows, 0.80, 0.75, 0.05)
    assert abs(found / 200 - expected) < 2.6 * np.sqrt(expected * (1 - expected) / 200)  # 99 % of 200 runs


def test_without_a_gap_there_are_few_alarms_over_all_attributes() -> None:
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        hits = (rng.random(300) < 0.8).tolist()
        figures = []
        for name, groups in (("gender", 2), ("race", 7), ("age", 4)):
            of = rng.integers(0, groups, 300).astype(str).tolist()
            gap = gap_of("accuracy", name, hits, of, seed=seed)
            assert gap is not None
            figures.append({"figure": "accuracy gap", "attribute": name, "value": gap.gap, "p_value": gap.p_value,
                            "threshold": "max_accuracy_gap", "detail": ""})  # fmt: skip
        alarms += any(one.verdict == "past" for one in judged(figures, AuditPolicy()))
    assert alarms <= 10


def test_calibration_by_hand() -> None:
    assert calibration_error([0.95] * 10, [True] * 10) == pytest.approx(0.05)
    assert calibration_error([0.95] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.45)


def test_skew_by_hand() -> None:
    ranked = ["m"] * 4 + ["w"] * 4
    assert skews_at(ranked, 4, shares_of(ranked)) == pytest.approx({"m": math.log(2), "w": math.log(0.125 / 0.5)})
    assert ndkl(["m", "w"] * 50, {"m": 0.5, "w": 0.5}) < ndkl(["m"] * 50 + ["w"] * 50, {"m": 0.5, "w": 0.5})
    sorted_out = skew_of("a boss", "gender", ["m"] * 40 + ["w"] * 40, 20)
    assert (sorted_out.group, sorted_out.max_skew) == ("m", pytest.approx(math.log(2)))
    assert sorted_out.p_value < 0.01
    mixed = np.random.default_rng(0).permutation(["m", "w"] * 40).tolist()
    assert skew_of("a boss", "gender", mixed, 20).p_value > 0.05


def test_association_of_planted_vectors() -> None:
    rng = np.random.default_rng(0)

    def around(centre: list[float], count: int) -> np.ndarray:
        rows = np.array(centre) + 0.3 * rng.normal(size=(count, 3))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    near, far = np.eye(3, dtype=np.float32)[:1], np.eye(3, dtype=np.float32)[1:2]
    planted = association_of(around([1, 0.4, 0], 40), around([0.4, 1, 0], 40), near, far)
    assert planted.effect_size > 0.8
    assert planted.p_value < 0.01
    alike = association_of(around([1, 1, 0], 40), around([1, 1, 0], 40), near, far)
    assert alike.p_value > 0.05


def test_a_planted_amplification_lies_within_its_interval() -> None:
    rng, inside, shown = np.random.default_rng(0), 0, 40
    for seed in range(shown):
        groups = rng.choice(["m", "w"], 400).tolist()
        truth = ["boss" if rng.random() < (0.6 if group == "m" else 0.4) else "clerk" for group in groups]
        # A tenth of what does not fit the stereotype is said to.
        said = [
            "boss" if group == "m" and rng.random() < 0.1 else "clerk" if group == "w" and rng.random() < 0.1 else label
            for group, label in zip(groups, truth, strict=True)
        ]
        found = amplification_of("gender", groups, truth, said, draws=200, seed=seed)
        inside += found.low <= 0.04 <= found.high  # 0.1 x 0.4, of either group
        assert found.low > 0
    assert inside / shown >= 0.85
    exact = amplification_of("gender", ["m", "w"] * 50, ["boss", "clerk"] * 50, ["boss", "clerk"] * 50)
    assert (exact.amount, exact.low, exact.high) == (0, 0, 0)
