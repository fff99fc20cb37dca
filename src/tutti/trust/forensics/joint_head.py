"""A head over picture and words together: a regularised logistic regression on both and on their products.

What only the combination tells has no sign in either alone; a linear head over products of components sees it. Vectors
are reduced to their principal components first. Fitted by Newton's method (Bishop 2006, section 4.3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError

Floats: TypeAlias = NDArray[np.float32]
HeadSight: TypeAlias = Literal["picture", "words", "joint"]
"""What a head looks at."""
_COMPONENTS, _PENALTIES, _FOLDS = (4, 8, 16), (0.1, 0.5, 2.0, 8.0), 3
_GAIN = 3.0
"""Components of unit vectors are about a third, and their products a ninth; this makes them alike."""
_STEPS = 30
_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class JointHead:
    """A fitted head. Scores lie in (0, 1).

    Args:
        sight: What it looks at.
        model: Of the embedder whose vectors it was fitted on.
        means: (2, D) of pictures and words.
        bases: (2, K, D) principal components.
        weights: (F + 1,) of standardised features, the constant last.
        centre: (F,) means of features.
        scale: (F,) their deviations.
    """

    sight: HeadSight
    model: str
    means: Floats
    bases: Floats
    weights: Floats
    centre: Floats
    scale: Floats

    def score(self, pictures: Floats, words: Floats) -> NDArray[np.float64]:
        """Scores of pairs. Shapes: (N, D) and (N, D) → (N,)."""
        found = (_features(self.sight, self.means, self.bases, pictures, words) - self.centre) / self.scale
        logits = found @ self.weights[:-1] + self.weights[-1]
        result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -40, 40)))
        return result

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        arrays = {name: getattr(self, name).astype(float).round(7).tolist() for name in _ARRAYS}
        return {"sight": self.sight, "model": self.model, **arrays}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> JointHead:
        """A head again.

        Raises:
            InputError: They are not those of a head.
        """
        try:
            arrays = {name: np.array(values[name], np.float32) for name in _ARRAYS}
            return cls(sight=values["sight"], model=values["model"], **arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"The joint head cannot be read ({error}); calibrate the policy again.") from None


_ARRAYS = ("means", "bases", "weights", "centre", "scale")


def fit_head(
    pictures: Floats, words: Floats, labels: Sequence[bool], *, model: str, sight: HeadSight = "joint"
) -> JointHead:
    """Fit a head; how many components it takes, and how smooth it is, is chosen by cross-validation in three folds.

    Args:
        pictures: (N, D) unit vectors of the pictures.
        words: (N, D) of the words beside them.
        labels: (N,) whether a pair breaks the rule.
        model: What embedded them.
        sight: What the head looks at.

    Raises:
        InputError: There are not at least two of each class.
    """
    truth = np.asarray(labels, bool)
    if min(truth.sum(), (~truth).sum()) < 2:
        raise InputError(
            f"{int(truth.sum())} examples break the rule and {int((~truth).sum())} do not; a head needs two of each at "
            "the least, and is worth little below a hundred."
        )
    most = min(_COMPONENTS[-1], len(truth) - 1, pictures.shape[1])
    means = np.stack([pictures.mean(0), words.mean(0)]).astype(np.float32)
    bases = np.stack([_principal(pictures - means[0], most), _principal(words - means[1], most)])
    folds = np.random.default_rng(0).permutation(len(truth)) % _FOLDS
    best = (np.inf, most, _PENALTIES[-1])
    for kept in sorted({min(each, most) for each in _COMPONENTS}):
        found = _standard(_features(sight, means, bases[:, :kept], pictures, words))[0]
        for penalty in _PENALTIES:
            best = min(best, (_loss_held_out(found, truth, folds, penalty), kept, penalty))
    _, kept, penalty = best
    found, centre, scale = _standard(_features(sight, means, bases[:, :kept], pictures, words))
    return JointHead(
        sight=sight, model=model, means=means, bases=bases[:, :kept], weights=_logistic(found, truth, penalty),
        centre=centre, scale=scale,
    )  # fmt: skip


def _standard(found: Floats) -> tuple[Floats, Floats, Floats]:
    """Features with their means taken off and their largest deviation as one: weak components stay weak."""
    centre = found.mean(0)
    scale = np.maximum(found.std(0), 1e-6)
    strong = np.full_like(scale, scale.max())
    return (found - centre) / strong, centre.astype(np.float32), strong.astype(np.float32)


def _loss_held_out(found: Floats, truth: NDArray[np.bool_], folds: NDArray[np.intp], penalty: float) -> float:
    """Mean logarithmic loss on folds that were not fitted on; infinite where a fold leaves one class."""
    losses = []
    for fold in range(_FOLDS):
        inside, outside = folds != fold, folds == fold
        if min(truth[inside].sum(), (~truth[inside]).sum()) < 1 or not outside.any():
            continue
        weights = _logistic(found[inside], truth[inside], penalty)
        logits = np.where(truth[outside], 1, -1) * (found[outside] @ weights[:-1] + weights[-1])
        losses.append(float(np.logaddexp(0, -logits).mean()))
    return float(np.mean(losses)) if losses else np.inf


def _principal(centred: Floats, kept: int) -> Floats:
    """The first principal components, (kept, D)."""
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    made = np.zeros((kept, centred.shape[1]), np.float32)
    made[: len(rows[:kept])] = rows[:kept]
    return made


def _features(sight: HeadSight, means: Floats, bases: Floats, pictures: Floats, words: Floats) -> Floats:
    """Components, each kind with its strongest as one, and for the joint head their products."""
    seen: Floats = (pictures - means[0]) @ bases[0].T
    read: Floats = (words - means[1]) @ bases[1].T
    if sight == "picture":
        return seen
    if sight == "words":
        return read
    products = _GAIN * (seen[:, :, None] * read[:, None, :]).reshape(len(seen), -1)
    return np.concatenate([seen, read, products], axis=1)


def _logistic(found: Floats, truth: NDArray[np.bool_], penalty: float) -> Floats:
    """Weights and constant by Newton's method; classes weigh alike."""
    rows = np.concatenate([found, np.ones((len(found), 1))], axis=1).astype(np.float64)
    share = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    ridge = np.full(rows.shape[1], penalty)
    ridge[-1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -40, 40)))
        gradient = rows.T @ (share * (chance - truth)) + ridge * weights
        curve = share * np.maximum(chance * (1 - chance), 1e-6)
        step = np.linalg.solve((rows.T * curve) @ rows + np.diag(ridge), gradient)
        weights -= step
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    result: Floats = weights.astype(np.float32)
    return result
