"""Find pictures, sounds, videos and texts by words or by something alike."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import add_json, add_model, check_output, note, open_named, positive, print_json
from tutti.cli.piped import given, is_pipe
from tutti.cli.transcribing import add_transcribing, transcribing
from tutti.cli.vault import add_vault, sealer_of
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.search import Hit, Index

_WIDTH = 120
"""Columns of what is printed where that is no terminal."""
_EPILOG = """examples:
  tutti search "red shoes" --in shop.db --where "price < 50 and stock > 0"
  tutti search --like photo.jpg --in photos.db           or --like bark.wav
  tutti search "but in blue" --like dress.jpg --in shop.db
  tutti search "a dog barking" --in walk.mp4              moments of one long video; of a short one, what is said, too
  tutti search "the budget" --in meeting.mp4 --transcribe   also what is said in a long one
  tutti search "a dog" --in photos.db --html dogs.html

conditions: column = value, !=, <, <=, >, >=, IN (…), LIKE 'a%', BETWEEN a AND b, IS NULL, colours HAS 'blue';
  joined by AND, OR, NOT. Columns: those of the feed, and item, path, modality, kind, bytes, modified, colours, ...
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("query", metavar="QUERY", nargs="?", help="in words")
    parser.add_argument(
        "--in", dest="within", required=True, metavar="DB", help="database of `tutti index`, or a long video"
    )
    parser.add_argument(
        "--like", action="append", default=[], metavar="MEDIA", help="something to be like; may be repeated"
    )
    parser.add_argument("--where", metavar="SQL", help="a condition on columns")
    parser.add_argument(
        "--modality", action="append", metavar="NAME", help="only text, image, audio or video; may be repeated"
    )
    parser.add_argument("--top", type=positive(int), default=10, metavar="K", help="most results (10)")
    parser.add_argument("--tenant", default="default", metavar="NAME", help="whose collection")
    parser.add_argument("--no-words", action="store_true", help="by the shared space only, without full text")
    parser.add_argument("--rerank", action="store_true", help="let the model look at each result and say if it fits")
    parser.add_argument("--html", metavar="FILE", help="write a page with thumbnails")
    add_transcribing(parser, "with a film or a recording behind --in: ")
    add_vault(parser, "read what is encrypted")
    add_model(parser)
    add_json(parser, "one JSON object a line, one for each result,")


def run(arguments: argparse.Namespace) -> None:
    """Search and print.

    Raises:
        InputError: There is nothing to search for, or nowhere.
    """
    if not (arguments.query or "").strip() and not arguments.like:
        raise InputError(
            'There is nothing to search for; give words or --like, as in: tutti search "red shoes" --in DB'
        )
    for medium in arguments.like:
        if not medium.startswith("data:") and not Path(medium).is_file() and not is_pipe(medium):
            raise InputError(f"{medium} does not exist; expected the path of a medium for --like.")
    liked = [given(medium) for medium in arguments.like]
    if arguments.html:
        check_output(arguments.html)
    index, is_film = open_within(arguments)
    options = {"like": liked or None, "where": arguments.where, "modality": arguments.modality}
    if is_film and arguments.query and not arguments.like:
        hits = index.moments(arguments.query, top=arguments.top, where=arguments.where)
    else:
        hits = index.search(
            arguments.query,
            top=arguments.top,
            hybrid=not arguments.no_words,
            reranked=arguments.rerank,
            per_item=None if is_film else 1,
            **options,
        )
    title = " + ".join([*([arguments.query] if arguments.query else []), *(f"like {name}" for name in arguments.like)])
    if arguments.html:
        write_page(arguments.html, title, hits, index)
    if arguments.json:
        for hit in hits:
            print_json(hit.to_dict())
    else:
        print_table(hits)
    if arguments.query and hits and not any(matches(hit) for hit in hits):
        note("Nothing clearly matches these words; what is nearest to them is shown.")


def matches(hit: Hit) -> bool:
    """Whether a result rather fits the words than not: by its words, or by a probability that is not small."""
    from tutti.search.answer.answers import RELEVANT

    return hit.shares_words or hit.fit is None or hit.fit >= RELEVANT


def open_within(arguments: argparse.Namespace) -> tuple[Index, bool]:
    """The index that `--in` names, and whether it is that of one long medium."""
    from tutti.search.table.location import is_address

    path = Path(arguments.within).expanduser()
    if not path.exists() and not is_address(arguments.within):
        raise InputError(
            f"{arguments.within} does not exist; make a database with: tutti index FOLDER --into {arguments.within}"
        )
    from tutti.cli.index import teller
    from tutti.search import Index, index_of
    from tutti.settings import read_settings

    cache = Path(read_settings().cache_folder).expanduser()
    sealer = sealer_of(arguments, str(cache) if path.is_file() else arguments.within)
    model = open_named(arguments)
    if path.is_file():
        return index_of(path, model, teller(verbose=False), sealer, **transcribing(arguments)), True
    return Index(arguments.within, model, tenant=arguments.tenant, sealer=sealer), False


def write_page(file: str, title: str, hits: list[Hit], index: Index) -> None:
    """Write the HTML page.

    Raises:
        InputError: It cannot be written.
    """
    from tutti.search.answer.page import page

    try:
        Path(file).write_text(page(title, hits, index.thumbnails(hits)), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {file}: {error.strerror or error}.") from None
    note(f"Wrote {file}.")


def print_table(hits: list[Hit]) -> None:
    """Number, score, fit, what and where, and why, cut to the terminal's width, or to 120 columns in a pipe."""
    from tutti.search.answer.answers import span

    if not hits:
        note("Nothing was found.")
        return
    width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
    print(f"{'':>3} {'score':>5} {'fit':>4}  what")
    for number, hit in enumerate(hits, start=1):
        fit = f"{hit.fit:4.0%}" if hit.fit is not None else "    "
        place = "  ".join(filter(None, [hit.path or hit.item, span(hit)]))
        print(f"{number:>3} {hit.score:5.2f} {fit}  {place}")
        columns = ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in hit.columns.items()
        )
        words = " ".join((hit.words or "").split())
        boxes = "; ".join(f"“{box['text']}” at {', '.join(f'{side:.0f}' for side in box['box'])}" for box in hit.boxes)
        for line in filter(None, ("; ".join(map(str, hit.why)), boxes, columns or words)):
            print(f"{'':>16}{line}"[:width])
