"""1,000 items with 16 requests at once against a server that takes 200 ms for each, beside one at a time.

python benchmarks/evaluation_concurrency.py [--items N] [--at-once N] [--sequential N]

The server is HTTP on this machine and speaks OpenAI's dialect; the client is the official SDK. One at a time is
measured on fewer items and scaled, since 1,000 of them take more than three minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from loopback import OpenAIResponder, serve
from machine import commit, processor, versions

from tutti.evaluate.reply_log import ReplyLog
from tutti.evaluate.running import Candidate, EvaluationPlan, run
from tutti.evaluate.suite import Case, Suite

LATENCY_S = 0.2


def seconds(url: str, items: int, at_once: int, folder: Path) -> float:
    cases = tuple(Case(id=str(i), media=(), question=f"Item {i}?", expected=("yes",)) for i in range(items))
    candidate = Candidate(name="server", model=OpenAIResponder("server", url), hosted=True)
    plan = EvaluationPlan(suite=Suite(name="items", cases=cases), candidates=[candidate], concurrency=at_once)
    begun = time.perf_counter()
    outcomes = run(plan, log=ReplyLog(folder / f"{items}-{at_once}.jsonl"))
    taken = time.perf_counter() - begun
    assert all(outcome.reply and outcome.score and outcome.score.value == 1 for outcome in outcomes)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--sequential", type=int, default=100)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(latency_s=LATENCY_S) as url:
        folder = Path(name)
        seconds(url, 8, 4, folder)  # connections and imports
        one = seconds(url, words.sequential, 1, folder) * words.items / words.sequential
        many = seconds(url, words.items, words.at_once, folder)
    print(json.dumps({
        "items": words.items, "at once": words.at_once, "seconds at once": round(many, 2),
        "seconds one at a time": round(one, 1), "times as fast": round(one / many, 2),
        "hardware": processor(), "versions": versions("openai"), "commit": commit(),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
