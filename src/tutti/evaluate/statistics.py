"""How sure a difference is: intervals, paired tests and the number of cases that would do. All in clusters.

Cases on one medium are right and wrong together, so whole clusters are drawn (bootstrap) or flipped (test); treating
such cases as independent makes intervals too narrow (Miller 2024, "Adding Error Bars to Evals", section 2.2).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_DRAWS = 4000
_FLIPS = 20_000
_EXACT_CLUSTERS = 14
"""Up to so many clusters with a difference all sign flips are tried; above, some are drawn."""
_NOTHING = 1e-9
"""What means over variants of equal scores may differ by."""


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


def share_interval(scores: Sequence[float], clusters: Sequence[str], *, level: float = 0.95) -> Interval:
    """`mean_interval` of scores from 0 to 1; where all are 0, or all 1, every draw is alike, so it is Wilson's instead.

    Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1. Three right of three say 44 to 100 %.
    """
    found = mean_interval(scores, clusters, level=level)
    if found.low == found.high and found.mean in (0.0, 1.0):
        z = NormalDist().inv_cdf((1 + level) / 2)
        unseen = z * z / (found.clusters + z * z)
        return replace(found, low=1 - unseen, high=1.0) if found.mean else replace(found, low=0.0, high=unseen)
    return found


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
    spread = spread_of(differences.tolist(), clusters)
    return Comparison(
        difference=interval,
        p_value=sign_flip_p(differences.tolist(), clusters, seed=seed),
        cases_needed=cases_needed(interval.mean, spread, alpha=alpha / tests) if spread else None,
        detectable=detectable(len(differences), spread, alpha=alpha / tests) if spread else 0.0,
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
    sums = sums[np.abs(sums) > _NOTHING]
    if len(sums) == 0:
        return 1.0
    if np.ptp(np.abs(sums)) < _NOTHING:  # as of scores of 0 and 1: ups are binomial
        ups, downs = int((sums > 0).sum()), int((sums < 0).sum())
        fewer = ups if one_sided else min(ups, downs)
        tail: float = sum(math.comb(len(sums), count) for count in range(fewer + 1)) / 2 ** len(sums)
        return tail if one_sided else min(1.0, 2 * tail)
    if len(sums) <= _EXACT_CLUSTERS:
        bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
        totals = (1 - 2 * bits) @ sums
    else:
        rng = np.random.default_rng(seed)
        signs = rng.integers(0, 2, (_FLIPS, len(sums)), dtype=np.int8) * 2 - 1
        totals = np.concatenate([signs @ sums, [sums.sum()]])
    seen = sums.sum()
    slack = _NOTHING * np.abs(sums).sum()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the differences of two models vary over clusters: what the power of the paired test depends on."""

    changing: float
    """Share of clusters that changes would be in, were all changes of one size: E[d²]² / E[d⁴] of their sums d."""
    size: float
    """That size: √(E[d⁴] / E[d²])."""
    step: float
    """The smallest change seen. Sums go up and down by such steps, so that the test falls short of its level."""
    cases: float
    """Cases a cluster, on average."""


def spread_of(differences: Sequence[float], clusters: Sequence[str]) -> Spread | None:
    """The spread of differences, one a case; None where no cluster changes."""
    sums, sizes = _by_cluster(differences, clusters)
    changed = np.abs(sums[np.abs(sums) > _NOTHING])
    if len(changed) == 0:
        return None
    second, fourth = (float((changed**power).sum()) / len(sums) for power in (2, 4))
    return Spread(
        changing=second**2 / fourth,
        size=math.sqrt(fourth / second),
        step=float(changed.min()),
        cases=float(sizes.mean()),
    )


def cases_needed(
    difference: float, spread: Spread, *, alpha: float = 0.05, power: float = 0.8, one_sided: bool = False
) -> int | None:
    """Cases with which `sign_flip_p` finds a difference with the given power.

    The test calls a sum of changes S of C clusters extreme where it passes z√Q, Q being the sum of their squares. With
    Q developed about its mean, S - z√Q has the mean √C (θ√C - z) and the variance 1 - θ² - (1/q - 1)(rθ - r²/4), in
    units of E[d²] and C, where θ = δ/√E[d²], r = z/√C, and a share q of clusters change, all by as much. Sums in steps
    of s pass z a step late on average; and z itself is less than the normal quantile, by the kurtosis of a sum of signs
    (Cornish and Fisher 1938). McNemar's test has the usual formula (Lachin 1992) without r, s and the kurtosis,
    which matter where few cases change.

    Args:
        difference: To be found, a case.
        spread: Of the differences. Where so few change that no direction of theirs gives the difference, more do.
        alpha: False alarms allowed.
        power: Share of such suites that find it.
        one_sided: Only one direction is asked for.

    Returns:
        The number, or None for a difference of zero, which no number finds.
    """
    if difference == 0:
        return None
    mean = abs(difference) * spread.cases
    size = max(spread.size, mean)
    changing = max(spread.changing, mean / size)
    root = size * math.sqrt(changing)
    theta, step = mean / root, min(spread.step, size) / root
    normal = NormalDist()
    quantile, luck = normal.inv_cdf(1 - alpha / (1 if one_sided else 2)), normal.inv_cdf(power)
    clusters = ((quantile + luck) / theta) ** 2
    for _ in range(20):
        signs = max(3.0, clusters * changing)
        reach = quantile - (quantile**3 - 3 * quantile) / (12 * signs)
        slope = min(theta, reach / math.sqrt(clusters))
        variance = 1 - theta**2 - (1 / changing - 1) * (slope * theta - slope**2 / 4)
        reach += luck * math.sqrt(max(0.0, variance))
        clusters = ((reach + math.sqrt(reach**2 + 4 * theta * step)) / (2 * theta)) ** 2
    return max(2, math.ceil(clusters * spread.cases))


def detectable(cases: int, spread: Spread, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference that so many cases find with the given power; arguments as for `cases_needed`."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        enough = (cases_needed(middle, spread, alpha=alpha, power=power) or 0) <= cases
        low, high = (low, middle) if enough else (middle, high)
    return high


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
