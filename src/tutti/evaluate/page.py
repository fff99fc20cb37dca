"""The report as one HTML page that works offline: styles, plots and pictures stand inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Claim, Image, Video
from tutti.errors import TuttiError
from tutti.evaluate.analysis import ModelReport
from tutti.evaluate.judging import expected_in_words
from tutti.evaluate.plots import latency_plot, prompt_plot, score_plot
from tutti.evaluate.report import Report, dollars, interval, seconds, share
from tutti.evaluate.running import Outcome
from tutti.media import Limits, UniformFrames, decode_image, decode_video, wrap

_THUMBNAIL = 112
"""Pixels of a thumbnail's longer side."""
_SOUND_BYTES = 60_000
"""Recordings up to so many bytes can be played in the page."""
_SHOWN_CASES = 400

_STYLE = """
:root { color-scheme: light; --ink: #1d232b; --soft: #5b6470; --line: #dde1e6; --bad: #b3261e; --good: #1b7f4b; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; margin: 2rem auto; max-width: 76rem;
padding: 0 1.5rem }
h1 { margin: 0 0 .2rem } h2 { margin: 2.2rem 0 .6rem; font-size: 1.2rem } .soft { color: var(--soft) }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
border-bottom: 1px solid var(--line) } th { font-weight: 600; font-size: .85rem; color: var(--soft) }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td { min-width: 6rem } td.n { min-width: 0 }
.bad { color: var(--bad) } .good { color: var(--good) }
.wide { overflow-x: auto } .plots { display: flex; flex-wrap: wrap; gap: 1rem } svg { max-width: 100%; height: auto }
img { border-radius: 4px; display: block } audio { width: 12rem } ul { padding-left: 1.2rem; margin: .4rem 0 }
details { margin: .3rem 0 } summary { cursor: pointer } .answer { white-space: pre-wrap; overflow-wrap: anywhere }
"""


def as_html(report: Report) -> str:
    """The whole page.

    Raises:
        MissingExtra: The library for plots is not installed.
    """
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    title = escape(report.suite)
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style><body>'
    models = "1 model" if len(report.models) == 1 else f"{len(report.models)} models"
    size = f"{report.cases} cases, {models}, {len(report.outcomes)} answers"
    yield f"<h1>{title}</h1><p class=soft>{size}; {report.made}</p>"
    yield _table(_SUMMARY, [_summary(report, model) for model in report.models])
    yield from _sentences(report)
    yield f"<h2>Scores and prompts</h2><div class=plots>{score_plot(report.models)}"
    if len(report.models[0].prompts) > 1:
        yield prompt_plot(report.models)
    yield "</div>"
    yield f"<h2>Latency, tokens, cost</h2>{latency_plot(report.outcomes)}"
    yield _table(_COSTS, [_costs(model) for model in report.models])
    yield "<h2>Inventions</h2>" + "".join(map(_inventions, report.models))
    yield "<h2>Figures by metric and tag</h2>" + _by(report.models)
    yield "<h2>Every case</h2>" + _cases(report)
    yield "</body></html>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are HTML; a heading that ends in # is of numbers."""
    kind = ["n" if name.endswith("#") else "" for name in head]
    top = "".join(f"<th class='{k}'>{name.rstrip('#')}</th>" for k, name in zip(kind, head, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td class='{k}'>{cell}</td>" for k, cell in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class=wide><table><tr>{top}</tr>{lines}</table></div>"


_SUMMARY = (
    "rank#",
    "model",
    "score#",
    "95 % interval",
    "answered only#",
    "worst prompt",
    "spread#",
    "inventions#",
    "declined#",
    "failed#",
)


def _summary(report: Report, model: ModelReport) -> list[str]:
    rank = report.ranks[model.name]
    tied = sum(other == rank for other in report.ranks.values()) > 1
    worst = model.worst_prompt
    failed = sum(model.failed.values())
    return [
        f"{rank}{'=' if tied else ''}",
        escape(model.name),
        f"{model.score.mean:.1%}",
        interval(model.score),
        share(model.answered.mean if model.answered else None),
        f"{escape(worst.variant)}: {worst.score.mean:.1%}",
        f"{model.spread:.1%}",
        share(model.hallucination_rate),
        f"{model.abstained:.1%}",
        f"<span class=bad>{failed}</span>" if failed else "0",
    ]


def _sentences(report: Report) -> Iterator[str]:
    if lines := list(_lines(report)):
        yield f"<h2>What can be said</h2><ul>{''.join(lines)}</ul>"


def _lines(report: Report) -> Iterator[str]:
    for one in report.verdicts:
        yield f"<li>{escape(one.sentence)}</li>"
    for change in report.changes:
        yield f"<li class='{'bad' if change.regressed else ''}'>{escape(change.sentence)}</li>"
    for model in report.models:
        if model.judge:
            words = ", ".join(f"{name} {value:.2f}" for name, value in model.judge.items())
            yield f"<li>{escape(model.name)}, by the judge: {words}</li>"
        for error, count in model.failed.items():
            yield f"<li class=bad>{escape(model.name)} failed {count} times: {escape(error)}</li>"
    for note in report.notes:
        yield f"<li>{escape(note)}</li>"


_COSTS = ("model", "p50 s#", "p95 s#", "p99 s#", "first token p50 / p95 s#", "tokens", "$ a query#", "from the cache#")


def _costs(model: ModelReport) -> list[str]:
    times = model.latency_s
    return [
        escape(model.name),
        *(seconds(times[key]) for key in ("p50", "p95", "p99")),
        f"{seconds(times['first_p50'])} / {seconds(times['first_p95'])}",
        escape(", ".join(f"{name} {count:,}" for name, count in model.tokens.items())),
        dollars(model.cost_usd),
        f"{model.cached} of {model.requests}",
    ]


def _inventions(model: ModelReport) -> str:
    rate = share(model.hallucination_rate)
    head = f"{escape(model.name)}: {len(model.inventions)} inventions, {rate} of what could be checked"
    if model.unchecked_claims:
        head += f"; {model.unchecked_claims} assertions had nothing to be checked against"
    if not model.inventions:
        return f"<p>{head}</p>"
    # The same invention of several prompts is one line.
    prompts: dict[tuple[str, Claim, str], list[str]] = {}
    for one in model.inventions:
        prompts.setdefault((one.case_id, one.claim, one.answer), []).append(one.variant)
    rows = [
        [escape(case), f"<span class=bad>{escape(claim.text)}</span>", escape(claim.evidence), escape(answer),
         escape(", ".join(names))]
        for (case, claim, answer), names in sorted(prompts.items(), key=lambda item: item[0][0])
    ]  # fmt: skip
    table = _table(("case", "asserted", "checked against", "answer", "prompts"), rows)
    return f"<details><summary>{head}</summary>{table}</details>"


def _by(models: Sequence[ModelReport]) -> str:
    head = ("", *(f"{escape(model.name)}#" for model in models))
    keys = sorted({key for model in models for key in model.by})
    rows = [[escape(key), *(share(model.by.get(key)) for model in models)] for key in keys]
    for key in dict.fromkeys(key for model in models for key in model.figures):
        found = [model.figures.get(key) for model in models]
        rows.append([escape(key), *("–" if value is None else f"{value:.3f}" for value in found)])
    return _table(head, rows)


def _cases(report: Report) -> str:
    names = [model.name for model in report.models]
    by_case: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in report.outcomes:
        by_case.setdefault(outcome.case.id, {}).setdefault(outcome.model, []).append(outcome)
    rows = []
    for found in list(by_case.values())[:_SHOWN_CASES]:
        case = next(iter(found.values()))[0].case
        shown = "".join(_medium(path) for path in case.media)
        wanted = f"<span class=soft>{escape(case.metric)}: {escape(expected_in_words(case))}</span>"
        asked = f"<b>{escape(case.id)}</b><br>{escape(case.question)}<br>{wanted}"
        rows.append([shown, asked, *(_answers(found.get(name, [])) for name in names)])
    note = f"<p class=soft>The first {_SHOWN_CASES} of {len(by_case)}.</p>" if len(by_case) > _SHOWN_CASES else ""
    return note + _table(("medium", "case", *map(escape, names)), rows)


def _answers(outcomes: Sequence[Outcome]) -> str:
    """A model's answers to one case: the first as it is, those to other variants folded."""
    lines = [_one_answer(outcome) for outcome in outcomes]
    more = f"<details><summary>{len(lines) - 1} more</summary>{''.join(lines[1:])}</details>" if len(lines) > 1 else ""
    return "".join(lines[:1]) + more


def _one_answer(outcome: Outcome) -> str:
    if outcome.score is None or outcome.reply is None:
        return f"<div class=bad>failed: {escape(outcome.error)}</div>"
    mood = "good" if outcome.score.value >= 0.5 else "bad"
    declined = " declined" if outcome.score.abstained else ""
    return (
        f"<div class=answer><span class={mood}>{outcome.score.value:.2f}{declined}</span> {escape(outcome.reply.text)} "
        f"<span class=soft>({escape(outcome.variant)})</span></div>"
    )


@lru_cache(maxsize=1024)
def _medium(path: str) -> str:
    """A picture's thumbnail, a clip's middle frame, a short recording to play; else the name."""
    try:
        part = wrap(path)
        limits = Limits()
        if isinstance(part, Image):
            return _thumbnail(decode_image(part, limits))
        if isinstance(part, Video):
            return _thumbnail(decode_video(part, limits, UniformFrames(1)).frames[0])
        if isinstance(part, Audio) and not path.startswith("data:"):
            content = Path(path).read_bytes()
            if len(content) <= _SOUND_BYTES:
                inside = base64.b64encode(content).decode()
                return f'<audio controls preload="none" src="data:audio/*;base64,{inside}"></audio>'
    except (TuttiError, OSError) as error:
        return f"<span class=soft>{escape(str(error))}</span>"
    return f"<span class=soft>{escape(part.modality)}</span>"


def _thumbnail(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image as pillow

    picture = pillow.fromarray(pixels)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=70)
    return f'<img alt="" src="data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}">'
