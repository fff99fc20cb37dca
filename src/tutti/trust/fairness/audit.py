"""An audit: rows and what a model said of them in, figures with thresholds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from tutti.interfaces import Embedder
from tutti.trust.fairness.association import Amplification, Association, amplification_of, association_of
from tutti.trust.fairness.counterfactual import CounterfactualChange, change_of
from tutti.trust.fairness.policy import AuditFinding, AuditPolicy, judged
from tutti.trust.fairness.ranking import RankingSkew, skew_of
from tutti.trust.fairness.rates import Gap, calibration_error, gap_of, odds_gaps, rows_needed
from tutti.trust.fairness.table import AuditRow
from tutti.trust.fairness.tasks import GivenLabels


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """What an audit found."""

    model: str
    task: str
    table: str
    rows: int
    accuracy: float
    gaps: list[Gap] = field(default_factory=list)
    calibration: dict[str, dict[str, float]] = field(default_factory=dict)
    """Attribute → group → expected calibration error."""
    skews: list[RankingSkew] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    amplifications: list[Amplification] = field(default_factory=list)
    changes: list[CounterfactualChange] = field(default_factory=list)
    findings: list[AuditFinding] = field(default_factory=list)
    cannot: list[str] = field(default_factory=list)
    """What this audit cannot say."""

    @property
    def past(self) -> bool:
        """Whether a figure is past its threshold and no chance."""
        return any(finding.verdict == "past" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return asdict(self)


def crossed(rows: Sequence[AuditRow], by: Sequence[str]) -> dict[str, list[str]]:
    """Attribute, or two of them as "gender x race" → the group of each row."""
    names: list[tuple[str, ...]] = [(name,) for name in by] + list(combinations(by, 2))
    return {" x ".join(one): [" x ".join(row.groups[name] for name in one) for row in rows] for one in names}


def audit(
    model: str, table: str, rows: Sequence[AuditRow], by: Sequence[str], said: GivenLabels, policy: AuditPolicy,
    *, task: str = "classify", positive: str | None = None,
) -> AuditReport:  # fmt: skip
    """The figures of labels that a model gave.

    Args:
        model: What it is called.
        table: What the rows came from.
        rows: (N,) of the audit.
        by: Attributes that make groups.
        said: What the model said of each row.
        policy: Thresholds.
        task: What was asked.
        positive: The label whose false positives and negatives are counted; without it, and with two labels, the first
            in the alphabet, else none.
    """
    right = [one == row.label for one, row in zip(said.said, rows, strict=True)]
    groups = crossed(rows, by)
    labels = sorted({row.label for row in rows})
    gaps = [gap for name, of in groups.items() if (gap := gap_of("accuracy", name, right, of, **_how(policy)))]
    chosen = positive or (labels[0] if len(labels) == 2 else None)
    if chosen is not None:
        truth = np.array([row.label == chosen for row in rows])
        given = np.array([one == chosen for one in said.said])
        for name, of in groups.items():
            gaps += odds_gaps(truth, given, of, name, **_how(policy))
    report = AuditReport(
        model=model, task=task, table=table, rows=len(rows), accuracy=sum(right) / len(rows), gaps=gaps,
        calibration={name: _calibrations(said, right, groups[name], policy) for name in by} if said.sure else {},
        amplifications=[
            amplification_of(name, groups[name], [row.label for row in rows], said.said) for name in by
        ],
        changes=[change for name in by if (change := change_of(rows, said, name)) is not None],
        cannot=_cannot(rows, by, gaps, chosen, policy),
    )  # fmt: skip
    report.findings.extend(judged(_figures(report, policy), policy))
    return report


def _how(policy: AuditPolicy) -> dict[str, int]:
    return {"least": policy.least_rows}


def _calibrations(said: GivenLabels, right: Sequence[bool], of: Sequence[str], policy: AuditPolicy) -> dict[str, float]:
    found = {}
    for group in sorted(set(of)):
        there = [place for place, name in enumerate(of) if name == group]
        if len(there) >= policy.least_rows:
            found[group] = calibration_error([said.sure[place] for place in there], [right[place] for place in there])
    return found


def add_searches(
    report: AuditReport, rows: Sequence[AuditRow], by: Sequence[str], said: GivenLabels, model: Embedder,
    queries: Sequence[str], policy: AuditPolicy, *, top: int = 20,
) -> AuditReport:  # fmt: skip
    """The report with rankings of the pictures for each query, and associations of the queries with two groups."""
    from dataclasses import replace

    from tutti.content import Text

    if said.vectors is None or not queries:
        return report
    words = model.embed([Text(query) for query in queries]).vectors
    skews = []
    for query, vector in zip(queries, words, strict=True):
        order = np.argsort(-(said.vectors @ vector), kind="stable")
        skews += [skew_of(query, name, [rows[place].groups[name] for place in order], top) for name in by]
    associations = _associations(rows, by, said, words, queries, policy)
    found = replace(report, skews=skews, associations=associations, findings=[])
    found.findings.extend(judged(_figures(found, policy), policy))
    return found


def _associations(
    rows: Sequence[AuditRow], by: Sequence[str], said: GivenLabels, words: Any, queries: Sequence[str],
    policy: AuditPolicy,
) -> list[Association]:  # fmt: skip
    """Each query against the others, for the two largest groups of each attribute."""
    found: list[Association] = []
    if said.vectors is None or len(queries) < 2:
        return found
    for name in by:
        of = np.array([row.groups[name] for row in rows])
        names, counts = np.unique(of, return_counts=True)
        largest = [
            str(one) for one in names[np.argsort(-counts, kind="stable")] if (of == one).sum() >= policy.least_rows
        ]
        for first, second in combinations(largest[:3], 2):
            for place, query in enumerate(queries):
                rest = np.delete(words, place, axis=0)
                found.append(
                    association_of(
                        said.vectors[of == first],
                        said.vectors[of == second],
                        words[place : place + 1],
                        rest,
                        attribute=name,
                        names=(first, second),
                        words=query,
                    )
                )
    return found


_THRESHOLDS = {
    "accuracy": "max_accuracy_gap",
    "false positive rate": "max_false_positive_gap",
    "false negative rate": "max_false_negative_gap",
    "demographic parity": "max_parity_gap",
}


def _figures(report: AuditReport, policy: AuditPolicy) -> list[dict[str, Any]]:
    """Every figure with its threshold's name, for the policy."""
    found: list[dict[str, Any]] = []

    def add(figure: str, attribute: str, value: float, threshold: str, p_value: float | None, detail: str) -> None:
        found.append(
            {"figure": figure, "attribute": attribute, "value": value, "threshold": threshold, "p_value": p_value,
             "detail": detail}
        )  # fmt: skip

    for gap in report.gaps:
        name = f"{gap.figure} gap"
        add(name, gap.attribute, gap.gap, _THRESHOLDS[gap.figure], gap.p_value, f"{gap.best} against {gap.worst}")
    for attribute, errors in report.calibration.items():
        if len(errors) > 1:
            worst, best = max(errors, key=lambda one: errors[one]), min(errors, key=lambda one: errors[one])
            apart = errors[worst] - errors[best]
            add("calibration gap", attribute, apart, "max_calibration_gap", None, f"{worst} against {best}")
    for skew in report.skews:
        add(f"NDKL of {skew.query!r}", skew.attribute, skew.ndkl, "max_ndkl", skew.p_value, f"most: {skew.group}")
        skewed = f"MaxSkew@{skew.top} of {skew.query!r}"
        add(skewed, skew.attribute, skew.max_skew, "max_skew", skew.p_value, f"most: {skew.group}")
    for one in report.associations:
        nearer = f"{one.first if one.effect_size > 0 else one.second} lies nearer"
        between = f"{one.attribute}: {one.first}, {one.second}"
        add(f"association of {one.words!r}", between, abs(one.effect_size), "max_effect_size", one.p_value, nearer)
    for amount in report.amplifications:
        p_value = 0.0 if amount.low > 0 else 1.0
        interval = f"{amount.low:+.3f} to {amount.high:+.3f}"
        add("amplification", amount.attribute, amount.amount, "max_amplification", p_value, interval)
    for change in report.changes:
        detail = f"{change.pairs} pairs; right more often: {change.favoured} ({change.favour:.0%} of those that differ)"
        p_value = 0.0 if change.low > policy.max_change else 1.0  # decided by the interval
        add("counterfactual change", change.attribute, change.changed, "max_change", p_value, detail)
    return found


def _cannot(
    rows: Sequence[AuditRow], by: Sequence[str], gaps: Sequence[Gap], positive: str | None, policy: AuditPolicy
) -> list[str]:
    found = []
    for name in by:
        counts = {group: sum(row.groups[name] == group for row in rows) for group in {row.groups[name] for row in rows}}
        small = sorted(group for group, count in counts.items() if count < policy.least_rows)
        if small:
            found.append(
                f"Of {name}: {', '.join(small)} nothing is said; there are fewer than {policy.least_rows} rows."
            )
        most = max((rate.rate for gap in gaps if gap.attribute == name for rate in gap.rates), default=0.0)
        if 0.05 < most <= 1 and min(counts.values()) < (needed := rows_needed(most, 0.05)):
            found.append(
                f"A gap of 5 points between groups of {name} is found at 80 % power with {needed:,} rows a group; the "
                f"smallest has {min(counts.values()):,}. Smaller gaps may be there and not be seen."
            )
    if positive is None:
        found.append("False positives and negatives were not counted: name a label with --positive.")
    found.append("Groups are those of the table; who made it decided who belongs to which.")
    found.append(
        "A label that changes between counterfactual pairs shows that it depends on more than it should, not how."
    )
    found.append("Figures hold for pictures like these, and not for others.")
    return found
