"""What only picture and words together tell is seen by the joint head alone; thresholds keep to their rate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tutti.errors import InputError
from tutti.trust.forensics.joint_head import HeadSight, JointHead, fit_head
from tutti.trust.forensics.thresholds import threshold_for


def memes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two kinds of pictures and of words; kinds that differ break the rule, so that neither tells alone."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(99).normal(size=(4, 32))
    kinds = rng.integers(0, 2, (count, 2))
    pictures = axes[kinds[:, 0]] + rng.normal(size=(count, 32)) * 0.5
    words = axes[2 + kinds[:, 1]] + rng.normal(size=(count, 32)) * 0.5
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (pictures, words)]
    return unit[0].astype(np.float32), unit[1].astype(np.float32), kinds[:, 0] != kinds[:, 1]


@pytest.mark.parametrize(
    ("sight", "least", "most"), [("joint", 0.95, 1.0), ("picture", 0.3, 0.65), ("words", 0.3, 0.65)]
)
def test_only_the_joint_head_sees_what_is_only_in_the_combination(sight: HeadSight, least: float, most: float) -> None:
    pictures, words, truth = memes(300, 0)
    head = fit_head(pictures, words, truth.tolist(), model="m", sight=sight)
    pictures, words, truth = memes(300, 1)
    right = ((head.score(pictures, words) > 0.5) == truth).mean()
    assert least <= right <= most
    again = JointHead.from_dict(json.loads(json.dumps(head.to_dict())))
    np.testing.assert_allclose(again.score(pictures, words), head.score(pictures, words), atol=1e-4)


def test_a_head_needs_both_classes() -> None:
    pictures, words, _ = memes(10, 0)
    with pytest.raises(InputError, match="0 examples break the rule"):
        fit_head(pictures, words, [False] * 10, model="m")
    with pytest.raises(InputError, match="cannot be read"):
        JointHead.from_dict({"sight": "joint"})


def test_a_threshold_keeps_to_its_rate_and_says_how_sure_that_is() -> None:
    benign = [at / 200 for at in range(200)]
    found = threshold_for(benign, [0.2, 0.99, 1.0, 1.0], 0.05)
    assert sum(score >= found.value for score in benign) == 10
    assert found.false_positives.mean == pytest.approx(0.05)
    assert found.false_positives.low < 0.05 < found.false_positives.high
    assert found.recall is not None and found.recall.mean == pytest.approx(0.75)
    assert threshold_for(benign, [], 0.05).recall is None
    with pytest.raises(InputError, match="at least 100"):
        threshold_for([0.0] * 99, [1.0], 0.01)
    assert threshold_for([0.0] * 100, [1.0], 0.01).value > 0
