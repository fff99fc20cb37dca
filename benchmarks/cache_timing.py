"""Whether the clock tells one tenant what another sent: in how many pairs a picture that another sent is quicker.

    python benchmarks/cache_timing.py [--pairs N] [--shared]

A victim sends a new picture. The attacker, who has another key, sends it too, and one that nobody sent, in an order
drawn for each pair; then the first once more, which is its own by then. 50 % says that the clock tells nothing; the
interval is Wilson's, at 95 %. With `--shared` both keys are one tenant's, as if there were one cache for all: the guard
off.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import commit, processor, versions
from PIL import Image

from tutti.serve.keys import new_key


def asked(host: str, key: str, number: int) -> float:
    """Seconds from a question on a picture to its first word."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (224, 224, 3), np.uint8)).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
    body = json.dumps({"messages": [{"role": "user", "content": content}], "max_tokens": 1})
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    begun = time.perf_counter()
    line = http.client.HTTPConnection(host, timeout=300)
    line.request("POST", "/v1/chat/completions", body, headers)
    answer = line.getresponse()
    answer.read()
    line.close()
    assert answer.status == 200
    return time.perf_counter() - begun


def quicker(ones: list[float], others: list[float]) -> str:
    """In how many of the pairs the one was quicker than the other, with its interval."""
    count, share = len(ones), sum(one < other for one, other in zip(ones, others, strict=True)) / len(ones)
    z = 1.96
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    low, high = ((middle + sign * half) / (1 + z * z / count) for sign in (-1, 1))
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--shared", action="store_true", help="both keys are one tenant's: the guard off")
    given = parser.parse_args()
    victim, line_of_victim = new_key("all" if given.shared else "victim")
    attacker, line_of_attacker = new_key("all" if given.shared else "attacker")
    chance = random.Random(0)
    sent, unsent, own = [], [], []
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "keys").write_text(f"{line_of_victim}\n{line_of_attacker}\n")
        words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--keys", f"{name}/keys"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            host = json.loads(process.stdout.readline())["url"].removeprefix("http://").removesuffix("/v1")
            for pair in range(-10, given.pairs):  # the first ten warm it up
                asked(host, victim, 2 * pair + 1000)
                orders = [(sent, 2 * pair + 1000), (unsent, 2 * pair + 1001)]
                for times, number in chance.sample(orders, 2):
                    times.append(asked(host, attacker, number))
                own.append(asked(host, attacker, 2 * pair + 1000))
            process.terminate()
    sent, unsent, own = sent[10:], unsent[10:], own[10:]
    print(json.dumps({
        "pairs": given.pairs, "one cache for all": given.shared,
        "median ms": {what: round(1000 * statistics.median(times), 2) for what, times in
                      (("sent by another", sent), ("sent by nobody", unsent), ("sent by oneself", own))},
        "sent by another quicker than by nobody": quicker(sent, unsent),
        "sent by oneself quicker than by nobody": quicker(own, unsent),
        "hardware": processor(), "versions": versions("torch"), "commit": commit(),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
