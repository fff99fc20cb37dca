"""What `tutti specialise` found, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tutti.evaluate.specialising import NEVER, FittedTask, RouterWorth
from tutti.evaluate.statistics import Interval


def as_text(tasks: Sequence[FittedTask], worth: RouterWorth) -> str:
    """Lines for a terminal."""
    return "\n".join(line for lines in (*map(_task_lines, tasks), _worth_lines(worth)) for line in lines)


def as_dict(tasks: Sequence[FittedTask], worth: RouterWorth) -> dict[str, Any]:
    """One JSON object."""
    return {
        "tasks": [
            {
                "question": one.task.question,
                "labels": list(one.task.labels),
                "cases": {part: len(getattr(one.task, part).targets) for part in ("train", "validation", "test")},
                "shots": [asdict(row) for row in one.shots],
                **{name: asdict(getattr(one, name)) for name in ("generalist", "specialist", "routed", "difference")},
                "calibration": one.calibration,
                "generalist_point": one.generalist_point,
                "specialist_point": one.specialist_point,
                "to_specialist": one.to_specialist,
                "to_person": one.to_person,
                "seconds": one.task.seconds,
                "detections": [asdict(row) for row in one.detections],
            }
            for one in tasks
        ],
        "router": {**asdict(worth), "worth_it": worth.worth_it},
    }


def _task_lines(one: FittedTask) -> Iterator[str]:
    task = one.task
    yield (
        f"{task.question} ({len(task.labels)} labels; {len(task.train.targets)} cases to learn, "
        f"{len(task.validation.targets)} to choose, {len(task.test.targets)} to test)"
    )
    yield f"  generalist  {_share(one.generalist)}, calibration error {_before_after(one, 'generalist')}"
    yield f"  specialist  {_share(one.specialist)}, calibration error {_before_after(one, 'specialist')}"
    change = one.difference.difference
    yield (
        f"  difference  {change.mean * 100:+.1f} points ({change.low * 100:+.1f} to {change.high * 100:+.1f}), "
        f"p = {one.difference.p_value:.3f}"
    )
    shots = "; ".join(f"{row.shots}: {_share(row.accuracy)}" for row in one.shots)
    yield f"  with k examples a label   {shots}"
    yield (
        f"  router      {_share(one.routed)}; {_rule(one)}; {one.to_specialist:.0%} to the specialist, "
        f"{one.to_person:.0%} to a person, who is taken to be right"
    )
    yield f"  time, cost  {task.seconds * 1000:.0f} ms a medium for either: both read one embedding; nothing is paid"
    for row in one.detections:
        yield (
            f"  {row.answered_by}: {row.misses} of {row.positives} missed "
            f"({row.miss_limits[0]:.1%} to {row.miss_limits[1]:.1%}), "
            f"{row.false_alarms} of {row.negatives} false alarms "
            f"({row.alarm_limits[0]:.1%} to {row.alarm_limits[1]:.1%})"
        )
    if one.detections:
        yield (
            f"  To claim that 99.9 % are found (95 %, one-sided) takes {one.detections[0].needed_without:,} of them "
            f"without a miss; this test had {one.detections[0].positives:,}."
        )


def _worth_lines(worth: RouterWorth) -> Iterator[str]:
    for name, one in (("generalist", worth.over_generalist), ("specialists", worth.over_specialist)):
        change = one.difference
        yield (
            f"Router less {name} alone: {change.mean * 100:+.1f} points "
            f"({change.low * 100:+.1f} to {change.high * 100:+.1f}), {change.cases} test cases"
        )
    yield worth.advice


def _rule(one: FittedTask) -> str:
    if one.generalist_point <= 0:
        return "the generalist always"
    if one.generalist_point >= NEVER:
        return "the specialist always"
    return f"the generalist from confidence {one.generalist_point:.2f} on"


def _share(value: Interval) -> str:
    return f"{value.mean:.1%} ({value.low:.1%} to {value.high:.1%})"


def _before_after(one: FittedTask, name: str) -> str:
    return f"{one.calibration[f'{name} before']:.3f}, {one.calibration[f'{name} after']:.3f} with a temperature"
