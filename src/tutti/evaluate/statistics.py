"""How sure a difference is: intervals, paired tests and the number of cases that would do. All in clusters.

Cases on one medium are right and wrong together, so whole clusters are drawn (bootstrap) or flipped (test); treating
such cases as independent makes intervals too narrow (Miller 2024, "Adding Error Bars to Evals", section 2.2).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_DRAWS = 4000
_EXACT_CLUSTERS = 14
"""Up to so many clusters with a difference all sign flips are tried; above, some are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and where it may lie."""

    mean: float
    low: float
    high: float
    cases: int
    clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Whether two sets of scores on the same cases differ."""

    difference: Interval
    """Of the first less the second."""
    p_value: float
    """Two-sided, of the hypothesis that the signs of the clusters' differences are chance."""
    cases_needed: int | None
    """Cases like these that would tell a difference of this size apart, at 80 % power; None if there is none."""
    detectable: float
    """The smallest difference that as many cases as these tell apart, at 80 % power."""


def mean_interval(scores: Sequence[float], clusters: Sequence[str], *, level: float = 0.95, seed: int = 0) -> Interval:
    """Mean with a percentile-bootstrap interval over clusters (Efron and Tibshirani 1993, chapter 13).

    Args:
        scores: (N,) one a case.
        clusters: (N,) what each case shares its luck with.
        level: Share of such intervals that hold the true mean.
        seed: Of the draw.

    Raises:
        ValueError: There are no scores: no data is not the same as all wrong.
    """
    sums, sizes = _by_cluster(scores, clusters)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(sums), (_DRAWS, len(sums)))
    means = sums[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        mean=float(sums.sum() / sizes.sum()),
        low=float(low),
        high=float(high),
        cases=len(scores),
        clusters=len(sums),
    )


def compare(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[str],
    *,
    alpha: float = 0.05,
    tests: int = 1,
    seed: int = 0,
) -> Comparison:
    """Compare scores of two models on the same cases, case by case.

    Args:
        first: (N,) scores.
        second: (N,) scores on the same cases.
        clusters: (N,) what each case shares its luck with.
        alpha: Share of false alarms that `cases_needed` and `detectable` allow.
        tests: How many such comparisons share that (Bonferroni, the first step of `holm`).
        seed: Of the draws.
    """
    differences = np.asarray(first, float) - np.asarray(second, float)
    interval = mean_interval(differences.tolist(), clusters, level=1 - alpha, seed=seed)
    spread = clustered_deviation(differences.tolist(), clusters)
    needed = cases_needed(interval.mean, spread, alpha=alpha / tests)
    return Comparison(
        difference=interval,
        p_value=sign_flip_p(differences.tolist(), clusters, seed=seed),
        cases_needed=needed,
        detectable=detectable(len(differences), spread, alpha=alpha / tests),
    )


def sign_flip_p(
    differences: Sequence[float], clusters: Sequence[str], *, one_sided: bool = False, seed: int = 0
) -> float:
    """P-value of the paired permutation test that flips the sign of whole clusters.

    Args:
        differences: (N,) one a case.
        clusters: (N,) what each case shares its luck with.
        one_sided: Ask whether the mean is below zero, not whether it is other than zero.
        seed: Of the draw, where there are too many flips to try all.

    Returns:
        Share of flips that are at least as extreme; the one seen is among them, so it is never 0.
    """
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[sums != 0]
    if len(sums) == 0:
        return 1.0
    if len(sums) <= _EXACT_CLUSTERS:
        bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
        totals = (1 - 2 * bits) @ sums
    else:
        rng = np.random.default_rng(seed)
        signs = rng.integers(0, 2, (_DRAWS * 2, len(sums)), dtype=np.int8) * 2 - 1
        totals = np.concatenate([signs @ sums, [sums.sum()]])
    seen = sums.sum()
    slack = 1e-9 * np.abs(sums).sum()
    extreme = totals <= seen + slack if one_sided else np.abs(totals) >= abs(seen) - slack
    return float(extreme.mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    out, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        out[index] = highest
    return out


def clustered_deviation(scores: Sequence[float], clusters: Sequence[str]) -> float:
    """Standard deviation a case would need to have, were cases independent, for the mean to vary as it does.

    The square of it is N times the clustered variance of the mean (Miller 2024, equation 4).
    """
    sums, sizes = _by_cluster(scores, clusters)
    if len(sums) < 2:
        return 0.0
    residuals = sums - sizes * (sums.sum() / sizes.sum())
    variance = (residuals**2).sum() * len(sums) / (len(sums) - 1) / sizes.sum() ** 2
    return float(math.sqrt(variance * sizes.sum()))


def cases_needed(
    difference: float, deviation: float, *, alpha: float = 0.05, power: float = 0.8, one_sided: bool = False
) -> int | None:
    """Cases with which a difference is found with the given power (normal approximation with continuity, paired).

    Args:
        difference: To be found.
        deviation: Standard deviation of a case's difference, as by `clustered_deviation`.
        alpha: False alarms allowed.
        power: Share of such suites that find it.
        one_sided: Only one direction is asked for.

    Returns:
        The number, or None for a difference of zero, which no number finds.
    """
    if difference == 0 or deviation == 0:
        return None if difference == 0 else 2
    plain = (_reach(alpha, power, one_sided) * deviation / abs(difference)) ** 2
    # Scores of 0 and 1 come in steps, which a test by flips does not spread over: Fleiss's correction for continuity.
    return max(2, math.ceil(plain / 4 * (1 + math.sqrt(1 + 2 / (plain * abs(difference)))) ** 2))


def detectable(cases: int, deviation: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that so many cases find with the given power; arguments as for `cases_needed`."""
    return _reach(alpha, power, one_sided=False) * deviation / math.sqrt(cases)


def _reach(alpha: float, power: float, one_sided: bool) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / (1 if one_sided else 2)) + normal.inv_cdf(power)


def percentile(values: Sequence[float], share: float) -> float | None:
    """A percentile by linear interpolation; None of no values."""
    return float(np.quantile(np.asarray(values, float), share)) if len(values) else None


def _by_cluster(scores: Sequence[float], clusters: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and size of each cluster, (C,) each."""
    if len(scores) == 0:
        raise ValueError("there are no scores")
    sums: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    for value, cluster in zip(scores, clusters, strict=True):
        sums[cluster] += value
        sizes[cluster] += 1
    return np.array([sums[key] for key in sums]), np.array([sizes[key] for key in sums], dtype=float)
