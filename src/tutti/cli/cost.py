"""Say what a query costs before it is sent, and when machines of your own become cheaper."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import add_json, check_output, note, positive, print_json
from tutti.cli.piped import given
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.pricing.months import Load
    from tutti.pricing.prices import Machine, Price, PriceBook

_EPILOG = """examples:
  tutti cost photo.jpg --model openai:gpt-4o
  tutti cost hour.mp4 --model gemini:gemini-2.5-pro --question "When does the goal fall?"
  tutti cost photo.jpg --model openai:gpt-4o --returned 1190          against what the provider counted
  tutti cost --per-month 10000 --like suite.jsonl --model openai:gpt-4o --queries-per-s 1.5 --plot costs.svg
  tutti bench photo.jpg --json > bench.jsonl
  tutti cost --per-month 10000 --like suite.jsonl --model openai:gpt-4o --bench bench.jsonl
  tutti cost --models                                                  every price, with its day and its source

A model without a price is refused, never counted as 0. Prices of your own: a TOML file for --prices, such as
  [models."http://gpu:8000/v1#llava"]
  input = 0.2
  output = 0.6
  image = { rule = "tiles", base = 85, tile = 170 }
  read = 2026-11-25
  source = "our contract"
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("media", metavar="MEDIA", nargs="*", default=[], help="what goes with the question")
    parser.add_argument("--model", metavar="NAME", help="a hosted model, as in openai:gpt-4o")
    parser.add_argument("--models", action="store_true", help="list the prices that are known, and end")
    parser.add_argument("--question", metavar="TEXT", default="What is this?", help="the question (What is this?)")
    parser.add_argument("--answer-tokens", metavar="N", type=positive(int), default=200, help="of the answer (200)")
    parser.add_argument("--frames", metavar="N", type=positive(int), default=8, help="pictures for a video (8)")
    parser.add_argument("--returned", metavar="N", type=positive(int), help="prompt tokens that the provider counted")
    parser.add_argument("--prices", metavar="FILE", type=Path, help="prices of your own, as TOML")
    month = parser.add_argument_group("a month")
    month.add_argument("--per-month", metavar="N", type=positive(float), help="queries a month")
    month.add_argument("--like", metavar="SUITE", type=Path, help="a suite with queries like these")
    month.add_argument("--machine", metavar="NAME", default="l4", help="a machine of the price book (l4)")
    month.add_argument(
        "--queries-per-s", metavar="R", type=positive(float), help="what one machine answers, measured by `tutti bench`"
    )
    month.add_argument(
        "--bench", metavar="FILE", type=Path, help="what `tutti bench --json` printed; its best level counts"
    )
    month.add_argument("--utilisation", metavar="SHARE", type=positive(float), default=0.6, help="planned for (0.6)")
    month.add_argument("--peak", metavar="X", type=positive(float), default=3.0, help="busiest hour over the mean (3)")
    month.add_argument(
        "--fixed", metavar="USD", type=float, default=0.0, help="fixed costs of own machines a month (0)"
    )
    month.add_argument(
        "--hidden", metavar="SHARE", type=float, default=0.35, help="preprocessing, storage, monitoring on top (0.35)"
    )
    month.add_argument("--spread", metavar="SHARE", type=float, default=0.2, help="machines' price may be off by (0.2)")
    month.add_argument("--plot", metavar="FILE", type=Path, help="draw the month as SVG")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Count and print.

    Raises:
        InputError: There is no price or no rule for what was asked, or a medium or a suite cannot be read.
    """
    from tutti.checkpoints.model_paths import BUILT_IN
    from tutti.pricing.prices import read_prices, stale

    book = read_prices(arguments.prices)
    if arguments.plot is not None:
        check_output(arguments.plot)
    if arguments.models:
        _list(book, arguments.json)
        return
    if arguments.model is None:
        raise InputError("No model was named; give --model, or list those with prices: tutti cost --models.")
    if arguments.model in BUILT_IN and arguments.model not in book.models:
        raise InputError(
            f"{arguments.model} is on this machine and has no price a query; --per-month holds the price of a machine "
            "against that of a hosted model."
        )
    price = book.price(arguments.model)
    if (warning := stale(price)) is not None:
        note(warning)
    if arguments.per_month is not None:
        _month(arguments, price, book)
    else:
        _query(arguments, price)


def _list(book: PriceBook, as_json: bool) -> None:
    rows: list[Price | Machine] = [*book.models.values(), *book.machines.values()]
    for row in rows:
        values = {key: str(value) if key == "read" else value for key, value in asdict(row).items() if value}
        if as_json:
            print_json(values)
        else:
            rates = ", ".join(
                f"{key} {value}" for key, value in values.items() if key not in ("name", "read", "source")
            )
            print(f"{row.name}: {rates}\n    read {row.read}: {row.source}")


def _query(arguments: argparse.Namespace, price: Price) -> None:
    from tutti.content import Usage
    from tutti.media import Limits
    from tutti.pricing.costs import query_cost, reconcile
    from tutti.providers.given import as_medium
    from tutti.providers.registry import check_taken
    from tutti.settings import read_settings

    media = [as_medium(given(medium)) for medium in arguments.media]
    check_taken(price.name, media)
    found = query_cost(
        price,
        arguments.question,
        media,
        answer_tokens=arguments.answer_tokens,
        frames=arguments.frames,
        limits=Limits.from_settings(read_settings()),
    )
    held = reconcile(found, Usage(prompt_tokens=arguments.returned)) if arguments.returned else None
    if arguments.json:
        values = {"model": price.name, "usd": found.usd, "usage": asdict(found.usage), "parts": found.parts}
        print_json(values | {"reconciliation": asdict(held) if held else None, "read": str(price.read)})
        return
    for name, tokens in found.parts:
        print(f"{tokens:>10,} tokens  {name}")
    print(f"${found.usd:.6f} a query at {price.name}; prices of {price.read}")
    if held is not None:
        print(held.sentence)


def _month(arguments: argparse.Namespace, price: Price, book: PriceBook) -> None:
    from tutti.evaluate.suite import read_suite
    from tutti.evaluate.suite_costs import like_suite
    from tutti.media import Limits
    from tutti.pricing.months import Load, SelfHosting
    from tutti.pricing.prices import stale
    from tutti.providers.given import as_medium
    from tutti.providers.registry import check_taken
    from tutti.settings import read_settings

    if arguments.like is None:
        raise InputError("--per-month was given without --like; name a suite with queries like yours.")
    queries_per_s = _queries_per_s(arguments)
    if not arguments.utilisation <= 1 <= arguments.peak:
        raise InputError("--utilisation is a share of at most 1, and --peak a factor of at least 1.")
    machine = book.machine(arguments.machine)
    if (warning := stale(machine)) is not None:
        note(warning)
    suite = read_suite(arguments.like)
    check_taken(price.name, [as_medium(path) for case in suite.cases for path in case.media])
    per_query = like_suite(
        price,
        suite,
        answer_tokens=arguments.answer_tokens,
        frames=arguments.frames,
        limits=Limits.from_settings(read_settings()),
    )
    hosting = SelfHosting(
        usd_per_hour=machine.usd_per_hour,
        queries_per_s=queries_per_s,
        utilisation=arguments.utilisation,
        peak=arguments.peak,
        fixed_usd=arguments.fixed,
    )
    load = Load(per_query=per_query, hosting=hosting, hidden=arguments.hidden, spread=arguments.spread)
    _print_month(load, arguments, price, machine)


def _queries_per_s(arguments: argparse.Namespace) -> float:
    """As given, or the best level of a file that `tutti bench` wrote."""
    if (arguments.queries_per_s is None) == (arguments.bench is None):
        raise InputError("Give either --queries-per-s or --bench FILE; `tutti bench --json` measures one machine.")
    if arguments.bench is None:
        return float(arguments.queries_per_s)
    from tutti.media.text_files import json_object, read_lines

    lines = read_lines(arguments.bench)
    try:
        best = max(float(json_object(line)["requests_per_s"]) for _, line in lines)
    except (InputError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{arguments.bench} is not what `tutti bench --json` prints: a level a line.") from error
    if not best > 0:
        raise InputError(f"{arguments.bench} reports {best:g} requests a second; expected more than 0.")
    return best


def _print_month(load: Load, arguments: argparse.Namespace, price: Price, machine: Machine) -> None:
    from tutti.evaluate.report import dollars

    queries, meets, (low, high) = arguments.per_month, load.break_even(), load.band()
    if arguments.plot is not None:
        from tutti.evaluate.plots import load_plot

        arguments.plot.write_text(load_plot(load, queries), encoding="utf-8")
    at = [queries * factor for factor in (0.1, 0.3, 1, 3, 10)]
    rows = [(one, load.hosted_usd(one), load.own_usd(one), load.hosting.machines(one)) for one in at]
    if arguments.json:
        table = [dict(zip(("queries", "hosted_usd", "own_usd", "machines"), row, strict=True)) for row in rows]
        values = {"model": price.name, "per_query_usd": asdict(load.per_query), "months": table, "hidden": load.hidden}
        print_json(values | {"break_even": meets, "break_even_low": low, "break_even_high": high})
        return
    one, own = load.per_query, load.hosting
    band = f"95 % from {dollars(one.low)} to {dollars(one.high)}"
    print(f"{price.name}: ${dollars(one.mean)} a query ({band}); prices of {price.read}")
    print(
        f"{machine.name}: ${machine.usd_per_hour:.2f} an hour, {own.queries_per_s:.3g} queries a second each, planned "
        f"to {own.utilisation:.0%} at {own.peak:g} times the mean; price of {machine.read}"
    )
    print(f"both with {load.hidden:.0%} on top for preprocessing, storage and monitoring")
    print(f"{'queries a month':>16} {'hosted $':>12} {'own $':>12} {'machines':>9}")
    for count, hosted, usd, machines in rows:
        print(f"{count:>16,.0f} {_rounded(hosted):>12} {_rounded(usd):>12} {machines:>9,}")
    if meets is None:
        print("Machines of your own never become cheaper at these figures.")
    else:
        ends = [f"{end:,.0f}" if end is not None else "never" for end in (low, high)]
        print(f"break-even: {meets:,.0f} queries a month (from {ends[0]} to {ends[1]})")


def _rounded(usd: float) -> str:
    """Dollars, with cents where they matter."""
    return f"{usd:,.0f}" if usd >= 100 else f"{usd:,.2f}"
