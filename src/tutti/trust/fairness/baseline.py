"""Two audits of the same table side by side: which figures got worse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutti.errors import InputError
from tutti.trust.fairness.audit import AuditReport


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditChange:
    """One figure then and now."""

    figure: str
    attribute: str
    before: float
    now: float
    worse: bool
    """Whether it was within its threshold then, and is past it now."""


def changes_since(report: AuditReport, baseline: str | Path) -> list[AuditChange]:
    """Each figure of a report beside that of an earlier one.

    Raises:
        InputError: The baseline cannot be read, or is of another table or task.
    """
    before = _read(baseline)
    if (before["table"], before["task"]) != (report.table, report.task):
        raise InputError(
            f"{baseline} is of {before['table']} ({before['task']}), and this audit of {report.table} ({report.task}); "
            "compare audits of one table and task."
        )
    known = {(one["figure"], one["attribute"]): one for one in before["findings"]}
    found = []
    for finding in report.findings:
        then = known.get((finding.figure, finding.attribute))
        if then is not None:
            worse = finding.verdict == "past" and then["verdict"] != "past"
            found.append(
                AuditChange(figure=finding.figure, attribute=finding.attribute, before=float(then["value"]),
                            now=finding.value, worse=worse)
            )  # fmt: skip
    return found


def _read(path: str | Path) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected audit.json of an earlier audit.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        value = None
    if not isinstance(value, dict) or not {"table", "task", "findings"} <= set(value):
        raise InputError(f"{path} is no audit; expected audit.json of an earlier one.")
    return value
