"""What `tutti serve` offers to clients of other makers, and which of them may ask."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.serve.access import Access


def add_clients(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--alias",
        action="append",
        default=[],
        metavar="NAME[=MODEL]",
        help="another name for the model, such as whisper-1; may be repeated",
    )
    parser.add_argument(
        "--ignore-tools", action="store_true", help="leave tools out of requests, with a warning in the answer"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin ask from a browser; '*' is every page, and needs keys; may be repeated",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="without keys, accept requests made to this name too, such as host.docker.internal; may be repeated",
    )


def access_of(arguments: argparse.Namespace) -> Access:
    """Which browser pages from elsewhere may ask, and by which names."""
    from tutti.serve.access import Access

    origins = frozenset(origin.rstrip("/") for origin in arguments.allow_origin)
    return Access(origins=origins, hosts=frozenset(arguments.allow_host))


def aliases_of(given: list[str], name: str) -> list[str]:
    """Other names by which clients may call the model.

    Args:
        given: Each `NAME`, or `NAME=MODEL`.
        name: The model's own.

    Raises:
        InputError: The model is not the one that is served.
    """
    aliases = []
    for word in given:
        alias, _, model = word.partition("=")
        if not alias or model not in ("", name):
            raise InputError(f"--alias {word} names no model that is served here; expected {alias or 'NAME'}={name}.")
        aliases.append(alias)
    return aliases
