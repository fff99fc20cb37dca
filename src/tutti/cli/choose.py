"""Choose a model from what you need, with reasons for those that fit and against those that do not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tutti.cli.options import add_json, note, positive, print_json
from tutti.errors import InputError

_EPILOG = """examples:
  tutti choose --needs image,audio --memory-gb 4 --first-token 0.2          on a device, at once
  tutti choose --needs image --on-premises --open-weights --region eu       nothing leaves the house
  tutti choose --needs video --video-minutes 45 --per-month 1000 --prompt-tokens 800000
  tutti choose --needs image --accuracy 0.8 --report suite-report/report.json --per-month 10000 --budget 500

What is needed and not known of a model counts against it. The models are data: `--catalog FILE` adds rows of your own.
"""
_MODALITIES = ("text", "image", "audio", "video")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("--needs", metavar="A,B", default="image", help=f"of {', '.join(_MODALITIES)} (image)")
    parser.add_argument("--video-minutes", metavar="N", type=positive(float), default=0.0, help="of one video")
    parser.add_argument("--context", metavar="N", type=positive(int), default=0, help="tokens in one query")
    parser.add_argument("--open-weights", action="store_true", help="the weights must be open")
    parser.add_argument("--on-premises", action="store_true", help="it must run on your own machines")
    parser.add_argument("--region", metavar="NAME", help="where queries must stay, as in eu for the GDPR")
    parser.add_argument("--memory-gb", metavar="N", type=positive(float), help="of the device that it must run on")
    parser.add_argument("--first-token", metavar="S", type=positive(float), help="seconds to the first token, at most")
    parser.add_argument("--per-month", metavar="N", type=positive(float), default=0.0, help="queries a month")
    parser.add_argument("--budget", metavar="USD", type=positive(float), help="a month, at most")
    parser.add_argument("--prompt-tokens", metavar="N", type=positive(int), help="a query (1,000)")
    parser.add_argument("--answer-tokens", metavar="N", type=positive(int), default=200, help="an answer (200)")
    parser.add_argument("--accuracy", metavar="SHARE", type=positive(float), help="at least, in the report given")
    parser.add_argument("--report", metavar="FILE", type=Path, help="report.json of `tutti evaluate`")
    parser.add_argument("--catalog", metavar="FILE", type=Path, help="models of your own, as TOML")
    parser.add_argument("--prices", metavar="FILE", type=Path, help="prices of your own, as TOML")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Choose and print.

    Raises:
        InputError: A modality, the catalogue, the prices or the report are wrong.
    """
    from tutti.evaluate.choice import Needs, choose, read_catalog, read_measured
    from tutti.pricing.prices import read_prices, stale

    modalities = frozenset(one.strip() for one in arguments.needs.split(",") if one.strip())
    if not modalities or not modalities <= set(_MODALITIES):
        raise InputError(f"--needs is {arguments.needs!r}; expected some of {', '.join(_MODALITIES)}.")
    if arguments.accuracy is not None and arguments.report is None:
        raise InputError("--accuracy was given without --report; name the report.json of an evaluation.")
    needs = Needs(
        modalities=modalities,
        video_minutes=arguments.video_minutes,
        context=max(arguments.context, arguments.prompt_tokens or 0),
        open_weights=arguments.open_weights,
        on_premises=arguments.on_premises,
        region=arguments.region,
        first_token_s=arguments.first_token,
        memory_gb=arguments.memory_gb,
        per_month=arguments.per_month,
        budget_usd=arguments.budget,
        prompt_tokens=arguments.prompt_tokens or Needs.prompt_tokens,
        completion_tokens=arguments.answer_tokens,
        accuracy=arguments.accuracy,
    )
    measured = read_measured(_report(arguments.report)) if arguments.report else None
    book = read_prices(arguments.prices)
    found = choose(needs, read_catalog(arguments.catalog), book, measured)
    for option in found.ranked if needs.per_month else ():
        if (price := book.models.get(option.name)) is not None and (warning := stale(price)) is not None:
            note(warning)
    if arguments.json:
        print_json(asdict(found))
        return
    for rank, option in enumerate(found.ranked, 1):
        print(f"{rank}. {option.name}: {'; '.join(option.reasons)}")
    if not found.ranked:
        print("No model that is known meets all of this.")
    for option in found.rejected:
        print(f"–  {option.name}: {'; '.join(option.reasons)}")


def _report(path: Path) -> dict[str, object]:
    from tutti.media.text_files import read_text

    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); expected the report.json of an evaluation.") from None
    return found if isinstance(found, dict) else {}
