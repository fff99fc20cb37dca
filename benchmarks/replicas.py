"""Replicas behind one door beside one process: requests a second, and what the door costs a request.

    python benchmarks/replicas.py [--requests 128] [--clients 16] [--rounds 2]

Each round starts `tutti serve --model tutti-mini` alone, with `--replicas 1` and with `--replicas 2`, and sends so many
requests, each with a picture of its own, from so many clients at once. "door" is the processor time of the process that
listens, less its start, a request. Medians over the rounds. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from machine import commit, processor, versions
from serving import HERE, body, served, streamed

WAYS: dict[str, list[str]] = {"one process": [], "door and 1": ["--replicas", "1"], "door and 2": ["--replicas", "2"]}


def processor_s(pid: int) -> float:
    """Seconds of the processor that a process took, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(more: list[str], requests: int, clients: int, seed: int) -> dict[str, float]:
    """One server, warmed with a request a client."""
    bodies = [body(seed + place) for place in range(requests + clients)]
    with served(HERE, more) as (server, host, started), ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda one: streamed(host, one), bodies[:clients]))
        before, begun = processor_s(server.pid), time.perf_counter()
        firsts = list(pool.map(lambda one: streamed(host, one), bodies[clients:]))
        seconds = time.perf_counter() - begun
        door = processor_s(server.pid) - before
    return {
        "ready_s": started,
        "requests_per_s": requests / seconds,
        "first_token_ms": 1000 * statistics.median(firsts),
        "listener_ms_a_request": 1000 * door / requests,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=128)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for number in range(arguments.rounds):
        for name, more in WAYS.items():
            found[name].append(measured(more, arguments.requests, arguments.clients, 10_000 * number))
            print(name, json.dumps(found[name][-1]), file=sys.stderr, flush=True)
    print(f"{commit()}, {processor()}, {versions('torch')}, {arguments.requests} requests, {arguments.clients} clients")
    for name, rounds in found.items():
        print(
            f"{name}: " + ", ".join(f"{key} {statistics.median(one[key] for one in rounds):.3g}" for key in rounds[0])
        )


if __name__ == "__main__":
    main()
