"""Talk to a shop: a product feed as catalogue, photographs, and answers that state only what it holds."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import add_json, add_model, check_output, note, open_named, print_json
from tutti.cli.vault import add_vault, opened
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.apps.shop import Shop, ShopAnswer

_EPILOG = """examples:
  tutti shop update feed.xml --in shop.db                  a feed: Google Merchant's XML or TSV, CSV, JSONL, Parquet;
                                                           again later: only new words and pictures are embedded
  tutti shop ask "Do you have this colour?" --photo shade.jpg --white-sheet --in shop.db
  tutti shop ask "like the second but darker" --in shop.db --explain
  tutti shop ask --in shop.db                              turns from the terminal or a pipe, one a line
  tutti shop chosen P42 --in shop.db --session anna        what the customer takes, for your figures
  tutti shop figures --in shop.db                          turns, choices, conversion
  tutti shop simulate --first default --second colour=5,words=0.5 --in shop.db
  tutti shop forget anna --in shop.db                      a session and its events

settings for --setting, --first, --second: likeness, words, colour, stock, price (weights) and top, as NAME=NUMBER,…,
  in a TOML file, or "default".
"""
_ACTIONS = ("update", "ask", "chosen", "forget", "figures", "simulate")
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("words", metavar="WORDS", nargs="*", help="the feed, the turn, the product or the session")
    parser.add_argument("--in", dest="within", required=True, metavar="DB", help="folder of the catalogue's database")
    parser.add_argument("--tenant", default="default", metavar="NAME", help="whose; tenants never see one another")
    parser.add_argument("--session", default="default", metavar="NAME", help="whose dialogue (default)")
    parser.add_argument("--sessions", metavar="FOLDER", help="where sessions and events are kept (in DB)")
    parser.add_argument("--photo", metavar="FILE", help="with ask: a photograph")
    parser.add_argument(
        "--white-sheet", action="store_true", default=None, help="with --photo: a white sheet is in the picture"
    )
    parser.add_argument("--explain", action="store_true", help="with ask: all constraints, and why each product fits")
    parser.add_argument("--setting", default="default", metavar="SETTING", help="with ask: how what fits is ordered")
    parser.add_argument("--wording", metavar="MODEL", help="with ask: a model that words answers, held to the facts")
    parser.add_argument("--currency", metavar="CODE", help="with update: of prices that name none, as EUR")
    parser.add_argument("--partial", action="store_true", help="with update: keep what the feed lacks")
    parser.add_argument("--first", default="default", metavar="SETTING", help="with simulate")
    parser.add_argument("--second", metavar="SETTING", help="with simulate: what it is compared with")
    add_vault(parser, "seal sessions and events")
    add_model(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Do one of the actions.

    Raises:
        InputError: Something is missing or not there.
    """
    {
        "update": _update,
        "ask": _ask,
        "chosen": _chosen,
        "forget": _forget,
        "figures": _figures,
        "simulate": _simulate,
    }[arguments.action](arguments)


def _update(arguments: argparse.Namespace) -> None:
    feed = _one(arguments, "a feed of products, as in: tutti shop update feed.xml --in shop.db")
    if not Path(feed).expanduser().is_file():
        raise InputError(f"{feed} does not exist; expected a feed of products as CSV, TSV, JSONL, Parquet or XML.")
    check_output(arguments.within, folder=True)
    from tutti.cli.index import teller
    from tutti.search.catalogue.catalogue import Catalogue

    catalogue = Catalogue(arguments.within, open_named(arguments), tenant=arguments.tenant)
    report = catalogue.update(feed, currency=arguments.currency, partial=arguments.partial, told=teller(verbose=False))
    if arguments.json:
        print_json(asdict(report))
        return
    for broken in report.broken[:_SHOWN]:
        note(f"{broken.item}: {broken.reason}")
    if len(report.broken) > _SHOWN:
        note(f"… and {len(report.broken) - _SHOWN:,} more; --json lists all.")
    for sentence in report.notes:
        note(sentence)
    if report.without_picture:
        note(f"{report.without_picture:,} pictures are addresses and were not fetched; put files beside the feed.")
    print(
        f"{report.added:,} added, {report.replaced:,} embedded again, {report.refreshed:,} with other prices or stock, "
        f"{report.unchanged:,} unchanged, {report.withdrawn:,} withdrawn, {len(report.broken):,} broken."
    )


def _ask(arguments: argparse.Namespace) -> None:
    if arguments.photo is not None and not Path(arguments.photo).is_file():
        raise InputError(f"{arguments.photo} does not exist; expected the path of a picture.")
    if arguments.white_sheet and arguments.photo is None:
        raise InputError("--white-sheet is about a photograph; give one with --photo.")
    responder: Any = None
    if arguments.wording is not None:
        import tutti

        responder = tutti.load(arguments.wording).responder()
    shop = _open(arguments, responder)
    turns = [" ".join(arguments.words)] if arguments.words or arguments.photo else sys.stdin
    photo = arguments.photo
    for line in turns:
        if not line.strip() and photo is None:
            continue
        answer = shop.ask(
            line.strip(), session=arguments.session, photo=photo, on_sheet=arguments.white_sheet if photo else None
        )
        photo = None
        if arguments.json:
            print_json(answer.to_dict())
        else:
            _print(answer, arguments.explain)


def _print(answer: ShopAnswer, explain: bool) -> None:
    if explain or (answer.photo is not None and answer.turn == 1):
        for sentence in filter(None, (answer.photo and f"photograph: {answer.photo}",)):
            print(sentence)
    if explain:
        for wish in answer.wishes:
            print(f"constraint: {wish}")
        for wish in answer.given_up:
            print(f"given up: {wish}")
    print(answer.text)
    if explain:
        for offer in (*answer.offers, *(offer for group in answer.alternatives for offer in group.offers)):
            print(f"why {offer.id}: {'; '.join(offer.why) or 'no wish is about it'}")


def _chosen(arguments: argparse.Namespace) -> None:
    product = _one(arguments, "the id of a product")
    _open(arguments).chosen(product, session=arguments.session)
    _tell(arguments, {"product": product, "session": arguments.session}, f"Noted that {product} was chosen.")


def _forget(arguments: argparse.Namespace) -> None:
    session = _one(arguments, "the name of a session")
    found, events = _open(arguments).forget(session)
    if not found and not events:
        raise InputError(f"There is no session {session!r} of the tenant {arguments.tenant!r}; check the name.")
    _tell(arguments, {"session": session, "events": events}, f"Removed the session {session} and {events} events.")


def _figures(arguments: argparse.Namespace) -> None:
    from tutti.apps.shop.events import figures

    found = figures(_open(arguments).events.read())
    share = f"{found['conversion']:.1%}" if found["conversion"] is not None else "none"
    _tell(
        arguments,
        found,
        f"{found['sessions']} sessions, {found['turns']} turns ({found['turns_without_offer']} without offer, "
        f"{found['turns_asked_back']} asked back); {found['sessions_that_chose']} sessions chose: {share}.",
    )


def _simulate(arguments: argparse.Namespace) -> None:
    if arguments.second is None:
        raise InputError("No second setting was given; expected one, as in: --second colour=5,words=0.5")
    from tutti.apps.shop.simulate import simulate
    from tutti.search.dialogue.settings_file import setting_of

    first, second = setting_of(arguments.first), setting_of(arguments.second)
    found = simulate(_open(arguments), first, second)
    interval = found["advantage"]
    if interval is None:
        told = "choices of two sessions or more are needed to tell them apart"
    else:
        told = (
            f"the second is ahead by {interval['mean']:+.2f} (from {interval['low']:+.2f} to {interval['high']:+.2f}; "
            f"p = {found['p_value']:.3f})"
        )
    _tell(
        arguments,
        found,
        f"{found['choices']} choices in {found['sessions']} sessions: {found['first']} for the first, "
        f"{found['second']} for the second, {found['neither']} for neither; {told}.",
    )


def _open(arguments: argparse.Namespace, responder: Any = None) -> Shop:
    if not Path(arguments.within).expanduser().is_dir():
        raise InputError(
            f"{arguments.within} does not exist; make a catalogue with: tutti shop update FEED --in {arguments.within}"
        )
    from tutti.apps.shop import Shop
    from tutti.search.dialogue.settings_file import setting_of

    vault = opened(arguments)
    return Shop(
        arguments.within,
        open_named(arguments),
        tenant=arguments.tenant,
        sessions=arguments.sessions,
        setting=setting_of(arguments.setting),
        responder=responder,
        sealer=vault.sealer(arguments.tenant) if vault is not None else None,
    )


def _one(arguments: argparse.Namespace, what: str) -> str:
    if len(arguments.words) != 1:
        raise InputError(f"{len(arguments.words)} words were given for {arguments.action}; expected {what}.")
    return str(arguments.words[0])


def _tell(arguments: argparse.Namespace, values: dict[str, Any], sentence: str) -> None:
    if arguments.json:
        print_json(values)
    else:
        print(sentence)
