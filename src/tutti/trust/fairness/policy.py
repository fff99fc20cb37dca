"""Thresholds of an audit, from a TOML file, and what of a report is past them.

A figure fails where it is past its threshold and is no chance by the corrected p-value; past it without that is
"uncertain", and more rows are needed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from tutti.errors import InputError

FindingVerdict = Literal["within", "uncertain", "past"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """What an audit tolerates. Keys of the file's table `[audit]` have these names."""

    max_accuracy_gap: float = 0.02
    """Difference of shares between the best and the worst group."""
    max_false_positive_gap: float = 0.05
    max_false_negative_gap: float = 0.05
    max_parity_gap: float = 0.1
    max_calibration_gap: float = 0.1
    """Difference of calibration errors; it has no p-value and is only reported as uncertain."""
    max_skew: float = 0.7
    """Logarithm: 0.7 is twice the share."""
    max_ndkl: float = 0.2
    max_effect_size: float = 0.5
    """Of an association; 0.5 is a medium effect (Cohen 1988)."""
    max_amplification: float = 0.02
    max_change: float = 0.1
    """Share of counterfactual pairs in which the answer changes."""
    alpha: float = 0.05
    """Share of false alarms over all figures of a report (Holm 1979)."""
    least_rows: int = 10
    """Groups of fewer rows are counted and not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One figure against its threshold."""

    figure: str
    attribute: str
    value: float
    threshold: float
    p_value: float | None
    """Corrected for the number of figures; None where the figure has none."""
    verdict: FindingVerdict
    detail: str


def read_policy(path: str | Path | None) -> AuditPolicy:
    """The policy of a file; the defaults without one.

    Raises:
        InputError: The file is missing, no TOML, or has a key or a value that is not known.
    """
    if path is None:
        return AuditPolicy()
    try:
        table: Any = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a policy in TOML.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}.") from None
    values = table.get("audit", table)
    known = {field.name for field in fields(AuditPolicy)}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{path}: unknown key {name!r}; known are: {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise InputError(f"{path}: {name} is {value!r}; expected a number that is not negative.")
    return replace(AuditPolicy(), **values)


def judged(figures: Sequence[Mapping[str, Any]], policy: AuditPolicy) -> list[AuditFinding]:
    """Every figure against its threshold; p-values corrected over all of them.

    Args:
        figures: Each with figure, attribute, value, threshold (the policy's field), p_value or None, and detail.
        policy: What is tolerated.
    """
    from tutti.evaluate.statistics import holm

    tested = [one for one in figures if one["p_value"] is not None]
    corrected = dict(zip(map(id, tested), holm([one["p_value"] for one in tested]), strict=True))
    found = []
    for one in figures:
        threshold, p_value = float(getattr(policy, one["threshold"])), corrected.get(id(one))
        past = one["value"] > threshold
        sure = past and p_value is not None and p_value <= policy.alpha
        verdict: FindingVerdict = "past" if sure else "uncertain" if past else "within"
        found.append(
            AuditFinding(
                figure=one["figure"],
                attribute=one["attribute"],
                value=float(one["value"]),
                threshold=threshold,
                p_value=p_value,
                verdict=verdict,
                detail=one["detail"],
            )
        )
    return found
