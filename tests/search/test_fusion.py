"""Fusion: ranks, composed directions, odds against other words."""

from __future__ import annotations

import numpy as np
import pytest

from tutti.search.query.fusion import compose, log_odds, probability, reciprocal_rank


def unit(*shape: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_first_in_every_ranking_scores_one() -> None:
    scores = reciprocal_rank([["a", "b", "c"], ["a", "c"], []])
    assert list(scores) == ["a", "c", "b"]
    assert scores["a"] == 1
    assert scores["b"] == pytest.approx(61 / 62 / 2)


def test_a_composed_direction_is_the_sum_of_deviations() -> None:
    sample, rows, (one, other) = unit(20_000, 8), unit(5, 8), unit(2, 8)
    together = compose([one, other], [1.0, 2.0], sample).score(rows)
    apart = []
    for query, weight in ((one, 1.0), (other, 2.0)):
        cosines = sample @ query
        apart.append(weight * (rows @ query - cosines.mean()) / cosines.std())
    np.testing.assert_allclose(together, sum(apart), atol=0.02)


def test_a_small_sample_does_not_decide() -> None:
    rows, query = unit(5, 8), unit(8)
    np.testing.assert_allclose(compose([query], [1.0], rows[:0]).score(rows), rows @ query / 0.25, atol=1e-5)
    alone = compose([query], [1.0], query[None]).score(query[None])
    assert float(alone[0]) > 2  # by its own sample it would be 0


def test_odds_are_those_of_the_softmax() -> None:
    rows, query, others = unit(4, 8), unit(8), unit(6, 8)
    logits = 13.0 * rows @ np.vstack([query, others]).T
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    odds = log_odds(rows, query, others, 13.0)
    np.testing.assert_allclose([probability(float(value)) for value in odds], softmax[:, 0], atol=1e-5)
