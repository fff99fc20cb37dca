"""How the groups of people share the top of a search's results: skew and divergence, with permutation p-values.

Source: Geyik, Ambler and Kenthapadi 2019, "Fairness-Aware Ranking in Search & Recommendation Systems", section 3.2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingSkew:
    """How far the groups at the top of one search differ from those of all results."""

    query: str
    attribute: str
    top: int
    max_skew: float
    """Largest logarithm of a group's share at the top over its share in all; 0 where all shares are kept."""
    group: str
    """That has it."""
    ndkl: float
    """Divergence of the shares from those of all, over all depths, discounted by the logarithm of the depth."""
    p_value: float
    """Share of random orders with at least so large an NDKL."""


def skew_of(query: str, attribute: str, ranked: Sequence[str], top: int, *, seed: int = 0) -> RankingSkew:
    """The figures of one ranking.

    Args:
        query: What was searched for.
        attribute: What the groups are of.
        ranked: (N,) groups of the results, best first.
        top: Depth of the skew.
        seed: Of the draws.
    """
    wanted = shares_of(ranked)
    skews = skews_at(ranked, min(top, len(ranked)), wanted)
    group = max(skews, key=lambda name: skews[name])
    seen = ndkl(ranked, wanted)
    rng, codes = np.random.default_rng(seed), list(ranked)
    drawn = [ndkl([codes[place] for place in rng.permutation(len(codes))], wanted) for _ in range(_draws(len(codes)))]
    extreme = sum(value >= seen - 1e-12 for value in drawn)
    return RankingSkew(
        query=query, attribute=attribute, top=top, max_skew=skews[group], group=group, ndkl=seen,
        p_value=(extreme + 1) / (len(drawn) + 1),
    )  # fmt: skip


def shares_of(groups: Sequence[str]) -> dict[str, float]:
    """Group → its share."""
    return {name: count / len(groups) for name, count in Counter(groups).items()}


def skews_at(ranked: Sequence[str], top: int, wanted: Mapping[str, float]) -> dict[str, float]:
    """Group → logarithm of its share among the first over the share wanted; one that is absent counts as half a row."""
    counts = Counter(ranked[:top])
    return {name: math.log(max(counts[name], 0.5) / top / share) for name, share in wanted.items()}


def ndkl(ranked: Sequence[str], wanted: Mapping[str, float]) -> float:
    """Normalized discounted cumulative Kullback-Leibler divergence; 0 where every depth has the shares wanted."""
    names = sorted(wanted)
    codes = np.searchsorted(names, np.asarray(ranked, object).astype(str))
    counts = np.cumsum(np.eye(len(names))[codes], axis=0)
    depths = np.arange(1, len(ranked) + 1)
    shares = counts / depths[:, None]
    target = np.array([wanted[name] for name in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log(shares / target), 0.0)
    discount = 1 / np.log2(depths + 1)
    return float((terms.sum(1) * discount).sum() / discount.sum())


def _draws(rows: int) -> int:
    """Fewer where a ranking is long: each draw costs as much as the ranking."""
    return max(200, min(_DRAWS, 400_000 // max(1, rows)))
