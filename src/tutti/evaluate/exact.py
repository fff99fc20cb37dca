"""Exact statements on shares: intervals of Clopper and Pearson, and how many cases a claim needs.

Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial". With no
failure in n cases the upper limit at 95 % is about 3/n, the rule of three (Hanley and Lippman-Hand 1983).
"""

from __future__ import annotations

import math
from collections.abc import Callable


def exact_interval(count: int, cases: int, *, level: float = 0.95) -> tuple[float, float]:
    """Limits between which the true share lies; they hold for every share and number of cases.

    Args:
        count: Successes.
        cases: Out of so many, at least 1.
        level: Share of such intervals that hold the true share, at least.

    Raises:
        ValueError: The count is not between 0 and the cases, or there are none.
    """
    if not 0 <= count <= cases or not cases:
        raise ValueError(f"{count} of {cases} is no share")
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _root(lambda share: 1 - _at_most(count - 1, cases, share) - tail)
    high = 1.0 if count == cases else _root(lambda share: tail - _at_most(count, cases, share))
    return low, high


def upper_limit(count: int, cases: int, *, level: float = 0.95) -> float:
    """The share that the true one is below, one-sided: 1 - 0.05^(1/n) of none in n."""
    return 1.0 if count == cases else _root(lambda share: (1 - level) - _at_most(count, cases, share))


def cases_for_claim(reliability: float, failures: int = 0, *, level: float = 0.95) -> int:
    """Cases with which so many failures still show, one-sided, that at least a share of cases goes well.

    Args:
        reliability: What is claimed, as 0.999.
        failures: How many of the cases fail.
        level: Of the claim.

    Raises:
        ValueError: The reliability is not above 0 and below 1.
    """
    if not 0 < reliability < 1:
        raise ValueError(f"{reliability} is no share above 0 and below 1")
    low, high = failures, failures + 1
    while _at_most(failures, high, 1 - reliability) > 1 - level:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _at_most(failures, middle, 1 - reliability) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def _at_most(count: int, cases: int, share: float) -> float:
    """P(X <= count) of a binomial."""
    if share <= 0 or count >= cases:
        return 1.0
    if share >= 1:
        return 0.0
    whole, up, down = math.lgamma(cases + 1), math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(cases - k + 1) + k * up + (cases - k) * down)
        for k in range(count + 1)
    )


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
