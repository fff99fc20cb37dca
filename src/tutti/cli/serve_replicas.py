"""`tutti serve --replicas N`: the same command N times behind one door."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from tutti.cli.options import note, print_json
from tutti.cli.serve_clients import access_of
from tutti.errors import InputError

_OF_THE_DOOR = frozenset(
    "replicas host port json keys requests_per_minute tls_cert tls_key tls_client_ca new_key command run debug "
    "no_page".split()
)
"""Arguments that the replicas are not given, or not as they are."""


def add_replicas(parser: argparse.ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument(
        "--replicas",
        type=int,
        default=0,
        metavar="N",
        help="serve by N processes behind this one; a request of one that dies goes to another; SIGHUP exchanges them",
    )


def replica_command(arguments: argparse.Namespace) -> list[str]:
    """What each replica runs: the same options, at a port of its own on this machine."""
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--no-page"]
    for name, value in vars(arguments).items():
        flag = f"--{name.replace('_', '-')}"
        if name in _OF_THE_DOOR or value is None or value is False or callable(value):
            continue
        if value is True:
            words.append(flag)
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [flag, str(one)]
    if arguments.keys is not None:
        words += ["--keys", str(arguments.keys)]
    return words


def replica_environment(count: int) -> dict[str, str]:
    """The environment, with the processors shared out."""
    threads = max(1, (os.cpu_count() or 1) // count)
    return {"TUTTI_THREADS": str(threads), "OMP_NUM_THREADS": str(threads), **os.environ}


def serve_replicas(arguments: argparse.Namespace, listen: Any, keys: Any, limits: Any) -> None:
    """Serve until a signal comes.

    Raises:
        InputError: The number is not one, an option does not go with replicas, or the port is in use.
    """
    if arguments.replicas < 1:
        raise InputError(f"--replicas is {arguments.replicas}; expected 1 or more.")
    if arguments.encrypted_media is not None:
        raise InputError(
            "--encrypted-media does not go with --replicas: each process would refuse only the repeated messages that "
            "it has met itself. Serve encrypted media by one process."
        )
    from tutti.serve import logs
    from tutti.serve.lifecycle import run_announced
    from tutti.serve.replicas.door import make_door
    from tutti.serve.replicas.processes import Replicas

    replicas = Replicas(
        arguments.replicas,
        replica_command(arguments),
        replica_environment(arguments.replicas),
        arguments.drain_seconds,
    )
    server = make_door(replicas, listen, keys, limits, access_of(arguments))
    logs.configure()

    def ready(url: str) -> None:
        if arguments.json:
            print_json({"url": f"{url}/v1", "replicas": arguments.replicas, "pid": os.getpid(), "keys": len(keys)})
        else:
            note(
                f"{arguments.replicas} replicas answer at {url}/v1; SIGHUP to {os.getpid()} renews them, Ctrl-C stops."
            )

    if not run_announced(server, ready):
        if replicas.failure is not None:
            raise replicas.failure
        raise InputError(f"Port {listen.port} of {listen.host} is not free; give another with --port.")
