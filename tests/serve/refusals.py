"""How long a refusal takes while 32 clients keep the server busy: the time from connecting to the last byte, by cause.

    python -m tests.serve.refusals

Two servers, one after another: one with room, where single requests are too large (413) or come too often (429), and
one without, where all but a few are too many (503). The load is `tests.serve.load`, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from tests.serve.test_limits import lying_png, picture

from benchmarks.machine import commit, processor, versions
from tests.serve.test_gate import chat
from tutti.serve.keys import new_key

_COSTLY = json.dumps({"messages": [{"role": "user", "content": "a"}], "n": 8, "max_tokens": 100_000}).encode()


class Probe(NamedTuple):
    """A request that is to be refused, and that is bad, so that it costs nothing where it is not refused.

    Each kind has a tenant of its own.
    """

    cause: str
    """Its status, and why."""
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    at_once: int = 1
    """How often it is sent each quarter of a second, of which five a second are within the rate."""


ROOM = (
    Probe("413 by the length of the body", chat("a"), {"content-length": "99999999"}),
    Probe("413 by tokens", _COSTLY),
    Probe("413 by the pixels of a header", picture(lying_png(60_000, 60_000))),
    Probe("429 by the rate of a tenant", b"{", at_once=4),
)
NO_ROOM = (Probe("503 because all places are taken", b"{", at_once=4),)


@contextlib.contextmanager
def serving(*options: str) -> Iterator[tuple[str, int]]:
    """`tutti serve` as a process: its address and its number."""
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"].removesuffix("/v1"), process.pid
        finally:
            process.terminate()


def asked(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, float]:
    """The status of an answer, and how many seconds it took."""
    begun = time.perf_counter()
    line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=300)
    try:
        line.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", **headers})
        answer = line.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - begun
    finally:
        line.close()


def probed(requests: int, clients: int, probes: Sequence[Probe], *options: str) -> Iterator[dict[str, Any]]:
    """Refusals of each kind while the load runs.

    Args:
        requests: Of the load.
        clients: Of the load.
        probes: What is to be refused.
        options: Of the server.
    """
    times: dict[str, list[float]] = defaultdict(list)
    others: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        crowd = [new_key(f"crowd-{one}") for one in range(clients)]
        own = {probe: new_key(f"probe-{place}") for place, probe in enumerate(probe.cause for probe in probes)}
        (Path(name) / "lines").write_text("\n".join(line for _, line in [*crowd, *own.values()]))
        (Path(name) / "keys").write_text("\n".join(key for key, _ in crowd))
        with serving("--keys", f"{name}/lines", *options) as (url, pid):
            words = [sys.executable, "-m", "tests.serve.load", url, "--pid", str(pid), "--keys", f"{name}/keys"]
            words += ["--requests", str(requests), "--clients", str(clients), "--cold"]
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as load:
                time.sleep(2)
                while load.poll() is None:
                    time.sleep(0.25)
                    for probe in probes:
                        for _ in range(probe.at_once):
                            key = {"authorization": f"Bearer {own[probe.cause][0]}"}
                            status, seconds = asked(url, probe.body, {**probe.headers, **key})
                            if probe.cause.startswith(str(status)):
                                times[probe.cause].append(seconds)
                            else:
                                others[f"{status} rather than {probe.cause}"] += 1
                assert load.stdout is not None
                told = json.loads(load.stdout.read())
    for cause, seconds_of in times.items():
        p50, p99 = (round(1000 * float(np.percentile(seconds_of, share)), 1) for share in (50, 99))
        most = round(1000 * max(seconds_of), 1)
        yield {"refused": cause, "times": len(seconds_of), "p50_ms": p50, "p99_ms": p99, "max_ms": most}
    yield {"otherwise": dict(others), "load": told}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=2000, help="of the load, for each of the two servers")
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    print(json.dumps({"hardware": processor(), "versions": versions("torch", "uvicorn"), "commit": commit()}))
    for probes, options in (
        (ROOM, ("--max-waiting", "200", "--requests-per-minute", "300")),
        (NO_ROOM, ("--max-running", "4", "--max-waiting", "8")),
    ):
        for told in probed(given.requests, given.clients, probes, *options):
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
