"""Whether a model got worse than a saved report says it was: case by case, one-sided, and no alarm without evidence."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model, now and then."""

    model: str
    before: float
    now: float
    cases: int
    p_value: float
    """One-sided: of seeing such a drop by chance."""
    regressed: bool
    cases_needed: int
    """Cases that find a drop of 10 points at 80 % power, with the spread seen here."""

    @property
    def sentence(self) -> str:
        """The change in words."""
        how = f"{self.before:.1%} before, {self.now:.1%} now on {self.cases} cases, p = {self.p_value:.3f}"
        if self.regressed:
            return f"{self.model} got worse: {how}."
        if self.cases < self.cases_needed:
            how += f"; a drop of 10 points would need {self.cases_needed:,} cases to be seen"
        return f"{self.model} did not get worse as far as can be told: {how}."


def read_baseline(path: Path) -> Mapping[str, Mapping[str, float]]:
    """Scores of a saved report: model → digest of case → score.

    Raises:
        InputError: It cannot be read, or is no report of this command.
    """
    try:
        saved: Any = json.loads(path.read_text(encoding="utf-8"))
        scores = {str(name): {str(k): float(v) for k, v in model.items()} for name, model in saved["scores"].items()}
    except OSError as error:
        raise InputError(f"Cannot read the baseline {path}: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is no report; expected the report.json of an earlier evaluation.") from None
    return scores


def changes(
    outcomes: Sequence[Outcome],
    baseline: Mapping[str, Mapping[str, float]],
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
) -> list[Change]:
    """Compare each model with itself in a baseline, on the cases that both have.

    Args:
        outcomes: Of the run.
        baseline: As by `read_baseline`. A lone model is compared with a lone one of another name.
        alpha: Share of false alarms.
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
        _change(name, [o for o in outcomes if o.model == name], baseline[old], alpha, margin)
        for name, old in pairs.items()
    ]


def _change(name: str, outcomes: Sequence[Outcome], before: Mapping[str, float], alpha: float, margin: float) -> Change:
    now = case_scores(outcomes)
    cases = {outcome.case.id: outcome.case for outcome in outcomes}
    shared = [case for case in cases.values() if case.digest in before]
    if not shared:
        raise InputError(f"The baseline shares no case with this suite for {name}; make a new one from this run.")
    old = [before[case.digest] for case in shared]
    new = [now[case.id] for case in shared]
    drops = [value - other for value, other in zip(new, old, strict=True)]
    clusters = [case.cluster for case in shared]
    p_value = statistics.sign_flip_p(drops, clusters, one_sided=True)
    spread = statistics.clustered_deviation(drops, clusters)
    # Where nothing changed there is no spread to go by; then that of the scores themselves bounds it.
    spread = spread or statistics.clustered_deviation(new, clusters)
    return Change(
        model=name,
        before=mean(old),
        now=mean(new),
        cases=len(shared),
        p_value=p_value,
        regressed=p_value < alpha and mean(drops) < -margin,
        cases_needed=statistics.cases_needed(0.1, spread, alpha=alpha, one_sided=True) or 2,
    )
