"""Hours of a stream through `tutti live`, as fast as it goes: what the process holds, and by how much that grows.

    python -m benchmarks.live_memory SPEECH_SET --data PACKS --minutes 120 --out FILE

SPEECH_SET is a folder of `benchmarks.speech_set`. A film is made of its recordings, again and again, with `--silence`
seconds of nothing behind each, and of photographs of the packs, another every four seconds, two pictures a second;
the command writes it down, watches for two alerts by sound and sight, and answers spoken questions. Every five
minutes of the stream a line tells the pages of the process that are its own (RssAnon: weights that are mapped from
their file come and go as the system likes) and all that are in memory. The slope is that of a line through all rows
behind the first quarter of an hour, in which caches fill.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.live import RATE_HZ, index_of, sound_of
from benchmarks.live_seeing import photographs, wide
from benchmarks.machine import commit, processor

EVERY_S, SETTLED_S = 300.0, 900.0
SHOWN_S, FRAMES = 4.0, 2
ALERTS = ("a dog barks", "a pizza")


def sounds(speech_set: Path, seconds: float, silence_s: float) -> Iterator[Any]:
    """The set again and again, with silences, (S,) float32 each."""
    rows, given, number = index_of(speech_set), 0.0, 0
    while given < seconds:
        samples = sound_of(speech_set / rows[number % len(rows)]["file"])
        number += 1
        samples = np.concatenate([samples, np.zeros(round(silence_s * RATE_HZ), np.float32)])
        samples = samples[: round((seconds - given) * RATE_HZ)]
        given += len(samples) / RATE_HZ
        yield samples


def make_film(path: Path, speech_set: Path, data: Path, seconds: float, silence_s: float) -> None:
    """The film of a stream, written piece by piece."""
    photos = photographs(data)
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as film:
        picture: Any = film.add_stream("mpeg4", rate=FRAMES)
        picture.width, picture.height, picture.pix_fmt = 426, 240, "yuv420p"
        sound: Any = film.add_stream("flac", rate=RATE_HZ)
        sound.layout = "mono"
        shown, frames, taken = None, 0, 0
        for samples in sounds(speech_set, seconds, silence_s):
            block = av.AudioFrame.from_ndarray(
                (32_767 * np.clip(samples, -1, 1)).astype(np.int16)[None], format="s16", layout="mono"
            )
            block.sample_rate, block.pts = RATE_HZ, taken
            film.mux(sound.encode(block))
            taken += len(samples)
            while frames < FRAMES * taken / RATE_HZ:
                if shown is None or frames % round(FRAMES * SHOWN_S) == 0:
                    shown = wide(photos[int(rng.integers(len(photos)))][1]())
                film.mux(picture.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
                frames += 1
        film.mux(sound.encode(None))
        film.mux(picture.encode(None))


def held(process: int) -> dict[str, float]:
    """MB of its own, and all that are in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    found = {name: re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE) for name in ("RssAnon", "VmRSS")}
    return {name: round(int(one[1]) / 1024, 1) for name, one in found.items() if one is not None}


def slope(rows: list[dict[str, Any]]) -> dict[str, float]:
    """MB an hour behind the time in which caches fill, with its standard error."""
    settled = [row for row in rows if row["stream_s"] >= SETTLED_S]
    if len(settled) < 3:
        return {}
    hours, owned = (np.array([row[name] for row in settled]) for name in ("stream_s", "RssAnon"))
    hours = hours / 3600
    (per_hour, _), spread = np.polyfit(hours, owned, 1, cov=True)
    return {"mb_an_hour": round(float(per_hour), 2), "standard_error": round(float(spread[0, 0] ** 0.5), 2)}


def main() -> None:
    """Make the film, run the command over it, and look at the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech_set", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--silence", type=float, default=45.0, help="seconds behind each recording")
    parser.add_argument("--out", type=Path, required=True, help="rows, a line each")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    counts = dict.fromkeys(("words", "alert", "answer"), 0)
    with tempfile.TemporaryDirectory() as folder, given.out.open("w") as out:
        film = Path(folder) / "stream.mkv"
        make_film(film, given.speech_set, given.data, 60 * given.minutes, given.silence)
        words = [sys.executable, "-m", "tutti", "live", "--from", str(film), "--json", "--language", "en", "--answer"]
        words += [word for alert in ALERTS for word in ("--alert", alert)]
        begun, due_s, now_s = time.monotonic(), 0.0, 0.0
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as live:
            assert live.stdout is not None
            for line in live.stdout:
                event = json.loads(line)
                counts["words"] += len(event.get("words", ()))
                if event["type"] in counts and event["type"] != "words":
                    counts[event["type"]] += 1
                now_s = max(now_s, event.get("end_s") or 0.0)
                if now_s >= due_s:
                    row = {"stream_s": round(now_s), **held(live.pid), **counts, "took_s": time.monotonic() - begun}
                    rows.append({**row, "took_s": round(row["took_s"])})
                    out.write(json.dumps(rows[-1]) + "\n")
                    out.flush()
                    due_s = (now_s // EVERY_S + 1) * EVERY_S
        ended = {"status": live.returncode, **slope(rows), "commit": commit(), "processor": processor()}
        out.write(json.dumps(ended) + "\n")
        print(json.dumps(ended))


if __name__ == "__main__":
    main()
