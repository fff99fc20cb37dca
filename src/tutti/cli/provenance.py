"""Say where media come from, as far as they say so themselves and are signed (C2PA)."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutti.cli.options import add_json, print_json

_EPILOG = """examples:
  tutti provenance photo.jpg
  tutti provenance *.jpg --json --trust trusted-cas.pem

Told apart: no manifest; bound and unchanged; changed after signing; malformed; one elsewhere (never fetched); and the
signer: known by a CA of your trust list, unknown, expired, revoked. Unknown is not fake: most files say nothing.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("files", metavar="FILE", nargs="+", help="pictures, recordings, videos")
    parser.add_argument("--trust", type=Path, metavar="PEM", help="certificates of CAs whose signers are known")
    add_json(parser, "one JSON object a line, one for each file,")


def run(arguments: argparse.Namespace) -> None:
    """Read and print.

    Raises:
        InputError: A file is not there, or the trust list is none.
    """
    from tutti.trust.provenance.reading import provenance_of, trust_list

    trust = trust_list(arguments.trust) if arguments.trust is not None else None
    for file in arguments.files:
        found = provenance_of(file, trust)
        if arguments.json:
            print_json(found.to_dict())
        else:
            print(f"{file}: {found.sentence}")
