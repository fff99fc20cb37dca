"""Index a folder or a product feed, so that everything in it can be searched and asked about."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.clusters import add_cluster, cluster_of
from tutti.cli.options import add_json, add_model, check_output, note, open_named, print_json
from tutti.cli.transcribing import add_transcribing, transcribing
from tutti.cli.vault import add_vault, sealer_of
from tutti.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tutti.search import Index, IndexReport
    from tutti.search.ingest.ray_cluster import WorkerSetup

_EPILOG = """examples:
  tutti index photos/ --into photos.db                  again later: only what changed is read
  tutti index shop.csv --into shop.db                   a feed; its columns can be searched: --where "price < 50"
  tutti index photos/ --into photos.db --read-text      also reads the text in pictures and films (extra: ocr)
  tutti index talks/ --into talks.db --transcribe       writes down the speech of long recordings and films, too
  tutti index letters/ --into team.db --tenant anna --subject case-17
  tutti index --into team.db --tenant anna --forget case-17
  tutti index letters/ --into team.db --tenant anna --vault keys.vault    encrypted; see: tutti vault --help
  tutti index /mnt/photos --into /mnt/photos.db --on ray    (extra: ray) many machines decode and embed, this one writes
  tutti index photos/ --into s3://bucket/photos.db      an object store, by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
                                                        AWS_REGION, AWS_ENDPOINT_URL; let one process write at a time
                                                        (gs://: GOOGLE_SERVICE_ACCOUNT, GOOGLE_APPLICATION_CREDENTIALS)

Ctrl-C at any time: what was reported as indexed is safe, and the same command goes on from there.
"""
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "source", metavar="FOLDER", nargs="?", help="a folder, a file, or a .csv, .jsonl or .parquet feed"
    )
    parser.add_argument(
        "--into",
        required=True,
        metavar="DB",
        help="folder of the database, made if it is not there; or s3://BUCKET/DB",
    )
    parser.add_argument(
        "--tenant", default="default", metavar="NAME", help="whose collection; tenants never see one another"
    )
    parser.add_argument("--subject", metavar="ID", help="whose data all of it is, for --forget")
    parser.add_argument("--forget", metavar="ID", help="remove all of a subject, and check that it is gone")
    parser.add_argument("--media-column", metavar="NAME", help="the feed's column that names the picture (guessed)")
    parser.add_argument("--key-column", metavar="NAME", help="the feed's column that identifies rows (guessed)")
    parser.add_argument("--subject-column", metavar="NAME", help="the feed's column that names the subject of a row")
    parser.add_argument("--read-text", action="store_true", help="read the text in pictures and films (extra: ocr)")
    add_transcribing(parser)
    add_cluster(parser, "read and embed")
    parser.add_argument("--verbose", "-v", action="store_true", help="print each item on stderr once it is safe")
    add_vault(parser, "encrypt the database")
    add_model(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Index, or forget.

    Raises:
        InputError: There is nothing to index.
    """
    from tutti.search.table.location import is_address

    if arguments.forget is not None:
        _forget(arguments)
        return
    if arguments.source is None:
        raise InputError("No folder was given; expected one, as in: tutti index photos/ --into photos.db")
    if not Path(arguments.source).expanduser().exists():
        raise InputError(
            f"{arguments.source} does not exist; expected a folder with media, or a CSV, JSONL or Parquet feed."
        )
    if not is_address(arguments.into):
        check_output(arguments.into, folder=True)
    cluster = cluster_of(arguments, partial(_worker_setup, arguments))
    index = _with_tools(arguments)
    columns = {name: getattr(arguments, name) for name in ("media_column", "key_column", "subject_column")}
    told = teller(arguments.verbose)
    with redirect_stdout(sys.stderr):  # Ray prints what befalls its workers
        report = index.add(arguments.source, subject=arguments.subject, told=told, cluster=cluster, **columns)
    if arguments.json:
        print_json(asdict(report))
        return
    _print(report)


def _open(arguments: argparse.Namespace, **tools: Any) -> Index:
    from tutti.search import Index

    sealer = sealer_of(arguments, arguments.into)  # before the seconds that a model takes to load
    return Index(arguments.into, open_named(arguments), tenant=arguments.tenant, sealer=sealer, **tools)


def _with_tools(arguments: argparse.Namespace) -> Index:
    reader = _reader() if arguments.read_text else None
    return _open(arguments, reader=reader, **transcribing(arguments))


def _worker_setup(arguments: argparse.Namespace) -> WorkerSetup:
    return _with_tools(arguments).worker_setup()


def _forget(arguments: argparse.Namespace) -> None:
    if arguments.source is not None:
        raise InputError("A folder was given beside --forget; do one at a time.")
    done = _open(arguments).forget(arguments.forget)
    if arguments.json:
        print_json(asdict(done))
        return
    print(
        f"Removed {done.items:,} items in {done.rows:,} rows and {done.caches:,} cached indexes of {done.subject}; "
        f"nothing of them is left in {done.checked_bytes:,} bytes of files."
    )


def _reader() -> Any:
    from tutti.trust.reading import RapidReader

    return RapidReader()


def teller(verbose: bool) -> Callable[[IndexReport, list[str]], None]:
    """What prints progress on stderr: a line that is written over, on a terminal only; every safe item if verbose."""
    begun = time.monotonic()

    def told(report: IndexReport, items: list[str]) -> None:
        if verbose:
            for item in items:
                note(item)
        elif sys.stderr.isatty():
            rate = report.done / max(1e-9, time.monotonic() - begun)
            text = f"\r{report.done:,} indexed, {rate:,.0f} a second, {len(report.broken):,} broken "
            print(text, end="", file=sys.stderr, flush=True)

    return told


def _print(report: IndexReport) -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    rate = report.done / max(1e-9, report.seconds)
    print(
        f"{report.added:,} added, {report.replaced:,} replaced, {report.unchanged:,} unchanged, "
        f"{report.deleted:,} marked as deleted, "
        f"{len(report.broken):,} broken, {report.other:,} of other kinds; {report.rows:,} rows in "
        f"{report.seconds:.1f} s ({rate:,.1f} items a second)."
    )
    for sentence in report.notes:
        note(sentence)
    for one in report.broken[:_SHOWN]:
        note(f"  {one.item}: {one.reason}" if one.item not in one.reason else f"  {one.reason}")
    if len(report.broken) > _SHOWN:
        note(f"  and {len(report.broken) - _SHOWN:,} more; --json lists all.")
    if report.wordless:
        note(
            f"{report.wordless:,} passages hold no word of the model's vocabulary, so that only full text finds them; "
            "index with a model of their language for more."
        )
