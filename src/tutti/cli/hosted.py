"""Options for models that are elsewhere: what is sent, what it may cost, who is asked next."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tutti.cli.options import load_model, note, positive
from tutti.cli.vault import sealer_of
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.interfaces import Prices
    from tutti.model import Model
    from tutti.pricing.prices import PriceBook
    from tutti.pricing.tariff import Tariff
    from tutti.providers.hosted import HostedOptions


def add_hosted(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("hosted models")
    group.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    group.add_argument("--fallback", action="append", default=[], metavar="NAME", help="ask it next; may be repeated")
    group.add_argument("--privacy", metavar="FILE", help="policy: what must be done before a hosted model is asked")
    group.add_argument("--keep-metadata", action="store_true", help="send files with their metadata")
    group.add_argument(
        "--encrypt", action="store_true", help="encrypt media to the `tutti serve` that --model names (extra: vault)"
    )
    group.add_argument(
        "--encrypt-to", metavar="FINGERPRINT", help="as --encrypt, if its key has this fingerprint and no other"
    )
    group.add_argument("--cache", action="store_true", help="keep answers, and pay only once for the same question")
    group.add_argument(
        "--spend-limit", type=positive(float), metavar="USD", help="refuse what may cost more, before it is sent"
    )
    group.add_argument("--timeout", type=positive(float), metavar="S", help="seconds to wait for an answer (120)")
    group.add_argument("--retries", type=int, metavar="N", help="how often to try again (3)")


def hosted_options(arguments: argparse.Namespace) -> HostedOptions:
    """The options as a value."""
    from dataclasses import replace
    from pathlib import Path

    from tutti.providers.answer_cache import AnswerCache
    from tutti.settings import read_settings

    options = replace(
        spending_at_most(arguments.spend_limit, _known(arguments)),
        keep_metadata=arguments.keep_metadata,
        preview_only=arguments.dry_run,
    )
    if arguments.timeout is not None:
        options = replace(options, timeout_s=arguments.timeout)
    if arguments.retries is not None:
        options = replace(options, retries=max(0, arguments.retries))
    if arguments.cache:
        folder = Path(read_settings().cache_folder).expanduser() / "answers"
        options = replace(options, cache=AnswerCache(folder, sealer_of(arguments, str(folder))))
    return options


def spending_at_most(limit_usd: float | None, prices: Prices | None) -> HostedOptions:
    """How hosted models are called, with one purse for all of them where there is a limit."""
    from tutti.providers.hosted import HostedOptions
    from tutti.providers.spending import Spending

    return HostedOptions(prices=prices, spending=None if limit_usd is None else Spending(limit_usd))


def tariff_of(book: PriceBook) -> Tariff:
    """The prices of a book, of media within the limits of the environment."""
    from tutti.media import Limits
    from tutti.pricing.tariff import Tariff
    from tutti.settings import read_settings

    return Tariff(book, Limits.from_settings(read_settings()))


def _known(arguments: argparse.Namespace) -> Prices | None:
    """The price book, where it knows the model or a limit makes it necessary."""
    from tutti.pricing.prices import read_prices

    names = [arguments.model, *arguments.fallback]
    book = read_prices()
    if arguments.spend_limit is None and not all(name in book.models for name in names):
        return None
    return tariff_of(book)


def load_with_fallback(arguments: argparse.Namespace) -> Model:
    """The model that was named, with those behind it that are asked if it fails."""
    import tutti
    from tutti.model import encrypting
    from tutti.providers.registry import is_hosted

    anywhere = any(is_hosted(name) for name in [arguments.model or "", *arguments.fallback])
    encrypt = arguments.encrypt_to or arguments.encrypt
    if encrypt and arguments.fallback:
        raise InputError("--encrypt was given with --fallback, which would be sent media unencrypted; leave one out.")
    options = hosted_options(arguments) if anywhere else None
    if encrypt and not arguments.dry_run:
        options = encrypting(arguments.model, options, encrypt)
    model = load_model(arguments, hosted=options, privacy=arguments.privacy)
    if not arguments.fallback:
        return model
    if arguments.dry_run:
        note(f"Asked only where it fails: {', '.join(arguments.fallback)}")
        return model
    from tutti.providers.fallback import Fallback

    others = [tutti.load(name, hosted=options, privacy=arguments.privacy) for name in arguments.fallback]
    return tutti.Model(Fallback([one.responder() for one in (model, *others)], say=note))
