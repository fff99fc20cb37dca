"""Whether pictures of one group lie nearer to some words than those of another: association scores in a shared space.

Sources: Caliskan, Bryson and Narayanan 2017 (WEAT: score, effect size, permutation test); Steed and Caliskan 2021
(the same for pictures); Zhao et al. 2017 and Wang and Russakovsky 2021 (amplification, directional).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DRAWS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How much nearer the pictures of one group lie to some words than those of another."""

    attribute: str
    first: str
    second: str
    words: str
    """The words, and those they are held against."""
    effect_size: float
    """Difference of mean scores over their standard deviation; above 0 the first group lies nearer to the words."""
    p_value: float
    """Share of random divisions of the pictures with at least so large an effect, either way."""
    count: int


def association_of(
    first: NDArray[np.float32], second: NDArray[np.float32], near: NDArray[np.float32], far: NDArray[np.float32],
    *, attribute: str = "", names: tuple[str, str] = ("first", "second"), words: str = "", seed: int = 0,
) -> Association:  # fmt: skip
    """The effect size of two groups of pictures and two sets of words.

    Args:
        first: (N, D) unit rows: pictures of one group.
        second: (M, D) those of another.
        near: (A, D) unit rows: words.
        far: (B, D) words that they are held against.
        attribute: What the groups are of.
        names: Of the groups.
        words: What the words are called.
        seed: Of the draws.
    """
    scores = np.concatenate([first, second]) @ near.T
    other = np.concatenate([first, second]) @ far.T
    each = (scores.mean(1) - other.mean(1)).astype(float)
    spread = float(each.std(ddof=1)) or 1.0
    size = (each[: len(first)].mean() - each[len(first) :].mean()) / spread
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(each, (_DRAWS, 1)), axis=1)
    drawn = np.abs(order[:, : len(first)].mean(1) - order[:, len(first) :].mean(1)) / spread
    return Association(
        attribute=attribute, first=names[0], second=names[1], words=words, effect_size=float(size),
        p_value=(int((drawn >= abs(size) - 1e-12).sum()) + 1) / (_DRAWS + 1), count=len(each),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Amplification:
    """Whether a model says a label more often of groups that have it more often anyway."""

    attribute: str
    amount: float
    """Mean over groups and labels; above 0 the data's bias is amplified, below 0 it is damped."""
    low: float
    high: float
    count: int


def amplification_of(
    attribute: str, groups: Sequence[str], truth: Sequence[str], said: Sequence[str], *, draws: int = 500, seed: int = 0
) -> Amplification:
    """Directional amplification from the attribute to the label, with a bootstrap interval over rows.

    Args:
        attribute: What the groups are of.
        groups: (N,) the row's group.
        truth: (N,) the row's label.
        said: (N,) the label that the model gave.
        draws: Of the bootstrap.
        seed: Of the draws.
    """
    group_names, group = np.unique(np.asarray(groups, object).astype(str), return_inverse=True)
    label_names, labels = np.unique(np.asarray([*truth, *said], object).astype(str), return_inverse=True)
    true, given = labels[: len(truth)], labels[len(truth) :]
    shape = len(group_names), len(label_names)
    seen = _amplification(group, true, given, shape)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(truth), (draws, len(truth)))
    sign = _signs(group, true, shape)
    drawn = [_amplification(group[pick], true[pick], given[pick], shape, sign) for pick in picks]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Amplification(attribute=attribute, amount=seen, low=float(low), high=float(high), count=len(truth))


def _signs(group: NDArray[np.int64], true: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """+1 where a group has a label more often than chance would have it, else -1."""
    table = np.zeros(shape)
    np.add.at(table, (group, true), 1)
    joint = table / table.sum()
    return np.where(joint > joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True), 1.0, -1.0)


def _amplification(
    group: NDArray[np.int64],
    true: NDArray[np.int64],
    given: NDArray[np.int64],
    shape: tuple[int, int],
    sign: NDArray[np.float64] | None = None,
) -> float:
    truths, answers = np.zeros(shape), np.zeros(shape)
    np.add.at(truths, (group, true), 1)
    np.add.at(answers, (group, given), 1)
    sizes = np.maximum(truths.sum(1, keepdims=True), 1)
    change = answers / sizes - truths / sizes
    return float(((_signs(group, true, shape) if sign is None else sign) * change).mean())
