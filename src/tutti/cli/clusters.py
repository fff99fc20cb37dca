"""The options of commands that may spread their work over a Ray cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.search.ingest.ray_cluster import Cluster


def add_cluster(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare --on and --workers."""
    parser.add_argument(
        "--on",
        metavar="ray[:ADDRESS]",
        help=f"{what} on a Ray cluster, which sees the same files (extra: ray); without an address: the one of "
        "RAY_ADDRESS, or one that is started on this machine",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="with --on: how many (default: one a processor)")


def cluster_of(arguments: argparse.Namespace, make: Callable[[], Any]) -> Cluster | None:
    """The cluster that was asked for; None: this process does the work.

    Args:
        arguments: Of the command.
        make: Makes in a worker what it needs. It is pickled.

    Raises:
        InputError: The options do not fit.
    """
    if arguments.on is None:
        if arguments.workers is not None:
            raise InputError("--workers was given without --on; expected both, as in: --on ray --workers 4")
        return None
    where, _, address = arguments.on.partition(":")
    if where != "ray":
        raise InputError(f"--on {arguments.on} was given; expected ray, or ray:ADDRESS.")
    if arguments.workers is not None and arguments.workers < 1:
        raise InputError(f"--workers is {arguments.workers}; expected at least 1.")
    from tutti.search.ingest.ray_cluster import Cluster

    return Cluster(make=make, address=address or None, workers=arguments.workers)
