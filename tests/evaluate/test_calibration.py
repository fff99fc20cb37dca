"""Ranking and calibration by hand-checked cases, and by probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tutti.evaluate.calibration import auroc, auroc_interval, expected_calibration_error, platt


def test_area_under_the_curve() -> None:
    assert auroc([0.1, 0.2, 0.8, 0.9], [False, False, True, True]) == 1.0
    assert auroc([0.9, 0.1], [False, True]) == 0.0
    assert auroc([0.5, 0.5, 0.5], [False, True, True]) == 0.5
    assert auroc([1, 3, 2, 4], [False, False, True, True]) == 0.75
    with pytest.raises(ValueError, match="one kind"):
        auroc([0.1, 0.2], [True, True])


def test_a_scale_recovers_what_made_the_truths() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 5000)
    truths = rng.random(5000) < 1 / (1 + np.exp(-(0.5 * scores - 1)))
    scale = platt(scores.tolist(), truths.tolist())
    assert scale.slope == pytest.approx(0.5, abs=0.05)
    assert scale.intercept == pytest.approx(-1, abs=0.1)
    chances = [scale(score) for score in scores]
    assert expected_calibration_error(chances, truths.tolist()) < 0.03
    assert expected_calibration_error([0.99] * 5000, truths.tolist()) > 0.5
    interval = auroc_interval(scores.tolist()[:300], truths.tolist()[:300], [str(one // 2) for one in range(300)])
    assert interval.low < interval.mean < interval.high
    assert (interval.cases, interval.clusters) == (300, 150)


def test_a_scale_of_separable_scores_is_finite() -> None:
    scale = platt([-1.0, -2.0, 1.0, 2.0], [False, False, True, True])
    assert 0.5 < scale(1.0) < 0.95
    with pytest.raises(ValueError, match="one kind"):
        platt([1.0, 2.0], [True, True])
