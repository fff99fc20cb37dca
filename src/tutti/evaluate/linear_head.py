"""A linear head on frozen embeddings: multinomial logistic regression with an L2 penalty, and its calibration.

The objective is the mean cross entropy plus penalty/2 · |W|², as scikit-learn's `LogisticRegression` with
C = 1/(penalty · N); it is convex, and found by Nesterov's accelerated gradient (Nesterov 2004, section 2.2).
Calibration by one temperature, and the expected calibration error, are those of Guo et al. 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
_STEPS = 3000
_BINS = 15
_ENOUGH = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead:
    """Labels from embeddings."""

    labels: tuple[str, ...]
    weight: NDArray[np.float64]
    """(K, D)."""
    bias: NDArray[np.float64]
    """(K,)."""
    temperature: float = 1.0

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, K) of (N, D) embeddings, before the temperature."""
        return vectors.astype(np.float64) @ self.weight.T + self.bias

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, K), rows of sum one."""
        return softmax(self.logits(vectors) / self.temperature)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) probabilities of (N, K) logits."""
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def fit_head(
    vectors: NDArray[np.float32], targets: NDArray[np.int64], labels: Sequence[str], penalty: float
) -> LinearHead:
    """Fit a head.

    Args:
        vectors: (N, D) embeddings.
        targets: (N,) which label each has.
        labels: (K,) names.
        penalty: Of the squared weights, on vectors that are centred and scaled to a mean squared length of 1.
    """
    mean = vectors.mean(0, dtype=np.float64)
    centred = vectors - mean
    scale = float(np.sqrt((centred**2).sum(1).mean())) or 1.0
    x = np.column_stack([centred / scale, np.ones(len(vectors))])
    wanted = np.eye(len(labels))[targets]
    decay = np.append(np.full(vectors.shape[1], penalty), 0.0)
    step = 1 / (0.5 * float(np.linalg.norm(x, 2)) ** 2 / len(x) + penalty)
    found = ahead = np.zeros((len(labels), x.shape[1]))
    momentum = 1.0
    for _ in range(_STEPS):
        slope = (softmax(x @ ahead.T) - wanted).T @ x / len(x) + ahead * decay
        if np.abs(slope).max() < _ENOUGH:
            break
        moved = ahead - step * slope
        if float((slope * (moved - found)).sum()) > 0:  # uphill: begin anew (O'Donoghue and Candès 2015)
            momentum, ahead, found = 1.0, moved, moved
            continue
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - found)
        found, momentum = moved, following
    weight = ahead[:, :-1] / scale
    return LinearHead(labels=tuple(labels), weight=weight, bias=ahead[:, -1] - weight @ mean)


def choose_head(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    labels: Sequence[str],
) -> LinearHead:
    """Fit with several penalties, keep the one of the lowest validation loss, and set its temperature there."""
    heads = [fit_head(*train, labels, penalty) for penalty in _PENALTIES]
    found: list[tuple[float, LinearHead]] = []
    for head in heads:
        logits = head.logits(validation[0])
        temperature = fit_temperature(logits, validation[1])
        found.append((log_loss(logits / temperature, validation[1]), replace(head, temperature=temperature)))
    return min(found, key=lambda one: one[0])[1]


def log_loss(logits: NDArray[np.float64], targets: NDArray[np.int64], smoothing: float = 0.0) -> float:
    """Mean negative log probability of the targets, a share of which may be spread over the other labels."""
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    own = logs[np.arange(len(targets)), targets]
    others = (logs.sum(1) - own) / (logs.shape[1] - 1)
    return float(-((1 - smoothing) * own + smoothing * others).mean())


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The temperature of the lowest loss, between 0.01 and 100: in its logarithm the loss falls, then rises.

    Targets are smoothed by 1/(N+2) as in Platt 1999, section 2.2, so that N cases that are all right do not make a
    head certain.
    """
    smoothing = 1 / (len(targets) + 2)
    low, high = np.log(0.01), np.log(100.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits / np.exp(left), targets, smoothing) < log_loss(logits / np.exp(right), targets, smoothing):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Expected calibration error: over 15 bins of confidence, |accuracy - confidence|, weighted by their cases."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(right[bins == one].mean() - confidence[bins == one].mean()) * (bins == one).sum() for one in set(bins)]
    return float(sum(gaps) / len(targets))
