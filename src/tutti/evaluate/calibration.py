"""How well scores rank, and probabilities that mean what they say: area under ROC, Platt scaling, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.evaluate.statistics import Interval

_DRAWS = 2000
_STEPS = 100


class PlattScale(NamedTuple):
    """Probability = 1 / (1 + exp(-(slope · score + intercept)))."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        """The probability of a score."""
        return float(1 / (1 + np.exp(-np.clip(self.slope * score + self.intercept, -50, 50))))


def platt(scores: Sequence[float], truths: Sequence[bool]) -> PlattScale:
    """Fit a scale by maximum likelihood with Platt's priors (Platt 1999, section 2.2; Lin et al. 2007).

    Args:
        scores: (N,) such as log odds.
        truths: (N,) of which both kinds occur.

    Raises:
        ValueError: All cases are of one kind.
    """
    x, y = np.asarray(scores, float), np.asarray(truths, bool)
    if y.all() or not y.any():
        raise ValueError("all cases are of one kind; both are needed to fit a scale")
    hits, misses = int(y.sum()), int((~y).sum())
    target = np.where(y, (hits + 1) / (hits + 2), 1 / (misses + 2))
    design = np.stack([x, np.ones_like(x)], 1)
    weights = np.array([0.0, np.log((hits + 1) / (misses + 1))])
    for _ in range(_STEPS):  # Newton's method, with a ridge that keeps the first steps small
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -50, 50)))
        hessian = design.T @ (design * (chance * (1 - chance))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (chance - target))
        weights = weights - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return PlattScale(float(weights[0]), float(weights[1]))


def auroc(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """Area under the ROC: how often a case that is so scores above one that is not; ties count half (Mann-Whitney).

    Raises:
        ValueError: All cases are of one kind.
    """
    return _area(np.asarray(scores, float), np.asarray(truths, bool))


def auroc_interval(
    scores: Sequence[float], truths: Sequence[bool], clusters: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> Interval:
    """`auroc` with a percentile-bootstrap interval over clusters, such as patients.

    Raises:
        ValueError: All cases are of one kind.
    """
    x, y = np.asarray(scores, float), np.asarray(truths, bool)
    names, which = np.unique(np.asarray(clusters), return_inverse=True)
    members = [np.flatnonzero(which == place) for place in range(len(names))]
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(_DRAWS):
        rows = np.concatenate([members[place] for place in rng.integers(0, len(names), len(names))])
        if y[rows].any() and not y[rows].all():
            areas.append(_area(x[rows], y[rows]))
    low, high = np.quantile(areas, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean=_area(x, y), low=float(low), high=float(high), cases=len(x), clusters=len(names))


def expected_calibration_error(chances: Sequence[float], truths: Sequence[bool], *, bins: int = 10) -> float:
    """Mean distance of probability and frequency over bins of equal width (Naeini et al. 2015), weighted by size."""
    p, y = np.asarray(chances, float), np.asarray(truths, float)
    place = np.minimum((p * bins).astype(int), bins - 1)
    parts = [abs(p[place == one].sum() - y[place == one].sum()) for one in range(bins)]
    return float(sum(parts) / len(p))


def _area(scores: NDArray[np.float64], truths: NDArray[np.bool_]) -> float:
    if truths.all() or not truths.any():
        raise ValueError("all cases are of one kind; both are needed for an area under the ROC")
    high, low = scores[truths][:, None], scores[~truths][None]
    return float((high > low).mean() + 0.5 * (high == low).mean())
