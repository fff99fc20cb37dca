"""Speech written down while it is said, against the whole file at once: word errors and delays.

    python -m benchmarks.live SPEECH_SET --recordings 2 --threads 2

SPEECH_SET is a folder of `benchmarks.speech_set`. The clock is that of the sound: time that computing takes is added to
it, and sound that came meanwhile is given at once, as to a microphone; nothing waits. Delays count from where the live
transcript itself says that a word ends, which is a share of its segment and may err by half a second.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, processor, versions
from tutti.media.text_files import json_object, read_lines

BLOCK_S = 0.25


def plain(text: str) -> list[str]:
    """Words without signs and capitals."""
    return re.sub(r"[^\w\s']", " ", text).casefold().split()


def edits(said: list[str], expected: list[str]) -> int:
    """Words to insert, delete and replace."""
    row = list(range(len(said) + 1))
    for number, word in enumerate(expected, 1):
        before, row = row, [number]
        for place, other in enumerate(said, 1):
            row.append(min(before[place - 1] + (word != other), before[place] + 1, row[place - 1] + 1))
    return row[-1]


def live(model: Any, samples: Any) -> tuple[str, list[float], list[float], float]:
    """The words, delays of final words and of guesses, and seconds of computing."""
    from tutti.content import FinalWords, GuessedWords

    stream = model.live()
    rate_hz = stream.sample_rate_hz
    given, now_s, busy_s = 0, 0.0, 0.0
    words: list[str] = []
    final_s: list[float] = []
    guess_s: list[float] = []
    while given < len(samples):
        now_s = max(now_s, given / rate_hz + BLOCK_S)
        due = min(len(samples), round(now_s * rate_hz))
        begun = time.perf_counter()
        events = [*stream.feed(samples[given:due])]
        given = due
        if given == len(samples):
            events += stream.finish()
        took_s = time.perf_counter() - begun
        now_s, busy_s = now_s + took_s, busy_s + took_s
        for event in events:
            if isinstance(event, FinalWords):
                words += [one.text for one in event.words]
                final_s += [now_s - one.end_s for one in event.words]
            elif isinstance(event, GuessedWords) and event.text:
                guess_s.append(now_s - event.end_s)
    return " ".join(words), final_s, guess_s, busy_s


def main() -> None:
    """Measure and print one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech_set", type=Path)
    parser.add_argument("--recordings", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    import torch

    import tutti
    from tutti.media import InProcess, Limits

    torch.set_num_threads(given.threads)
    model = tutti.load("whisper-base")
    rows = [json_object(line) for _, line in read_lines(given.speech_set / "index.jsonl")]
    counts = {"words": 0, "live": 0, "whole": 0}
    final_s: list[float] = []
    guess_s: list[float] = []
    seconds = busy_s = whole_s = 0.0
    for row in rows[: given.recordings]:
        path = given.speech_set / row["file"]
        sound = InProcess(Limits()).sound(tutti.Audio(path)).resampled(16_000)
        text, finals, guesses, busy = live(model, sound.samples)
        begun = time.perf_counter()
        whole = model.transcribe(path).text
        whole_s += time.perf_counter() - begun
        expected = plain(row["text"])
        counts["words"] += len(expected)
        counts["live"] += edits(plain(text), expected)
        counts["whole"] += edits(plain(whole), expected)
        final_s, guess_s, seconds, busy_s = (
            final_s + finals,
            guess_s + guesses,
            seconds + sound.duration_s,
            busy_s + busy,
        )
    figures = {
        "seconds": round(seconds, 1),
        **counts,
        "final_median_s": round(statistics.median(final_s), 2),
        "guess_median_s": round(statistics.median(guess_s), 2),
        "load": round(busy_s / seconds, 2),
        "whole_file_load": round(whole_s / seconds, 2),
        "threads": given.threads,
        "processor": processor(),
        "commit": commit(),
        "versions": versions("torch"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
