"""Thresholds for a stated share of false positives, with intervals over what was not used to choose them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutti.errors import InputError
from tutti.evaluate.statistics import Interval, share_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From which score on a category is met, and what that costs."""

    value: float
    false_positives: Interval
    """Of benign examples, the share that scores as much."""
    recall: Interval | None
    """Of examples that break the rule; None where there are none."""


def threshold_for(benign: Sequence[float], breaking: Sequence[float], share: float) -> Threshold:
    """The lowest threshold that at most so large a share of benign examples reaches.

    Args:
        benign: Scores of examples that break no rule.
        breaking: Scores of those that do.
        share: Of false positives, as 0.01.

    Raises:
        InputError: There are too few benign examples to tell such a share.
    """
    needed = math.ceil(1 / share)
    if len(benign) < needed:
        raise InputError(
            f"{len(benign)} benign examples were given; a false-positive rate of {share:.2%} needs at least {needed}."
        )
    ordered = np.sort(np.asarray(benign, float))[::-1]
    allowed = math.floor(share * len(ordered) + 1e-9)
    # Just above the first score that may not be reached, and never above what a certain signal scores.
    value = min(1.0, float(np.nextafter(ordered[allowed], math.inf))) if allowed < len(ordered) else 0.0
    recall = _share(breaking, value) if breaking else None
    return Threshold(value=value, false_positives=_share(benign, value), recall=recall)


def _share(scores: Sequence[float], value: float) -> Interval:
    return share_interval([float(score >= value) for score in scores], [str(at) for at in range(len(scores))])
