"""A server as a client meets it: time to ready from a cold start, to the first streamed token, and 16 requests at once.

    python benchmarks/serving.py                              # this checkout
    python benchmarks/serving.py --before OTHER [--rounds 5]  # and another one (a git worktree), in alternation

Each round starts `tutti serve --model tutti-mini` as a process of its own and stops it. "Ready" is the first 200 of
`/health`; "first token" counts from sending a request whose picture no server saw before, the very first one and a
later one; "16 at once" is the time until 16 such requests that are sent together are all answered, and the median time
to the first token among them. Medians over the rounds; with two checkouts also the ratio, which is what means something
on a busy machine.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from machine import commit, processor, versions
from PIL import Image

HERE = Path(__file__).parent.parent
AT_ONCE, TOKENS = 16, 16
NAMES = {
    "ready": "ready (first 200 of /health), s",
    "first": "first token of the first request, ms",
    "later": "first token of a later request, ms",
    "many_first": "16 at once: first token, median, ms",
    "many": "16 at once: all answered, s",
}


def body(seed: int) -> bytes:
    """A request with a picture that was made for it."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    asked = {"messages": [{"role": "user", "content": parts}], "stream": True, "max_tokens": TOKENS}
    return json.dumps(asked).encode()


def streamed(host: str, asked: bytes) -> float:
    """Seconds from sending a request to the first token of its answer, which is read to its end.

    Raises:
        RuntimeError: It is not answered whole.
    """
    line = http.client.HTTPConnection(host, timeout=300)
    begun = time.perf_counter()
    line.request("POST", "/v1/chat/completions", asked, {"content-type": "application/json"})
    answer = line.getresponse()
    first = None
    told = ""
    for raw in answer:
        told = raw.decode().strip() or told
        if first is None and told.startswith("data: {"):
            choices = json.loads(told[6:])["choices"]
            if choices and choices[0]["delta"].get("content"):
                first = time.perf_counter() - begun
    line.close()
    if answer.status != 200 or first is None or told != "data: [DONE]":
        raise RuntimeError(f"answered with {answer.status}: {told[:200]}")
    return first


def ready(host: str, begun: float) -> float:
    """Seconds from `begun` until the server answers."""
    while True:
        line = http.client.HTTPConnection(host, timeout=10)
        try:
            line.request("GET", "/health")
            if line.getresponse().status == 200:
                return time.perf_counter() - begun
        except OSError:
            time.sleep(0.01)
        finally:
            line.close()


def at_once(host: str, bodies: list[bytes]) -> tuple[float, float]:
    """Median seconds to the first token of requests that are sent together, and seconds until all are answered."""
    firsts: list[float] = []

    def ask(one: bytes) -> None:
        firsts.append(streamed(host, one))

    threads = [threading.Thread(target=ask, args=(one,)) for one in bodies]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if len(firsts) != len(bodies):
        raise RuntimeError(f"{len(bodies) - len(firsts)} of {len(bodies)} requests at once were not answered.")
    return statistics.median(firsts), seconds


@contextmanager
def served(tree: Path, more: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """A server of a checkout with tutti-mini: its process, its host, and the seconds until it was ready."""
    words = [sys.executable, "-m", "tutti", "serve", "--model", "tutti-mini", "--port", "0", "--json", *more]
    given = {**os.environ, "PYTHONPATH": str(tree / "src")}
    begun = time.perf_counter()
    with subprocess.Popen(words, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            host = json.loads(server.stdout.readline())["url"].removeprefix("http://").partition("/")[0]
            yield server, host, ready(host, begun)
        finally:
            server.terminate()


def measured(tree: Path, number: int) -> dict[str, float]:
    """One round with a checkout."""
    bodies = [body(number * 100 + place) for place in range(AT_ONCE + 2)]
    with served(tree) as (_, host, started):
        first, later = streamed(host, bodies[0]), streamed(host, bodies[1])
        many_first, many = at_once(host, bodies[2:])
    return {
        "ready": started,
        "first": 1000 * first,
        "later": 1000 * later,
        "many_first": 1000 * many_first,
        "many": many,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="TREE", help="another checkout, measured in alternation")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    trees = {"now": HERE, **({"before": arguments.before} if arguments.before else {})}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for number in range(arguments.rounds):
        for name, tree in trees.items():
            found[name].append(measured(tree, number))
            print(name, json.dumps(found[name][-1]), file=sys.stderr, flush=True)
    print(f"{commit()}, {processor()}, {versions('torch')}, {arguments.rounds} rounds")
    for key, name in NAMES.items():
        middle = {tree: statistics.median(one[key] for one in rounds) for tree, rounds in found.items()}
        line = ", ".join(f"{tree} {value:.3g}" for tree, value in middle.items())
        if "before" in middle:
            ratios = sorted(now[key] / old[key] for now, old in zip(found["now"], found["before"], strict=True))
            line += f"; now / before {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name}: {line}")


if __name__ == "__main__":
    main()
