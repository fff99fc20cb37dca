"""Plots of a report as SVG text, to stand inside a page: nothing is fetched to look at them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tutti.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tutti.evaluate.analysis import ModelReport
    from tutti.evaluate.running import Outcome
    from tutti.pricing.months import Load

_BLUE, _ORANGE, _GREY = "#2f6db3", "#c46210", "#8a8f98"


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Any, Any, list[str]]]:
    """A figure to draw on; its SVG is in the list afterwards.

    Raises:
        MissingExtra: The library for plots is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("Drawing plots", "evaluate") from None
    style: Any = {"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "tutti", "axes.spines.top": False}
    with matplotlib.rc_context({**style, "axes.spines.right": False, "font.family": "sans-serif"}):
        drawn = Figure((width, height), layout="constrained")
        svg: list[str] = []
        yield drawn, drawn.add_subplot(), svg
        out = io.StringIO()
        drawn.savefig(out, format="svg", metadata={"Date": None})
        svg.append(out.getvalue().partition("<svg")[1] + out.getvalue().partition("<svg")[2])


def plain(text: str) -> str:
    """Text in which matplotlib reads no formula."""
    return text.replace("$", r"\$")


def score_plot(models: Sequence[ModelReport]) -> str:
    """Scores with their intervals."""
    with figure(6.4, 0.7 + 0.38 * len(models)) as (_, axes, svg):
        for row, model in enumerate(reversed(models)):
            axes.plot([model.score.low, model.score.high], [row, row], color=_BLUE, linewidth=2, solid_capstyle="butt")
            axes.plot([model.score.mean], [row], "o", color=_BLUE)
            for one in model.prompts if len(model.prompts) > 1 else ():
                axes.plot([one.score.mean], [row - 0.18], "|", color=_GREY)
        axes.set_yticks(range(len(models)), [plain(model.name) for model in reversed(models)])
        axes.set(
            xlim=(-0.02, 1.02), ylim=(-0.6, len(models) - 0.4), xlabel="score: mean, 95 % interval; grey: each prompt"
        )
        axes.grid(axis="x", alpha=0.3)
    return svg[0]


def prompt_plot(models: Sequence[ModelReport]) -> str:
    """Models by prompts as a matrix of means."""
    names = [row.variant for row in models[0].prompts]
    cells = [[row.score.mean for row in model.prompts] for model in models]
    with figure(1.8 + 0.95 * len(names), 1.1 + 0.42 * len(models)) as (_, axes, svg):
        axes.imshow(cells, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for y, line in enumerate(cells):
            for x, value in enumerate(line):
                axes.text(x, y, f"{value:.0%}", ha="center", va="center", color="white" if value > 0.5 else "black")
        axes.set_xticks(range(len(names)), [plain(name) for name in names], rotation=25, ha="right")
        axes.set_yticks(range(len(models)), [plain(model.name) for model in models])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return svg[0]


def latency_plot(outcomes: Sequence[Outcome]) -> str:
    """Shares of answers that came within a time, a line a model."""
    with figure(6.4, 2.6) as (_, axes, svg):
        from matplotlib.ticker import LogLocator, NullFormatter

        for name in dict.fromkeys(outcome.model for outcome in outcomes):
            times = sorted(o.reply.seconds for o in outcomes if o.model == name and o.reply and not o.cached)
            times = times or sorted(o.reply.seconds for o in outcomes if o.model == name and o.reply)
            if times:
                axes.step(times, [(i + 1) / len(times) for i in range(len(times))], where="post", label=plain(name))
        axes.axhline(0.95, color=_GREY, linewidth=0.8, linestyle=":")
        axes.set(
            xscale="log", ylim=(0, 1.02), xlabel="seconds to the whole answer (dotted: 95 %)", ylabel="share of answers"
        )
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False, loc="lower right")
        axes.grid(alpha=0.3)
    return svg[0]


def load_plot(load: Load, queries: float) -> str:
    """Dollars a month against queries a month: the provider's line, the staircase of machines, and where they meet.

    All three with their bands: the line with that of a query's price, the staircase with the machines' spread.
    """
    meets, (low, high) = load.break_even(), load.band()
    most = max(3 * queries, 1.5 * (meets or 0.0))
    with figure(6.4, 3.4) as (_, axes, svg):
        at = [most * step / 600 for step in range(601)]
        rates = (load.per_query.low, load.per_query.high)
        axes.fill_between(at, *([load.hosted_usd(x, rate) for x in at] for rate in rates), color=_BLUE, alpha=0.2, lw=0)
        axes.plot(at, [load.hosted_usd(x) for x in at], color=_BLUE, label="hosted")
        spread = ([load.own_usd(x, dearer) for x in at] for dearer in (1 - load.spread, 1 + load.spread))
        axes.fill_between(at, *spread, color=_ORANGE, alpha=0.2, lw=0, step="post")
        axes.plot(at, [load.own_usd(x) for x in at], color=_ORANGE, drawstyle="steps-post", label="own machines")
        axes.axvline(queries, color=_GREY, linewidth=0.8, linestyle=":", label=f"your {queries:,.0f}")
        if meets is not None:
            ends = f"{low or 0:,.0f} to {f'{high:,.0f}' if high else 'never'}"
            axes.axvspan(low or 0, min(high or most, most), color=_GREY, alpha=0.15, linewidth=0)
            axes.axvline(meets, color=_GREY, linewidth=0.8, label=f"break-even {meets:,.0f} ({ends})")
        axes.set(xlim=(0, most), ylim=(0, None), xlabel="queries a month", ylabel=plain("$ a month"))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.legend(frameon=False, loc="upper left")
        axes.grid(alpha=0.3)
    return svg[0]
