"""Measure models on examples of your own: quality with intervals, inventions, latency, cost."""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.hosted import spending_at_most, tariff_of
from tutti.cli.options import add_device, add_json, add_quantize, check_output, note, placing, positive, print_json
from tutti.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tutti.evaluate.regression import Change
    from tutti.evaluate.reply_log import ReplyLog
    from tutti.evaluate.report import Report
    from tutti.evaluate.running import Candidate, EvaluationPlan, Outcome
    from tutti.interfaces import TextReader
    from tutti.pricing.prices import Price, PriceBook
    from tutti.providers.hosted import HostedOptions

_EPILOG = """examples:
  tutti evaluate --init photos/                                   draft photos/suite.jsonl, then fill it in
  tutti evaluate photos/suite.jsonl --model tutti-mini --model ./other-model
  tutti evaluate suite.jsonl --model tutti-mini --prompts prompts.txt --limit 10
  tutti evaluate suite.jsonl --model openai:gpt-4o --dry-run     what would be sent, and what it may cost
  tutti evaluate suite.jsonl --model openai:gpt-4o --spend-limit 2      what would pass it fails; give it again to go on
  tutti evaluate suite.jsonl --model tutti-mini --baseline old/report.json     exit code 1 if it got worse

A suite has a case a line:
  {"id": "dog-1", "media": ["dog.jpg"], "question": "What animal is this?", "expected": ["dog"], "metric": "contains"}
  {"id": "room", "media": ["room.jpg"], "question": "Describe the room.", "metric": "facts",
   "expected": {"facts": ["two chairs", "a table"], "forbidden": ["a cat"], "texts": ["EXIT"]}}
Further keys: group (what belongs together), tags, options (to choose from), tolerance. Metrics: exact, contains,
number, choice, vqa, anls, wer, recall, caption, pope, facts, hallucination, judge. Files of POPE (.jsonl), LLaVA
(.json), VLMEvalKit (.tsv) and promptfoo (.yaml) are read as they are.

Prompts are templates, one a line: {question} Answer in one word. For choices: {options}, {options:reversed},
{options:shuffled}. A run that was cut goes on where it was when the command is given again.

exit codes: 0 done, 1 worse than the baseline, 2 you can fix it, 3 everything is over a limit, 4 no model answered
because of its provider
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from tutti.evaluate.regression import RUNS

    parser.epilog = _EPILOG
    parser.add_argument("suite", metavar="SUITE", nargs="?", type=Path, help="the file of cases")
    parser.add_argument(
        "--init", metavar="FOLDER", type=Path, help="draft FOLDER/suite.jsonl from the media in it, and end"
    )
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="a model to measure; may be repeated (tutti-mini)"
    )
    add_quantize(parser)
    add_device(parser)
    parser.add_argument("--prompts", metavar="FILE", type=Path, help="templates of the question, one a line")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="for the report and the answers (SUITE-report)")
    parser.add_argument("--limit", metavar="N", type=positive(int), help="only the first N cases")
    parser.add_argument(
        "--concurrency", metavar="N", type=positive(int), default=1, help="requests at the same time (1)"
    )
    parser.add_argument(
        "--max-tokens", metavar="N", type=positive(int), default=64, help="most tokens of an answer (64)"
    )
    parser.add_argument(
        "--media-root", metavar="FOLDER", type=Path, help="where paths of media begin (the suite's folder)"
    )
    parser.add_argument("--cache", metavar="FILE", type=Path, help="answers that several runs share")
    parser.add_argument("--fresh", action="store_true", help="forget answers of an earlier run into the same folder")
    parser.add_argument("--judge", metavar="NAME", help="a model that judges answers, reported with its agreement")
    parser.add_argument("--ocr", action="store_true", help="check quoted texts against what a reader of text finds")
    parser.add_argument("--baseline", metavar="FILE", type=Path, help="report.json of an earlier run to compare with")
    parser.add_argument(
        "--margin", metavar="POINTS", type=float, default=0.0, help="drop in points that is tolerated (0)"
    )
    parser.add_argument(
        "--runs", metavar="N", type=positive(int), default=RUNS,
        help=f"comparisons with one baseline that share the false alarms: an alarm is at P/N ({RUNS})",
    )  # fmt: skip
    parser.add_argument("--alpha", metavar="P", type=positive(float), default=0.05, help="share of false alarms (0.05)")
    parser.add_argument(
        "--prices", metavar="FILE", type=Path, help="prices of hosted models, beside those that are known"
    )
    parser.add_argument(
        "--spend-limit", metavar="USD", type=positive(float), help="refuse what may cost more, before it is sent"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the requests to hosted models, a JSON object each, and send nothing",
    )
    parser.add_argument("--track", choices=("wandb", "mlflow", "langsmith"), help="log the report into a tracker, too")
    parser.add_argument("--spans", metavar="FILE", type=Path, help="write an OpenTelemetry span a query, as JSON lines")
    add_json(parser, "report.json on one line")


def run(arguments: argparse.Namespace) -> int | None:
    """Evaluate, or draft a suite.

    Returns:
        1 if a model is worse than in the baseline.

    Raises:
        InputError: The suite, the prompts, the baseline or a model's name are wrong.
        ProviderError: No model answered anything.
    """
    if arguments.init is not None:
        _draft(arguments)
        return None
    if arguments.suite is None:
        raise InputError("No suite was given; name one, or draft one with --init FOLDER.")
    from tutti.evaluate.prompts import PLAIN, read_variants
    from tutti.evaluate.regression import read_baseline
    from tutti.evaluate.reply_log import ReplyLog
    from tutti.evaluate.report import as_dict, as_markdown, make_report
    from tutti.evaluate.report_files import look_for_libraries, write_report
    from tutti.evaluate.suite import read_suite
    from tutti.pricing.prices import read_prices, stale

    # Whatever can be wrong is looked at before a model is loaded or asked.
    look_for_libraries(arguments.track)
    suite = read_suite(arguments.suite, media_root=arguments.media_root).first(arguments.limit)
    variants = read_variants(arguments.prompts) if arguments.prompts else PLAIN
    baseline = read_baseline(arguments.baseline) if arguments.baseline else None
    book = read_prices(arguments.prices)
    out = arguments.out or Path(f"{suite.name}-report")
    check_output(out, folder=True)
    for file in filter(None, (arguments.cache, arguments.spans)):
        check_output(file)
    from tutti.content import SamplingOptions
    from tutti.evaluate.running import EvaluationPlan

    plan = EvaluationPlan(
        suite=suite,
        candidates=_candidates(arguments, book),
        variants=variants,
        options=SamplingOptions(max_tokens=arguments.max_tokens),
        concurrency=arguments.concurrency,
        reader=_reader() if arguments.ocr else None,
    )
    if arguments.dry_run:
        _show_requests(plan, ReplyLog(out / "answers.jsonl"), book)
        return None
    with _traced(plan, arguments.spans) as watched:
        outcomes = _outcomes(watched, out, arguments)
    found = _changes(outcomes, baseline, arguments) if baseline else []
    used = [price for one in plan.candidates if (price := book.models.get(one.name)) is not None]
    notes = [warning for price in used if (warning := stale(price)) is not None]
    notes += _reconciled(outcomes, used)
    report = make_report(suite, outcomes, alpha=arguments.alpha, changes=found, notes=notes)
    written = write_report(report, out)
    if arguments.json:
        print_json(as_dict(report))
    else:
        print(as_markdown(report), end="")
    note(f"Look at {written[0]}")
    if arguments.track is not None:
        from tutti.evaluate.trackers import TRACKERS

        TRACKERS[arguments.track](report, out)
    return _code(report)


def _show_requests(plan: EvaluationPlan, log: ReplyLog, book: PriceBook) -> None:
    """Print what would be sent, a line a request, and on stderr what that comes to, a line a model."""
    from tutti.evaluate.previewing import previews, summary
    from tutti.media import Limits
    from tutti.settings import read_settings

    found = []
    for one in previews(plan, log, book, Limits.from_settings(read_settings())):
        found.append(one)
        if not one.kept:
            print_json(one.to_dict())
    for candidate in plan.candidates:
        note(summary(candidate, [one for one in found if one.model == candidate.name]))


def _code(report: Report) -> int | None:
    return 1 if report.regressed else None


def _changes(
    outcomes: list[Outcome], baseline: Mapping[str, Mapping[str, float]], arguments: argparse.Namespace
) -> list[Change]:
    from tutti.evaluate.regression import changes

    margin = arguments.margin / 100
    return changes(outcomes, baseline, alpha=arguments.alpha, runs=arguments.runs, margin=margin)


def _reconciled(outcomes: list[Outcome], prices: list[Price]) -> list[str]:
    """A sentence a priced model: what was predicted beside what its provider counted."""
    from tutti.evaluate.suite_costs import reconciled_outcomes
    from tutti.media import Limits
    from tutti.settings import read_settings

    limits = Limits.from_settings(read_settings())
    return [one.sentence for one in reconciled_outcomes(outcomes, {price.name: price for price in prices}, limits)]


def _draft(arguments: argparse.Namespace) -> None:
    from tutti.evaluate.drafting import draft_suite

    path = arguments.init / "suite.jsonl"
    if path.exists():
        raise InputError(f"{path} is there already; remove it to draft it anew.")
    check_output(path)
    lines, left_out = draft_suite(arguments.init, arguments.limit)
    path.write_text(lines, encoding="utf-8")
    for reason in left_out:
        note(f"left out: {reason}")
    if arguments.json:
        print_json({"suite": str(path), "cases": lines.count("\n"), "left_out": left_out})
    else:
        print(f"{path}: {lines.count(chr(10))} cases; look through them, then: tutti evaluate {path}")


def _candidates(arguments: argparse.Namespace, book: PriceBook) -> list[Candidate]:
    names, quantize = arguments.model or ["tutti-mini"], arguments.quantize
    if len(set(names)) < len(names):
        raise InputError(f"--model was given {', '.join(names)}; expected every model once.")
    import tutti
    from tutti.evaluate.running import Candidate
    from tutti.providers.registry import is_hosted

    options = _hosted_options(book, arguments)
    found = []
    for name in names:
        hosted = is_hosted(name)
        if hosted and arguments.spend_limit is not None:
            book.price(name)  # without one no request could be held against the limit
        found.append(
            Candidate(
                name=name,
                model=tutti.load(name, hosted=options).responder()
                if hosted
                else tutti.open_provider(name, quantize=quantize, **placing(arguments)),
                fingerprint="" if hosted else _digest(name) + (quantize or "") + (arguments.dtype or ""),
                hosted=hosted,
                price=book.models.get(name),
            )
        )
    return found


def _hosted_options(book: PriceBook, arguments: argparse.Namespace) -> HostedOptions:
    """How hosted models are called: with one purse for all of them, or for previews only."""
    prices = None if arguments.spend_limit is None or arguments.dry_run else tariff_of(book)
    limit = None if arguments.dry_run else arguments.spend_limit
    return replace(spending_at_most(limit, prices), preview_only=arguments.dry_run)


def _digest(name: str) -> str:
    """Of the weights, so that answers of a model are not reused after it was trained further."""
    import hashlib

    import tutti
    from tutti.providers.registry import BEST, ROUTE

    if name.startswith(BEST):
        from tutti.providers.best_of import read_reward

        reward = read_reward(Path(name.removeprefix(BEST)).expanduser())
        own = b"".join(file.read_bytes() for file in sorted(reward.folder.iterdir()) if file.is_file())
        return hashlib.sha256(own).hexdigest() + _digest(reward.model)
    if name.startswith(ROUTE):
        from tutti.providers.routed import read_router

        folder = Path(name.removeprefix(ROUTE)).expanduser()
        model = read_router(folder).model
        own = b"".join((folder / file).read_bytes() for file in ("router.json", "heads.safetensors"))
        return hashlib.sha256(own).hexdigest() + _digest(model)
    return tutti.checkpoints.inspect(name).digest


@contextmanager
def _traced(plan: EvaluationPlan, spans: Path | None) -> Iterator[EvaluationPlan]:
    """The plan, with a span a query if there is a file for them."""
    if spans is None:
        yield plan
        return
    from tutti.evaluate.tracing import Traced, spans_into
    from tutti.interfaces import Responder

    with spans_into(spans) as tracer:
        yield replace(
            plan,
            candidates=[
                replace(one, model=Traced(one.model, tracer)) if isinstance(one.model, Responder) else one
                for one in plan.candidates
            ],
        )


def _reader() -> TextReader:
    from tutti.trust.reading import RapidReader

    return RapidReader()


def _outcomes(plan: EvaluationPlan, out: Path, arguments: argparse.Namespace) -> list[Outcome]:
    from tutti.evaluate.judging import judge
    from tutti.evaluate.reply_log import ReplyLog
    from tutti.evaluate.running import run

    answers = out / "answers.jsonl"
    if arguments.fresh:
        answers.unlink(missing_ok=True)
    progress = _Progress(plan.size)
    cache = ReplyLog(arguments.cache) if arguments.cache else None
    try:
        outcomes = run(plan, log=ReplyLog(answers), cache=cache, told=progress)
    except KeyboardInterrupt:
        note(f"Interrupted; what was answered is kept in {answers}. Give the same command to go on.")
        raise
    finally:
        progress.end()
    if arguments.judge is None:
        return outcomes
    import tutti

    return judge(outcomes, tutti.load(arguments.judge, reader=False).responder())


class _Progress:
    """A line on a terminal that counts; nothing elsewhere."""

    def __init__(self, size: int) -> None:
        self.size, self.done, self.failed = size, 0, 0

    def __call__(self, outcome: Outcome) -> None:
        self.done += 1
        self.failed += outcome.reply is None
        if sys.stderr.isatty():
            failed = f", {self.failed} failed" if self.failed else ""
            sys.stderr.write(f"\r\x1b[K{outcome.model}: {self.done} of {self.size}{failed}")
            sys.stderr.flush()

    def end(self) -> None:
        if sys.stderr.isatty() and self.done:
            sys.stderr.write("\r\x1b[K")
