"""Rates per group, the largest gap between groups, and how sure it is. Formulas in plain numpy.

Sources: Hardt, Price and Srebro 2016 (equalized odds), Dwork et al. 2012 (demographic parity), Wilson 1927 and
Newcombe 1998 (intervals of shares and of their differences), Fisher 1935 (permutation), Guo et al. 2017 (calibration
error), Fleiss, Levin and Paik 2003, section 4.2 (power).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_DRAWS = 4000
_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRate:
    """A share in one group."""

    group: str
    rate: float
    low: float
    """Of Wilson's interval."""
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The largest difference of a rate between two groups of an attribute."""

    figure: str
    attribute: str
    gap: float
    low: float
    """Of Newcombe's interval of that difference, as of two groups that were named before."""
    high: float
    p_value: float
    """Share of random assignments of rows to groups whose largest gap is at least as large."""
    best: str
    worst: str
    rates: tuple[GroupRate, ...]


def gap_of(
    figure: str, attribute: str, hits: Sequence[bool], groups: Sequence[str], *, least: int = 10, seed: int = 0
) -> Gap | None:
    """The largest gap of a share between groups.

    Args:
        figure: What the share is of, such as accuracy.
        attribute: What the groups are of.
        hits: (N,) one a row.
        groups: (N,) the row's group.
        least: Groups of fewer rows are left out.
        seed: Of the draws.

    Returns:
        None where fewer than two groups have enough rows.
    """
    names, place = np.unique(np.asarray(groups, object).astype(str), return_inverse=True)
    sizes = np.bincount(place, minlength=len(names))
    kept = np.flatnonzero(sizes >= least)
    if len(kept) < 2:
        return None
    rights = np.bincount(place, np.asarray(hits, float), minlength=len(names)).astype(int)[kept]
    sizes = sizes[kept]
    shares = rights / sizes
    best, worst = int(shares.argmax()), int(shares.argmin())
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(sizes, int(rights.sum()), size=_DRAWS) / sizes
    seen = float(shares[best] - shares[worst])
    extreme = int(((drawn.max(1) - drawn.min(1)) >= seen - 1e-12).sum())
    low, high = _difference((rights[best], sizes[best]), (rights[worst], sizes[worst]))
    rates = tuple(_rate(str(names[index]), int(rights[n]), int(sizes[n])) for n, index in enumerate(kept))
    return Gap(
        figure=figure, attribute=attribute, gap=seen, low=low, high=high, p_value=(extreme + 1) / (_DRAWS + 1),
        best=rates[best].group, worst=rates[worst].group, rates=rates,
    )  # fmt: skip


def _rate(group: str, right: int, count: int) -> GroupRate:
    low, high = wilson(right, count)
    return GroupRate(group=group, rate=right / count, low=low, high=high, count=count)


def wilson(right: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, weight = right / count, z * z / count
    middle, half = share + weight / 2, z * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))


def _difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """Newcombe's interval of a difference of two shares (1998, method 10)."""
    first, second = one[0] / one[1], other[0] / other[1]
    (l1, u1), (l2, u2) = wilson(*one), wilson(*other)
    gap = first - second
    return gap - math.hypot(first - l1, u2 - second), gap + math.hypot(u1 - first, second - l2)


def odds_gaps(
    truth: NDArray[np.bool_],
    said: NDArray[np.bool_],
    groups: Sequence[str],
    attribute: str,
    *,
    least: int = 10,
    seed: int = 0,
) -> list[Gap]:
    """Gaps of true and false positive rates, whose larger one is the difference of equalized odds, and of parity."""
    of = np.asarray(groups, object)
    found = [
        gap_of("false negative rate", attribute, (~said[truth]).tolist(), of[truth].tolist(), least=least, seed=seed),
        gap_of("false positive rate", attribute, said[~truth].tolist(), of[~truth].tolist(), least=least, seed=seed),
        gap_of("demographic parity", attribute, said.tolist(), of.tolist(), least=least, seed=seed),
    ]
    return [gap for gap in found if gap is not None]


def calibration_error(sure: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over ten bins of equal width."""
    confidence, hits = np.asarray(sure, float), np.asarray(right, float)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    apart = [
        abs(confidence[bins == one].mean() - hits[bins == one].mean()) * (bins == one).mean()
        for one in set(bins.tolist())
    ]
    return float(sum(apart))


def rows_needed(rate: float, gap: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Rows that each of two groups needs, so that a gap below a rate is found with a power (Fleiss et al. 2003).

    Raises:
        ValueError: The gap is not between 0 and the rate.
    """
    if not 0 < gap <= rate <= 1:
        raise ValueError(f"gap is {gap} and rate {rate}; expected 0 < gap <= rate <= 1")
    other, z = rate - gap, NormalDist().inv_cdf
    mean = (rate + other) / 2
    below = z(1 - alpha / 2) * math.sqrt(2 * mean * (1 - mean))
    above = z(power) * math.sqrt(rate * (1 - rate) + other * (1 - other))
    return math.ceil(((below + above) / gap) ** 2 + 2 / gap)  # with the correction for whole numbers
