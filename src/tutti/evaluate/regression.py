"""Whether a model got worse than a saved report says it was: case by case, one-sided, and no alarm without evidence.

A baseline is compared with again and again, so that an alarm at 5 % each time would soon be a false one. All
comparisons with one baseline share the false alarms that are allowed (Bonferroni, which holds for runs that share one).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from tutti.errors import InputError
from tutti.evaluate import statistics
from tutti.evaluate.analysis import case_scores
from tutti.evaluate.running import Outcome
from tutti.media.text_files import read_text

RUNS = 50
"""Comparisons with one baseline that share the false alarms allowed, unless told otherwise."""
_DROP = 0.1
_FEWEST = statistics.Spread(changing=0.0, size=1.0, step=1.0, cases=1.0)
"""No change but those that make the drop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model, now and then."""

    model: str
    before: float
    now: float
    cases: int
    p_value: float
    """One-sided: of seeing such a drop by chance."""
    alpha: float
    """Share of false alarms that is allowed."""
    runs: int
    """Comparisons that share it."""
    margin: float
    """Drop that is tolerated."""
    cases_needed: int
    """Cases that find a drop of 10 points at 80 % power, with the spread seen here."""

    @property
    def level(self) -> float:
        """What the p-value has to be below for an alarm."""
        return self.alpha / self.runs

    @property
    def regressed(self) -> bool:
        """Whether the alarm is raised."""
        return self.p_value < self.level and self.before - self.now > self.margin

    @property
    def sentence(self) -> str:
        """The change in words."""
        how = f"{self.before:.1%} before, {self.now:.1%} now on {self.cases} cases, p = {self.p_value:.2g}"
        shared = f" where {self.runs} runs share {self.alpha:.0%}" if self.runs > 1 else ""
        if self.regressed:
            return f"{self.model} got worse: {how}; the alarm is at {self.level:.2g}{shared}."
        if self.cases < self.cases_needed:
            how += f"; a drop of 10 points would need {self.cases_needed:,} cases to be seen{shared}"
        if self.p_value < self.alpha and self.before - self.now > self.margin:
            return f"{self.model} may have got worse: {how}; a single comparison would raise the alarm (--runs 1)."
        return f"{self.model} did not get worse as far as can be told: {how}."


def read_baseline(path: Path) -> Mapping[str, Mapping[str, float]]:
    """Scores of a saved report: model → digest of case → score.

    Raises:
        InputError: It cannot be read, or is no report of this command.
    """
    try:
        saved: Any = json.loads(read_text(path))
        scores = {str(name): {str(k): float(v) for k, v in model.items()} for name, model in saved["scores"].items()}
    except InputError as error:
        raise InputError(f"The baseline: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is no report; expected the report.json of an earlier evaluation.") from None
    return scores


def changes(
    outcomes: Sequence[Outcome],
    baseline: Mapping[str, Mapping[str, float]],
    *,
    alpha: float = 0.05,
    runs: int = RUNS,
    margin: float = 0.0,
) -> list[Change]:
    """Compare each model with itself in a baseline, on the cases that both have.

    Args:
        outcomes: Of the run.
        baseline: As by `read_baseline`. A lone model is compared with a lone one of another name.
        alpha: Share of false alarms.
        runs: Comparisons with this baseline that share it.
        margin: Drop that is tolerated.

    Raises:
        InputError: No model, or no case of one, is in the baseline.
    """
    names = list(dict.fromkeys(outcome.model for outcome in outcomes))
    pairs = {name: name for name in names if name in baseline}
    if not pairs and len(names) == len(baseline) == 1:
        pairs = {names[0]: next(iter(baseline))}
    if not pairs:
        raise InputError(
            f"The baseline knows {', '.join(baseline)} and not {', '.join(names)}; run it for one of these."
        )
    return [
        _change(name, [o for o in outcomes if o.model == name], baseline[old], alpha, runs, margin)
        for name, old in pairs.items()
    ]


def _change(
    name: str, outcomes: Sequence[Outcome], before: Mapping[str, float], alpha: float, runs: int, margin: float
) -> Change:
    now = case_scores(outcomes)
    cases = {outcome.case.id: outcome.case for outcome in outcomes}
    shared = [case for case in cases.values() if case.digest in before]
    if not shared:
        raise InputError(f"The baseline shares no case with this suite for {name}; make a new one from this run.")
    old = [before[case.digest] for case in shared]
    new = [now[case.id] for case in shared]
    changes = [value - other for value, other in zip(new, old, strict=True)]
    clusters = [case.cluster for case in shared]
    # Where nothing changed, changes are thought of that are as many as scores that are not like the others.
    rest = [value - mean(new) for value in new]
    spread = statistics.spread_of(changes, clusters) or statistics.spread_of(rest, clusters) or _FEWEST
    return Change(
        model=name,
        before=mean(old),
        now=mean(new),
        cases=len(shared),
        p_value=statistics.sign_flip_p(changes, clusters, one_sided=True),
        alpha=alpha,
        runs=runs,
        margin=margin,
        cases_needed=statistics.cases_needed(_DROP, spread, alpha=alpha / runs, one_sided=True) or 2,
    )
