"""Many media, one decision each: what is decided is passed over, what a person said stands, the rest is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tutti.apps.moderation.decisions import ModerationDecision
from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.labels import caption_of, part_of
from tutti.apps.moderation.moderator import Moderator, decision_id, medium_key
from tutti.apps.moderation.policy import ACTIONS
from tutti.content import Part
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.evaluate.statistics import share_interval

Decided: TypeAlias = tuple[dict[str, Any], bool]
"""A decision as plain values, and whether it is new."""


def run_over(
    moderator: Moderator, files: Iterable[Path], journal: DecisionJournal, caption: str | None = None
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Decide on each file as it comes; the next is taken only when the one before is on the disk.

    Args:
        moderator: Who decides.
        files: Paths, which may come as slowly as a queue.
        journal: Where decisions are kept.
        caption: For all of them; None reads it beside each file.

    Yields:
        Each decision as plain values, and whether it is new.
    """
    journal.purge(moderator.policy.retention_days)
    decided, verdicts = journal.state()
    for file in files:
        try:
            part = part_of(file)
            words = caption_of(file) if caption is None else caption
        except MissingExtra:
            raise
        except (InputError, CapacityError) as error:
            yield unreadable(moderator, journal, file, str(error)), True
            continue
        values, new = decide_once(moderator, journal, part, str(file), words, decided, verdicts)
        yield values, new


def decide_once(
    moderator: Moderator,
    journal: DecisionJournal,
    part: Part,
    file: str,
    caption: str,
    decided: dict[str, dict[str, Any]],
    verdicts: Mapping[str, Mapping[str, Any]],
    told: Callable[[float], None] | None = None,
) -> tuple[dict[str, Any], bool]:
    """One decision, from the journal or new; `decided` takes a new one up. `told` as for `Moderator.decide`."""
    key = medium_key(part, caption)
    name = decision_id(key, moderator.version)
    if name in decided:
        return judged({**decided[name], "file": file}, verdicts.get(key)), False
    decision = moderator.decide(part, file, caption, told)
    values = noted(journal, decision.to_dict(), key)
    decided[name] = values
    return judged(values, verdicts.get(key)), True


def judged(values: dict[str, Any], verdict: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a person said stands over what the policy said."""
    return values if verdict is None else {**values, "action": verdict["action"], "by": verdict["by"]}


def unreadable(moderator: Moderator, journal: DecisionJournal, file: Path, reason: str) -> dict[str, Any]:
    """Decide on a file that cannot be read, and keep that."""
    decision = ModerationDecision(
        id=decision_id(f"unreadable {file}", moderator.version), file=str(file), action=moderator.policy.unreadable,
        policy=moderator.policy.name, version=moderator.version, notes=(f"it cannot be judged: {reason}",),
    )  # fmt: skip
    return noted(journal, decision.to_dict(), "")


def noted(journal: DecisionJournal, decision: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Keep a decision with the key of its medium; the values that are kept."""
    values = {**decision, "key": key}
    journal.note("decided", **values)
    return values


def review_rows(journal: DecisionJournal) -> list[dict[str, Any]]:
    """What waits for a person: decisions `review` without a verdict, newest version of each medium, worst first."""
    decided, verdicts = journal.state()
    waiting = {}
    for row in decided.values():
        waiting[row["key"] or row["file"]] = row
    rows = [row for row in waiting.values() if row["action"] == "review" and row["key"] not in verdicts]
    rows.sort(key=lambda row: -max((finding["score"] for finding in row["findings"]), default=1.0))
    return [_for_review(row) for row in rows]


def _for_review(row: Mapping[str, Any]) -> dict[str, Any]:
    found = [
        {"category": finding["category"], "score": finding["score"], "spans": finding["spans"],
         "reasons": [sign["reason"] for sign in finding["signs"][:4]]}
        for finding in row["findings"]
    ]  # fmt: skip
    return {"id": row["id"], "file": row["file"], "findings": found, "notes": row["notes"], "verdict": None, "by": None}


def take_verdicts(journal: DecisionJournal, rows: Iterable[Mapping[str, Any]]) -> int:
    """Note what people decided; rows without a verdict are passed over. How many were noted.

    Args:
        journal: Of the tenant.
        rows: Each with `id` of a decision, `verdict` (allow, review, block) and `by`, the person.

    Raises:
        InputError: A row is of no decision, names no person, or has another verdict; then none is noted.
    """
    decided = journal.decided()
    checked = []
    for number, row in enumerate(rows, 1):
        if row.get("verdict") is None:
            continue
        if row.get("id") not in decided or not decided[row["id"]]["key"]:
            raise InputError(f"Row {number} is of the decision {row.get('id')!r}, which is not known here.")
        if row["verdict"] not in ACTIONS:
            raise InputError(f"Row {number} has the verdict {row['verdict']!r}; expected {', '.join(ACTIONS)}.")
        if not isinstance(row.get("by"), str) or not row["by"].strip():
            raise InputError(f'Row {number} does not say by whom the verdict is; expected a name in "by".')
        checked.append((decided[row["id"]], row))
    for decision, row in checked:
        journal.note(
            "judged", key=decision["key"], decision=decision["id"], was=decision["action"], action=row["verdict"],
            by=row["by"],
        )  # fmt: skip
    return len(checked)


def figures_of(journal: DecisionJournal) -> dict[str, Any]:
    """How many were decided how, and how far people agree with the policy, with intervals."""
    counts = dict.fromkeys(ACTIONS, 0)
    decided, verdicts = journal.state()
    for row in decided.values():
        counts[row["action"]] += 1
    judged = list(verdicts.values())
    stopped = [row for row in judged if row["was"] != "allow"]
    passed = [row for row in judged if row["was"] == "allow"]
    return {
        "decisions": counts,
        "judged": len(judged),
        "wrongly_stopped": _share(stopped, "allow"),
        "wrongly_passed": _share(passed, "block"),
    }


def _share(rows: list[dict[str, Any]], verdict: str) -> dict[str, Any] | None:
    if not rows:
        return None
    found = share_interval([float(row["action"] == verdict) for row in rows], [row["key"] for row in rows])
    return {"share": found.mean, "low": found.low, "high": found.high, "of": found.cases}
