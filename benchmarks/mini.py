"""tutti-mini as a user meets it: a cold process, warm answers, time to first token, tokens/s, memory.

python benchmarks/mini.py
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import commit, processor, versions

MEDIA = Path(__file__).parent.parent / "examples" / "media"
QUESTIONS = {
    "picture.png": "What is this?",
    "recording.ogg": "What do you hear?",
    "video.mp4": "What happens in the clip?",
}
WARM_RUNS = 15


def cold() -> tuple[float, float]:
    """Seconds from starting `tutti ask` to its end, and the process's peak memory in MB."""
    command = [sys.executable, "-m", "tutti", "ask", QUESTIONS["picture.png"], str(MEDIA / "picture.png")]
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def warm() -> dict[str, dict[str, float]]:
    """Milliseconds for an answer with a new medium and with one asked about before, and to the first token."""
    import numpy as np
    import torch

    import tutti

    model = tutti.load()
    out: dict[str, dict[str, float]] = {}
    for name, question in QUESTIONS.items():
        model.ask(question, MEDIA / name)
        known = [_timed(lambda n=name, q=question: model.ask(q, MEDIA / n)) for _ in range(WARM_RUNS)]
        out[name] = {"answer to a known medium, ms": statistics.median(known)}
    rng = np.random.default_rng(0)
    fresh, first = [], []
    for _ in range(WARM_RUNS):
        picture = rng.integers(0, 256, (480, 640, 3)).astype(np.uint8)
        begun = time.perf_counter()
        events = model.stream("What is this?", tutti.Image(picture))
        next(events)
        first.append((time.perf_counter() - begun) * 1000)
        for _event in events:
            pass
        fresh.append((time.perf_counter() - begun) * 1000)
    out["new 640 x 480 picture"] = {"first token, ms": statistics.median(first), "answer, ms": statistics.median(fresh)}
    begun = time.perf_counter()
    answer = model.ask("Describe the picture.", MEDIA / "picture.png")
    seconds = time.perf_counter() - begun
    out["decoding"] = {"tokens/s, prompt included": (answer.usage.completion_tokens + 1) / seconds}
    out["process"] = {"peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    out["threads"] = {"torch": float(torch.get_num_threads())}
    return out


def _timed(call: object) -> float:
    begun = time.perf_counter()
    call()  # type: ignore[operator]
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Print the figures as JSON."""
    runs = [cold() for _ in range(3)]
    figures = {
        "cold": {
            "seconds, median of 3": statistics.median(run[0] for run in runs),
            "peak memory, MB": max(run[1] for run in runs),
        },
        **warm(),
        "hardware": processor(),
        "versions": versions("torch"),
        "commit": commit(),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
