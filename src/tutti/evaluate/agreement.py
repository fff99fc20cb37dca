"""Agreement between people who judge: Krippendorff's alpha for nominal values, with any number of them and with gaps.

Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability". Alpha is 1 where all agree, 0 where they agree as
often as by chance, and below 0 where they agree less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAgreement:
    """How well judges agree."""

    alpha: float | None
    """None where nothing was judged twice, or all values are one, so that there is no chance to compare with."""
    low: float | None
    """95 % percentile-bootstrap interval over units; None as alpha is, or of fewer than two units."""
    high: float | None
    units: int
    """That were judged at least twice."""
    judges: int


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Alpha of nominal values.

    Args:
        units: Per unit the values that it was given, each by another judge; units of one value do not count.
    """
    within, totals = _parts(units)
    return _alpha(within, totals) if totals.size else None


def agreement(judged: Mapping[Hashable, Mapping[str, Hashable]], *, seed: int = 0) -> JudgeAgreement:
    """Alpha with its interval.

    Args:
        judged: Unit → judge → value.
        seed: Of the draws.
    """
    paired = [list(values.values()) for values in judged.values() if len(values) > 1]
    judges = len({judge for values in judged.values() if len(values) > 1 for judge in values})
    within, totals = _parts(paired)
    alpha = _alpha(within, totals) if totals.size else None
    low = high = None
    if alpha is not None and len(paired) > 1:
        picks = np.random.default_rng(seed).integers(0, len(paired), (_DRAWS, len(paired)))
        drawn = [_alpha(within[pick], totals[pick]) for pick in picks]
        known = [one for one in drawn if one is not None]  # a draw of one value only says nothing
        low, high = (float(one) for one in np.quantile(known, [0.025, 0.975]))
    return JudgeAgreement(alpha=alpha, low=low, high=high, units=len(paired), judges=judges)


def _parts(units: Sequence[Sequence[Hashable]]) -> tuple[np.ndarray, np.ndarray]:
    """Per unit its disagreeing pairs over its values less one, (U,), and how often each value occurs in it, (U, V)."""
    paired = [Counter(values) for values in units if len(values) > 1]
    values = list(dict.fromkeys(value for counts in paired for value in counts))
    totals = np.array([[counts[value] for value in values] for counts in paired], float)
    sizes = totals.sum(1) if totals.size else np.zeros(0)
    within = (sizes**2 - (totals**2).sum(1)) / (sizes - 1) if totals.size else np.zeros(0)
    return within, totals


def _alpha(within: np.ndarray, totals: np.ndarray) -> float | None:
    sums = totals.sum(0)
    count = sums.sum()
    by_chance = count**2 - (sums**2).sum()
    return float(1 - (count - 1) * within.sum() / by_chance) if by_chance else None
