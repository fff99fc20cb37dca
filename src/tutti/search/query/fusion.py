"""Putting rankings and spaces together.

A cosine between words and words is larger than one between words and pictures, however well either fits: the
modalities lie apart in the shared space (Liang et al. 2022, "Mind the gap"). So cosines are compared in standard
deviations from what the same query has with a sample of the same kind, and, for words, as odds against other words.
Rankings whose scores cannot be compared are fused by rank.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
RankKey = TypeVar("RankKey", bound=Hashable)
_PRIOR, _PRIOR_SPREAD = 16, 0.25
"""A small sample is unreliable: it is combined with this many cosines of mean 0 and this standard deviation."""


class Direction(NamedTuple):
    """A query, as a linear score over the unit vectors of one kind."""

    vector: Vector
    """(D,) float32, of any length."""
    offset: float

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviations above the sample. Shapes: (N, D) → (N,)."""
        return np.asarray(rows @ self.vector - self.offset, np.float32)


def compose(queries: Sequence[Vector], weights: Sequence[float], sample: NDArray[np.float32]) -> Direction:
    """Several queries in one: the sum of how far each stands out from a sample, which is one direction again.

    Shapes: queries (D,), sample (N, D); N may be 0.
    """
    vector, offset = np.zeros_like(queries[0]), 0.0
    for query, weight in zip(queries, weights, strict=True):
        cosines = sample @ query
        mean = float(cosines.sum()) / (len(sample) + _PRIOR)
        squares = float(((cosines - mean) ** 2).sum()) + _PRIOR * (_PRIOR_SPREAD**2 + mean**2)
        spread = (squares / (len(sample) + _PRIOR)) ** 0.5
        vector = vector + query * np.float32(weight / spread)
        offset += weight * mean / spread
    return Direction(vector.astype(np.float32), offset)


def reciprocal_rank(rankings: Sequence[Sequence[RankKey]], k: int = 60) -> dict[RankKey, float]:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009), scaled so that the first of every ranking scores 1.

    Args:
        rankings: Each the best first, without repeats; empty ones are left out.
        k: How fast a rank loses weight; 60 as in the paper.
    """
    rankings = [ranking for ranking in rankings if ranking]
    scores: dict[RankKey, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + (k + 1) / (k + rank) / len(rankings)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def log_odds(
    rows: NDArray[np.float32], query: Vector, others: NDArray[np.float32], sharpness: float
) -> NDArray[np.float32]:
    """How much rather things fit a query than any of other words: the log of the odds of a softmax over cosines.

    Zero-shot classification (CLIP, section 3.1.2) against a bank of words, used in ranking as in querybank
    normalisation (Bogolin et al. 2022). Unlike cosines it can be compared between modalities.
    Shapes: rows (N, D), query (D,), others (W, D) with W >= 1 → (N,).
    """
    against = sharpness * (rows @ others.T)
    highest = against.max(axis=1)
    total = highest + np.log(np.exp(against - highest[:, None]).sum(axis=1))
    return np.asarray(sharpness * (rows @ query) - total, np.float32)


def probability(odds: float) -> float:
    """The probability of such log-odds."""
    return float(1 / (1 + np.exp(-np.clip(odds, -50, 50))))
