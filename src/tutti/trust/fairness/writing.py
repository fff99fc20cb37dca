"""An audit as Markdown, as one HTML page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tutti.trust.fairness.audit import AuditReport
from tutti.trust.fairness.baseline import AuditChange
from tutti.trust.fairness.policy import AuditFinding
from tutti.trust.fairness.rates import Gap

_ORDER = {"past": 0, "uncertain": 1, "within": 2}
_STYLE = """
:root { color-scheme: light dark; } body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
padding: 0 1rem; } table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: 1rem 0; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #8885; } td.n { text-align: right;
font-variant-numeric: tabular-nums; } .past { color: #cf222e; font-weight: 600; } .uncertain { color: #9a6700; }
.within { color: #1a7f37; } .bar { fill: #0969da; } .whisker { stroke: currentColor; }
"""


def as_markdown(report: AuditReport, changes: Sequence[AuditChange] = (), most: int = 40) -> str:
    """The report in Markdown: the verdict first, then figures, groups, and what the audit cannot say."""
    lines = [f"# Audit of {report.model}", "", _summary(report), ""]
    found = sorted(report.findings, key=lambda one: (_ORDER[one.verdict], -one.value))
    lines += [
        "| verdict | figure | attribute | value | threshold | p (Holm) | |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [_row(one) for one in found[:most]]
    if len(found) > most:
        lines.append(f"\n{len(found) - most} more figures are in audit.json.")
    for gap in report.gaps:
        if gap.figure == "accuracy" and " x " not in gap.attribute:
            lines += [
                "",
                f"Accuracy by {gap.attribute} (difference {gap.gap:.1%}, {gap.low:.1%} to {gap.high:.1%}):",
                "",
            ]
            lines += ["| group | accuracy | 95 % interval | rows |", "| --- | ---: | ---: | ---: |"]
            lines += [
                f"| {one.group} | {one.rate:.1%} | {one.low:.1%} to {one.high:.1%} | {one.count:,} |"
                for one in gap.rates
            ]
    if changes:
        worse = [one for one in changes if one.worse]
        lines += ["", f"Against the baseline, {len(worse)} of {len(changes)} figures are past their threshold anew."]
        lines += [f"- {one.figure} ({one.attribute}): {one.before:.3f} then, {one.now:.3f} now" for one in worse]
    lines += ["", "What this audit cannot say:", *(f"- {sentence}" for sentence in report.cannot)]
    return "\n".join(lines) + "\n"


def _summary(report: AuditReport) -> str:
    counts = {verdict: sum(one.verdict == verdict for one in report.findings) for verdict in _ORDER}
    return (
        f"{report.rows:,} rows of {report.table}, task {report.task}, accuracy {report.accuracy:.1%}. Of "
        f"{len(report.findings)} figures {counts['past']} are past their threshold, {counts['uncertain']} may be, and "
        f"{counts['within']} are within."
    )


def _row(one: AuditFinding) -> str:
    cells = (one.verdict, one.figure, one.attribute, f"{one.value:.3f}", f"{one.threshold:g}", _sure(one), one.detail)
    return f"| {' | '.join(cells)} |"


def _sure(one: AuditFinding) -> str:
    return "" if one.p_value is None else f"{one.p_value:.4f}"


def as_html(report: AuditReport, changes: Sequence[AuditChange] = ()) -> str:
    """The report as one page that fetches nothing."""
    found = sorted(report.findings, key=lambda one: (_ORDER[one.verdict], -one.value))
    rows = "".join(
        f'<tr class="{one.verdict}"><td>{one.verdict}<td>{escape(one.figure)}<td>{escape(one.attribute)}'
        f"<td class=n>{one.value:.3f}<td class=n>{one.threshold:g}<td class=n>{_sure(one)}"
        f"<td>{escape(one.detail)}</tr>"
        for one in found
    )
    charts = "".join(_chart(gap) for gap in report.gaps if gap.figure == "accuracy" and " x " not in gap.attribute)
    worse = "".join(f"<li>{escape(one.figure)} ({escape(one.attribute)})</li>" for one in changes if one.worse)
    anew = f"<h2>Worse than the baseline</h2><ul>{worse}</ul>" if worse else ""
    cannot = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.cannot)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Audit of {escape(report.model)}</title><style>{_STYLE}</style><h1>Audit of {escape(report.model)}</h1>"
        f"<p>{escape(_summary(report))}</p><table><tr><th>verdict<th>figure<th>attribute<th>value<th>threshold"
        f"<th>p (Holm)<th></tr>{rows}</table>{charts}{anew}<h2>What this audit cannot say</h2><ul>{cannot}</ul></html>"
    )


def _chart(gap: Gap) -> str:
    """Bars with whiskers: the rate of each group and its interval."""
    bars = []
    for place, one in enumerate(gap.rates):
        top = 8 + 26 * place
        low, high, middle = 200 + 400 * one.low, 200 + 400 * one.high, top + 9
        name = f"{escape(one.group)} ({one.count})"
        bars.append(
            f'<text x="190" y="{top + 13}" text-anchor="end" fill="currentColor">{name}</text>'
            f'<rect class="bar" x="200" y="{top}" width="{400 * one.rate:.1f}" height="18"/>'
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
            f'<text x="610" y="{top + 13}" fill="currentColor">{one.rate:.1%}</text>'
        )
    height = 16 + 26 * len(gap.rates)
    title = f"<h2>Accuracy by {escape(gap.attribute)}</h2>"
    return f'{title}<svg viewBox="0 0 680 {height}" font-size="13">{"".join(bars)}</svg>'


def write_audit(folder: str | Path, report: AuditReport, changes: Sequence[AuditChange] = ()) -> list[Path]:
    """Write audit.md, audit.html and audit.json into a folder.

    Raises:
        OSError: They cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    texts = {
        "audit.md": as_markdown(report, changes),
        "audit.html": as_html(report, changes),
        "audit.json": json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    return [place / name for name in texts]
