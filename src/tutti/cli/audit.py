"""Audit a model for differences between groups of people, with intervals, thresholds and counterfactual pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import add_json, check_output, note, positive, print_json
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.interfaces import Provider
    from tutti.trust.fairness.audit import AuditReport
    from tutti.trust.fairness.policy import AuditPolicy
    from tutti.trust.fairness.table import AuditRow

_EPILOG = """examples:
  tutti audit tutti-mini --data emoji_twemoji/ --by gender,skin_tone --out audit/
  tutti audit ./clip --data fairface_label_val.csv --by gender,race,age --label age --media fairface/
  tutti audit tutti-mini --data people.csv --by gender --queries "a doctor,a nurse,a boss"
  tutti audit openai:gpt-4o --data annotations.json --by gender --task ask --question "What is this person's job?"
  tutti audit tutti-mini --data people.csv --by gender --policy audit.toml --baseline old/audit.json
  tutti audit --rows-needed --rate 0.8 --gap 0.05        how many rows a group a gap of 5 points takes

A policy is TOML: [audit] with max_accuracy_gap, max_false_positive_gap, max_parity_gap, max_skew, max_ndkl,
max_effect_size, max_amplification, max_change, alpha, least_rows. A figure fails where it is past its threshold and is
no chance by its p-value, corrected for the number of figures.

exit codes: 0 nothing is past a threshold, 1 something is, 2 you can fix it, 3 over a limit, 4 a provider failed
"""
_QUESTION = "What is the job of the person in the picture?"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("model", metavar="MODEL", nargs="?", default="tutti-mini", help="as for --model elsewhere")
    parser.add_argument("--data", metavar="TABLE", type=Path, help="CSV, TSV, JSON lines, COCO's JSON, or a pack")
    parser.add_argument("--by", metavar="A,B", help="columns that make groups, such as gender,race,age")
    parser.add_argument("--label", metavar="COLUMN", help="the column of what a picture shows")
    parser.add_argument("--labels", metavar="A,B", help="what the model may choose from (those of the table)")
    parser.add_argument("--positive", metavar="LABEL", help="the label whose false positives and negatives are counted")
    parser.add_argument("--media", metavar="FOLDER", type=Path, help="where paths begin (the table's folder)")
    parser.add_argument("--task", choices=("classify", "ask"), default="classify", help="classify (default), or ask")
    parser.add_argument("--prompt", default="{}", metavar="TEXT", help="how a label is put, with {} for it")
    parser.add_argument("--question", default=_QUESTION, metavar="TEXT", help="what is asked, with --task ask")
    parser.add_argument("--queries", metavar="A,B", help="searches whose rankings are audited")
    parser.add_argument("--top", type=positive(int), default=20, metavar="K", help="depth of MaxSkew (20)")
    parser.add_argument("--limit", type=positive(int), metavar="N", help="only N rows, drawn evenly over the table")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="thresholds in TOML")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="audit.json of an earlier audit")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write audit.md, audit.html and audit.json")
    parser.add_argument("--prompts-into", type=Path, metavar="FOLDER", help="write the pictures and questions as a "
                        "suite for `tutti evaluate` with hosted models, and end")  # fmt: skip
    parser.add_argument("--rows-needed", action="store_true", help="only say how many rows a group are needed")
    parser.add_argument("--rate", type=positive(float), default=0.8, metavar="P", help="with --rows-needed (0.8)")
    parser.add_argument("--gap", type=positive(float), default=0.05, metavar="P", help="with --rows-needed (0.05)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int | None:
    """Audit and print.

    Returns:
        1 if a figure is past its threshold, or got worse than in the baseline.

    Raises:
        InputError: The table, the policy or the baseline cannot be used.
    """
    if arguments.rows_needed:
        _say_rows(arguments)
        return None
    if arguments.data is None or not arguments.by:
        raise InputError("Expected --data TABLE and --by COLUMN,COLUMN; `tutti audit --help` shows examples.")
    if "{}" not in arguments.prompt:
        raise InputError(f"--prompt is {arguments.prompt!r}; expected {{}} in the place of the label.")
    from tutti.trust.fairness.policy import read_policy
    from tutti.trust.fairness.table import read_table

    policy = read_policy(arguments.policy)
    if arguments.out is not None:
        check_output(arguments.out, folder=True)
    by = [name.strip() for name in arguments.by.split(",") if name.strip()]
    rows = read_table(arguments.data, by, label=arguments.label, media=arguments.media)
    if arguments.limit is not None and arguments.limit < len(rows):
        rows = [rows[round(place * (len(rows) - 1) / max(1, arguments.limit - 1))] for place in range(arguments.limit)]
    if arguments.prompts_into is not None:
        from tutti.trust.fairness.counterfactual import prompts_for

        note(f"Wrote {prompts_for(rows, arguments.question, arguments.prompts_into)}")
        return None
    import tutti

    return _finish(arguments, _audited(arguments, tutti.open_provider(arguments.model), rows, by, policy))


def _say_rows(arguments: argparse.Namespace) -> None:
    from tutti.trust.fairness.rates import rows_needed

    if arguments.gap > arguments.rate or arguments.rate > 1:
        raise InputError(f"--gap is {arguments.gap} and --rate {arguments.rate}; expected gap <= rate <= 1.")
    found = rows_needed(arguments.rate, arguments.gap)
    if arguments.json:
        print_json({"rows_per_group": found, "rate": arguments.rate, "gap": arguments.gap, "power": 0.8, "alpha": 0.05})
    else:
        print(f"{found:,} rows a group")


def _audited(
    arguments: argparse.Namespace, model: Provider, rows: list[AuditRow], by: list[str], policy: AuditPolicy
) -> AuditReport:
    from tutti.interfaces import Embedder
    from tutti.trust.fairness.audit import add_searches, audit
    from tutti.trust.fairness.tasks import answer, classify

    named = [label.strip() for label in (arguments.labels or "").split(",") if label.strip()]
    labels = named or sorted({row.label for row in rows})
    if len(labels) < 2:
        raise InputError(f"The table has the label {labels[0]!r} only; expected two or more, or --labels.")
    if arguments.task == "ask":
        said = answer(model, rows, labels, arguments.question, _told)
    else:
        said = classify(model, rows, labels, arguments.prompt, _told)
    _told(0, 0)
    report = audit(model.name, str(arguments.data), rows, by, said, policy, task=arguments.task,
                   positive=arguments.positive)  # fmt: skip
    queries = [query.strip() for query in (arguments.queries or "").split(",") if query.strip()]
    if queries and isinstance(model, Embedder):
        report = add_searches(report, rows, by, said, model, queries, policy, top=arguments.top)
    return report


def _finish(arguments: argparse.Namespace, report: AuditReport) -> int | None:
    from tutti.trust.fairness.baseline import changes_since
    from tutti.trust.fairness.writing import as_markdown, write_audit

    changes = changes_since(report, arguments.baseline) if arguments.baseline else []
    if arguments.json:
        print_json(report.to_dict())
    else:
        print(as_markdown(report, changes), end="")
    if arguments.out is not None:
        note(f"Look at {write_audit(arguments.out, report, changes)[1]}")
    return 1 if report.past or any(change.worse for change in changes) else None


def _told(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{f'{done} of {total} rows' if total else ''}\r")
        sys.stderr.flush()
