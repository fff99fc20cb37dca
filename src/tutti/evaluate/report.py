"""The report of an evaluation as values, JSON, Markdown and JUnit; `tutti.evaluate.page` makes the HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tutti import __version__
from tutti.evaluate.analysis import ModelReport, Verdict, case_scores, ranks, report_on, verdicts
from tutti.evaluate.regression import Change
from tutti.evaluate.running import Outcome
from tutti.evaluate.statistics import Interval
from tutti.evaluate.suite import Suite


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an evaluation found."""

    suite: str
    cases: int
    models: tuple[ModelReport, ...]
    verdicts: tuple[Verdict, ...]
    ranks: dict[str, int]
    outcomes: tuple[Outcome, ...]
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    made: str = ""
    """When, in UTC."""

    @property
    def regressed(self) -> bool:
        """Whether any model got worse than in the baseline."""
        return any(change.regressed for change in self.changes)


def make_report(
    suite: Suite,
    outcomes: Sequence[Outcome],
    *,
    alpha: float = 0.05,
    changes: Sequence[Change] = (),
    notes: Sequence[str] = (),
) -> Report:
    """Sum up outcomes.

    Args:
        suite: What was asked.
        outcomes: What came of it.
        alpha: Share of false alarms that verdicts allow.
        changes: Against a baseline.
        notes: What the reader should know, such as prices that are old.
    """
    names = list(dict.fromkeys(outcome.model for outcome in outcomes))
    models = [report_on(name, [outcome for outcome in outcomes if outcome.model == name]) for name in names]
    judged = verdicts(outcomes, alpha=alpha)
    models.sort(key=lambda model: -model.score.mean)
    unpriced = [
        model.name for model in models if model.cost_usd is None and sum(model.failed.values()) < model.requests
    ]
    missing = [
        f"No price is known for {name}; its cost is not told, and is not 0. Add it: tutti cost --help."
        for name in unpriced
    ]
    unchecked = [
        f"{model.name} asserts {model.unchecked_claims} things that nothing could be held against; they count as true. "
        "Give their cases an expected, or have texts read: --ocr."
        for model in models
        if model.unchecked_claims
    ]
    alone = ["All cases are about one medium, so that no interval can be told."] if models[0].score.clusters < 2 else []
    return Report(
        suite=suite.name,
        cases=len(suite.cases),
        models=tuple(models),
        verdicts=tuple(judged),
        ranks=ranks(names, judged),
        outcomes=tuple(outcomes),
        changes=tuple(changes),
        notes=(*notes, *alone, *missing, *unchecked),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain values; `scores` is what a later run takes as its baseline."""
    digests = {outcome.case.id: outcome.case.digest for outcome in report.outcomes}
    scores = {
        model.name: {
            digests[case]: round(value, 6)
            for case, value in case_scores([o for o in report.outcomes if o.model == model.name]).items()
        }
        for model in report.models
    }
    return {
        "suite": report.suite,
        "cases": report.cases,
        "made": report.made,
        "tutti": __version__,
        "models": [
            asdict(model)
            | {"rank": report.ranks[model.name], "worst_prompt": model.worst_prompt.variant, "spread": model.spread}
            for model in report.models
        ],
        "verdicts": [asdict(one) | {"told_apart": one.told_apart, "sentence": one.sentence} for one in report.verdicts],
        "changes": [asdict(one) | {"regressed": one.regressed, "sentence": one.sentence} for one in report.changes],
        "notes": list(report.notes),
        "answers": [_answer(outcome) for outcome in report.outcomes],
        "scores": scores,
    }


def _answer(outcome: Outcome) -> dict[str, Any]:
    reply, score = outcome.reply, outcome.score
    return {
        "model": outcome.model,
        "variant": outcome.variant,
        "id": outcome.case.id,
        "question": outcome.question,
        "expected": list(outcome.case.expected)
        or (asdict(outcome.case.annotation) if outcome.case.annotation else None),
        "metric": outcome.case.metric,
        "answer": reply.text if reply else None,
        "score": score.value if score else None,
        "abstained": score.abstained if score else None,
        "claims": [asdict(claim) for claim in score.claims] if score else [],
        "judged": outcome.judged,
        "seconds": reply.seconds if reply else None,
        "cost_usd": outcome.cost_usd,
        "cached": outcome.cached,
        "error": outcome.error or None,
    }


def as_markdown(report: Report) -> str:
    """The report in short, for a terminal, a pull request or a wiki."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    models = f"{len(report.models)} models" if len(report.models) > 1 else "1 model"
    yield f"# {report.suite}: {report.cases} cases, {models}"
    yield ""
    head = "rank model score 95_% worst_prompt spread inventions declined p50_/_p95_s $_a_query failed".split()
    yield f"| {' | '.join(head).replace('_', ' ')} |"
    yield "| ---: | --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for model in report.models:
        yield "| " + " | ".join(_row(report, model)) + " |"
    yield ""
    for sentence in (*(one.sentence for one in report.verdicts), *(one.sentence for one in report.changes)):
        yield f"- {sentence}"
    for model in report.models:
        if model.figures:
            yield f"- {model.name}: " + ", ".join(f"{name} {value:.3f}" for name, value in model.figures.items())
        if model.judge:
            yield f"- {model.name}, judged: " + ", ".join(f"{name} {value:.2f}" for name, value in model.judge.items())
        for error, count in model.failed.items():
            yield f"- {model.name} failed {count} times: {error}"
    for note in report.notes:
        yield f"- {note}"


def _row(report: Report, model: ModelReport) -> list[str]:
    tied = sum(rank == report.ranks[model.name] for rank in report.ranks.values()) > 1
    worst = model.worst_prompt
    return [
        f"{report.ranks[model.name]}{'=' if tied else ''}",
        model.name,
        f"{model.score.mean:.1%}",
        interval(model.score),
        f"{worst.variant}: {worst.score.mean:.1%}",
        f"{model.spread:.1%}",
        share(model.hallucination_rate),
        f"{model.abstained:.1%}",
        f"{seconds(model.latency_s['p50'])} / {seconds(model.latency_s['p95'])}",
        dollars(model.cost_usd),
        str(sum(model.failed.values())),
    ]


def share(value: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def interval(score: Interval) -> str:
    """Where a score may lie; a dash where all cases share one medium, from which nobody can tell."""
    return "–" if score.clusters < 2 else f"{score.low:.1%} to {score.high:.1%}"


def seconds(value: float | None) -> str:
    """Seconds with three figures; a dash where there are none."""
    return "–" if value is None else f"{value:.3g}"


def dollars(value: float | None) -> str:
    """Dollars a query; "unknown" where no price is known, since that is not 0."""
    return "unknown" if value is None else f"{Decimal(f'{value:.3g}'):f}"


def as_junit(report: Report, *, pass_mark: float = 0.5) -> str:
    """The report as JUnit XML: a suite a model and variant, a case a case; a score below the pass mark is a failure.

    What was compared with a baseline is a suite of its own, in which a model that got worse fails.
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in report.outcomes:
        groups.setdefault((outcome.model, outcome.variant), []).append(outcome)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={quoteattr(report.suite)}>"]
    for (model, variant), some in groups.items():
        failed = sum(o.score is not None and o.score.value < pass_mark for o in some)
        errors = sum(o.score is None for o in some)
        name = quoteattr(f"{model}: {variant}")
        lines.append(f'<testsuite name={name} tests="{len(some)}" failures="{failed}" errors="{errors}">')
        lines.extend(_junit_case(outcome, pass_mark) for outcome in some)
        lines.append("</testsuite>")
    if report.changes:
        worse = sum(change.regressed for change in report.changes)
        lines.append(f'<testsuite name="baseline" tests="{len(report.changes)}" failures="{worse}" errors="0">')
        lines.extend(map(_junit_change, report.changes))
        lines.append("</testsuite>")
    return _printable("\n".join([*lines, "</testsuites>"])) + "\n"


def _junit_change(change: Change) -> str:
    inner = f"<failure message={quoteattr(change.sentence)}/>" if change.regressed else ""
    return f'<testcase classname={quoteattr(change.model)} name="is not worse than the baseline">{inner}</testcase>'


def _junit_case(outcome: Outcome, pass_mark: float) -> str:
    time_s = outcome.reply.seconds if outcome.reply else 0.0
    head = f'<testcase classname={quoteattr(outcome.model)} name={quoteattr(outcome.case.id)} time="{time_s:.3f}">'
    inner = ""
    if outcome.score is None or outcome.reply is None:
        inner = f"<error message={quoteattr(outcome.error)}/>"
    elif outcome.score.value < pass_mark:
        message = quoteattr(f"{outcome.case.metric} {outcome.score.value:.2f}")
        inner = f"<failure message={message}>{escape(outcome.reply.text)}</failure>"
    return f"{head}{inner}</testcase>"


def _printable(text: str) -> str:
    """The text without characters that XML 1.0 forbids."""
    return "".join(
        c for c in text if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )
