"""Several streams at once on one server: when their words come, what is dropped, and what they are told.

    python -m benchmarks.realtime_streams --streams 1 8 --seconds 30 --out FILE

Each client plays the speech of the examples at its own pace into `/v1/realtime`, again and again, with two pictures a
second beside it and one alert. How far the server is behind at the end is the time from the commit behind the last
sound to the whole transcript; words that are missing would show as fewer than those of one stream. The server is a
process of its own, with OMP_NUM_THREADS threads.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
import soxr
from websockets.sync.client import connect

from benchmarks.machine import commit, processor

MEDIA = Path(__file__).parent.parent / "examples" / "media"
RATE_HZ, PIECE_S = 16_000, 0.25


@dataclass
class Client:
    """One stream, and what came back."""

    url: str
    seconds: float
    words: list[str] = field(default_factory=list)
    behind_s: list[float] = field(default_factory=list)
    """As the server told."""
    caught_up: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    alerts: int = 0
    errors: list[str] = field(default_factory=list)
    rest_s: float = 0.0
    """From the commit behind the last sound to the whole transcript."""

    def run(self) -> None:
        """Stream, and wait for the rest."""
        samples, rate_hz = soundfile.read(MEDIA / "speech.ogg", dtype="float32")
        sound = soxr.resample(samples, rate_hz, RATE_HZ)
        picture = base64.b64encode((MEDIA / "picture.png").read_bytes()).decode()
        done = threading.Event()
        with connect(f"{self.url}/v1/realtime", max_size=None, open_timeout=60) as socket:
            listener = threading.Thread(target=self._listen, args=(socket, done), daemon=True)
            listener.start()
            heard = {"format": {"type": "audio/pcm", "rate": RATE_HZ}, "transcription": {}, "turn_detection": None}
            watched = {"alerts": ["a dog barks"], "see": True}
            session = {"audio": {"input": heard}, "tutti": watched}
            socket.send(json.dumps({"type": "session.update", "session": session}))
            begun = time.monotonic()
            for number in range(round(self.seconds / PIECE_S)):
                at = np.arange(round(number * PIECE_S * RATE_HZ), round((number + 1) * PIECE_S * RATE_HZ)) % len(sound)
                piece = base64.b64encode((32_767 * sound[at]).astype("<i2").tobytes()).decode()
                time.sleep(max(0.0, begun + (number + 1) * PIECE_S - time.monotonic()))
                socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": piece}))
                if number % 2 == 0:
                    shown = f"data:image/png;base64,{picture}"
                    socket.send(json.dumps({"type": "tutti.image.append", "image_url": shown}))
            socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
            ended = time.monotonic()
            if not done.wait(10 * self.seconds + 60):
                self.errors.append("no transcript came")
            self.rest_s = time.monotonic() - ended

    def _listen(self, socket: Any, done: threading.Event) -> None:
        for text in socket:
            event = json.loads(text)
            kind = event["type"]
            if kind.endswith("input_audio_transcription.delta"):
                self.words += event["delta"].split()
            elif kind == "tutti.behind":
                self.behind_s.append(event["seconds"])
            elif kind == "tutti.caught_up":
                self.caught_up += 1
            elif kind == "tutti.image.dropped":
                self.dropped = {name: event[name] for name in ("budget", "behind")}
            elif kind == "tutti.alert":
                self.alerts += 1
            elif kind == "error":
                self.errors.append(event["error"]["message"])
            elif kind.endswith("input_audio_transcription.completed"):
                done.set()


def measured(url: str, count: int, seconds: float) -> dict[str, Any]:
    """What so many streams at once got."""
    clients = [Client(url, seconds) for _ in range(count)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "streams": count,
        "seconds": seconds,
        "words_median": median(len(client.words) for client in clients),
        "words_least": min(len(client.words) for client in clients),
        "rest_s_median": round(median(client.rest_s for client in clients), 2),
        "rest_s_most": round(max(client.rest_s for client in clients), 2),
        "told_behind": sum(bool(client.behind_s) for client in clients),
        "told_caught_up": sum(bool(client.caught_up) for client in clients),
        "pictures_dropped": sum(sum(client.dropped.values()) for client in clients),
        "alerts": sum(client.alerts for client in clients),
        "errors": sorted({error for client in clients for error in client.errors}),
    }


def main() -> None:
    """Start a server, and measure each number of streams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8], metavar="N")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--no-page"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"].removesuffix("/v1").replace("http", "ws", 1)
        measured(url, 1, 3.0)  # opens what hears and what sees
        threads = os.environ.get("OMP_NUM_THREADS", "all")
        with arguments.out.open("w", encoding="utf-8") as out:
            for count in arguments.streams:
                row = {**measured(url, count, arguments.seconds), "threads": threads, "processor": processor()}
                out.write(json.dumps({**row, "commit": commit()}) + "\n")
                print(json.dumps(row), flush=True)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


if __name__ == "__main__":
    main()
