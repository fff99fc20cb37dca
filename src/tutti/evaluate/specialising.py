"""Specialist or generalist: a head for each task, how it fares with k examples a label, and a router between the two.

The router asks the generalist first. Where its confidence is below an operating point that was chosen on validation,
the specialist answers, if it was measured better there; below the specialist's own point a person does. Test cases
choose nothing: they are what is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.evaluate.exact import cases_for_claim, exact_interval
from tutti.evaluate.labelled import LabelledPart, LabelledTask
from tutti.evaluate.linear_head import (
    LinearHead,
    calibration_error,
    choose_head,
    fit_head,
    fit_temperature,
    softmax,
)
from tutti.evaluate.statistics import Comparison, Interval, compare, share_interval, sign_flip_p

_SHOTS = (1, 2, 4, 8, 16, 32, 64)
_DRAWS = 10
_SHOT_PENALTY = 1e-2
_CLAIM = 0.999
_ALPHA = 0.05
ALWAYS, NEVER = 0.0, 2.0
"""Operating points: every confidence is above the one, none above the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotRow:
    """Accuracy of heads that saw k examples a label."""

    shots: int
    accuracy: Interval
    """On test, mean over draws of the examples; the interval is over test cases."""
    lowest: float
    highest: float
    """Of the draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Misses and false alarms of one label, with exact intervals (95 %), on test."""

    answered_by: str
    positives: int
    misses: int
    miss_limits: tuple[float, float]
    negatives: int
    false_alarms: int
    alarm_limits: tuple[float, float]
    needed: int
    """Positives among which that many misses would still show that 99.9 % are found (95 %, one-sided)."""
    needed_without: int
    """The same without a miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTask:
    """A task's specialist, its router, and what they are worth on test."""

    task: LabelledTask
    head: LinearHead
    generalist_temperature: float
    generalist_point: float
    """Confidence from which on the generalist's answer is taken."""
    specialist_point: float
    """Confidence below which a person is asked, where the generalist's answer is not taken."""
    shots: tuple[ShotRow, ...]
    generalist: Interval
    specialist: Interval
    routed: Interval
    """Accuracy on test; what a person is asked counts as right, as the share `to_person` says."""
    to_person: float
    to_specialist: float
    calibration: dict[str, float]
    """Calibration error on test: of both, before and after the temperature."""
    difference: Comparison
    """Of the specialist less the generalist, on test."""
    scores: dict[str, tuple[float, ...]]
    """(N,) each, on test: generalist, specialist, routed."""
    detections: tuple[Detection, ...] = ()


def fit_task(task: LabelledTask, *, to_person: float = 0.0, positive: str | None = None, seed: int = 0) -> FittedTask:
    """Fit a task's specialist and router, and measure them.

    Args:
        task: Embedded cases.
        to_person: Largest share of validation cases that a person may be asked.
        positive: The label whose misses and false alarms are told, such as "a defect".
        seed: Of the draws of few examples.
    """
    train, validation, test = task.train, task.validation, task.test
    head = choose_head((train.vectors, train.targets), (validation.vectors, validation.targets), task.labels)
    temperature = fit_temperature(validation.generalist, validation.targets)
    points = _operating_points(
        softmax(validation.generalist / temperature), head.probabilities(validation.vectors), validation, to_person
    )
    general, special = softmax(test.generalist / temperature), head.probabilities(test.vectors)
    by = _answered_by(general, special, points)
    right = {
        "generalist": (general.argmax(1) == test.targets).astype(float),
        "specialist": (special.argmax(1) == test.targets).astype(float),
    }
    right["routed"] = np.select([by == 0, by == 1], [right["generalist"], right["specialist"]], 1.0)
    scores = {name: tuple(values.tolist()) for name, values in right.items()}
    return FittedTask(
        task=task,
        head=head,
        generalist_temperature=temperature,
        generalist_point=points[0],
        specialist_point=points[1],
        shots=_shot_curve(task, seed),
        generalist=share_interval(scores["generalist"], test.clusters),
        specialist=share_interval(scores["specialist"], test.clusters),
        routed=share_interval(scores["routed"], test.clusters),
        to_person=float((by == 2).mean()),
        to_specialist=float((by == 1).mean()),
        calibration={
            "generalist before": calibration_error(softmax(test.generalist), test.targets),
            "generalist after": calibration_error(general, test.targets),
            "specialist before": calibration_error(softmax(head.logits(test.vectors)), test.targets),
            "specialist after": calibration_error(special, test.targets),
        },
        difference=compare(scores["specialist"], scores["generalist"], test.clusters),
        scores=scores,
        detections=tuple(
            _detection(name, said.argmax(1), test.targets, task.labels.index(positive))
            for name, said in (("generalist", general), ("specialist", special))
        )
        if positive in task.labels
        else (),
    )


def _answered_by(
    general: NDArray[np.float64], special: NDArray[np.float64], points: tuple[float, float]
) -> NDArray[np.int64]:
    """(N,) 0 generalist, 1 specialist, 2 a person."""
    return np.where(general.max(1) >= points[0], 0, np.where(special.max(1) >= points[1], 1, 2))


def _operating_points(
    general: NDArray[np.float64], special: NDArray[np.float64], part: LabelledPart, to_person: float
) -> tuple[float, float]:
    """The points of both. Anything but the generalist alone must be better on validation beyond chance."""
    ours = (general.argmax(1) == part.targets).astype(float)
    theirs = (special.argmax(1) == part.targets).astype(float)
    if sign_flip_p((ours - theirs).tolist(), part.clusters, one_sided=True) >= _ALPHA:
        point = ALWAYS
    else:
        point = _between(general.max(1), ours, theirs)
    if to_person <= 0:
        return point, ALWAYS
    if point == ALWAYS:  # no specialist: the least confident answers of the generalist go to a person
        return _lowest(general.max(1), to_person), NEVER
    below = general.max(1) < point
    allowed = min(1.0, to_person * len(below) / max(1, int(below.sum())))
    return point, _lowest(special.max(1)[below], allowed)


def _between(confidence: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Where the generalist's confidence divides the two best; only if better than the specialist alone by an error."""
    points = np.unique(np.quantile(confidence, np.linspace(0.05, 0.95, 19)))
    mixed = [np.where(confidence >= point, ours, theirs) for point in points]
    best = int(np.argmax([one.mean() for one in mixed]))
    gain = mixed[best] - theirs
    error = float(gain.std() / np.sqrt(len(gain)))
    return float(points[best]) if gain.mean() > error else NEVER


def _lowest(confidence: NDArray[np.float64], share: float) -> float:
    """The point that at most a share of confidences is below."""
    return float(np.sort(confidence)[min(len(confidence) - 1, int(share * len(confidence)))])


def _shot_curve(task: LabelledTask, seed: int) -> tuple[ShotRow, ...]:
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(task.train.targets == label) for label in range(len(task.labels))]
    most = max(map(len, places))
    rows = []
    for shots in [*(one for one in _SHOTS if one < most), most]:
        right = []
        for _ in range(_DRAWS if shots < most else 1):
            picks = np.concatenate([rng.permutation(own)[:shots] for own in places])
            head = fit_head(task.train.vectors[picks], task.train.targets[picks], task.labels, _SHOT_PENALTY)
            right.append(head.logits(task.test.vectors).argmax(1) == task.test.targets)
        means = np.mean(right, axis=1)
        accuracy = share_interval(np.mean(right, axis=0).tolist(), task.test.clusters)
        rows.append(ShotRow(shots=shots, accuracy=accuracy, lowest=float(means.min()), highest=float(means.max())))
    return tuple(rows)


def _detection(name: str, said: NDArray[np.int64], targets: NDArray[np.int64], positive: int) -> Detection:
    is_there = targets == positive
    positives, negatives = int(is_there.sum()), int((~is_there).sum())
    misses = int((said[is_there] != positive).sum())
    alarms = int((said[~is_there] == positive).sum())
    return Detection(
        answered_by=name,
        positives=positives,
        misses=misses,
        miss_limits=exact_interval(misses, positives),
        negatives=negatives,
        false_alarms=alarms,
        alarm_limits=exact_interval(alarms, negatives),
        needed=cases_for_claim(_CLAIM, misses),
        needed_without=cases_for_claim(_CLAIM),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterWorth:
    """Whether a router over all tasks is better than either alone, on test."""

    over_generalist: Comparison
    over_specialist: Comparison
    advice: str
    """One sentence."""

    @property
    def worth_it(self) -> bool:
        """Whether both differences are above zero with their intervals."""
        return self.over_generalist.difference.low > 0 and self.over_specialist.difference.low > 0


def router_worth(tasks: Sequence[FittedTask]) -> RouterWorth:
    """Compare over all test cases of all tasks."""
    clusters = [cluster for one in tasks for cluster in one.task.test.clusters]
    routed, general, special = (
        [score for one in tasks for score in one.scores[name]] for name in ("routed", "generalist", "specialist")
    )
    over_generalist, over_specialist = compare(routed, general, clusters), compare(routed, special, clusters)
    better = compare(special, general, clusters).difference
    if over_generalist.difference.low > 0 and over_specialist.difference.low > 0:
        advice = "The router is worth it: better than the generalist alone and than the specialists alone."
    elif better.low > 0:
        advice = "The router is not worth it: take the specialists alone."
    elif better.high < 0:
        advice = "The router is not worth it: take the generalist alone."
    else:
        advice = "The router is not worth it: neither it nor the specialists can be told from the generalist here."
    return RouterWorth(over_generalist=over_generalist, over_specialist=over_specialist, advice=advice)
