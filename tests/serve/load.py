"""Many clients with a mixture of requests: words, pictures, sounds, videos, bad ones, and some who leave.

Used by the load test, and by hand for a soak of ten thousand against a server that runs already (with `--max-waiting
200`: some of the requests are of more clients than a small server lets wait):

    python -m tests.serve.load http://127.0.0.1:8000 --requests 10000 --clients 32 --pid PID
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import os
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image as pillow

_WEIGHTS = {
    "text": 20, "stream": 15, "picture": 10, "new picture": 5, "sound": 8, "video": 4, "embedding": 10,
    "bad": 10, "broken": 6, "leaves": 8, "leaves early": 4, "message": 6, "message stream": 4, "response": 6,
    "response stream": 4, "completion": 4,
}  # fmt: skip
_DIALECTS = {"message", "message stream", "response", "response stream", "completion"}
GOOD = {"text", "stream", "picture", "new picture", "sound", "video", "embedding", *_DIALECTS}
_ENDS = (b"data: [DONE]\n\n", b'"message_stop"}\n\n')
_CHAT = "/v1/chat/completions"


class Memory(NamedTuple):
    """What the server's process held after so many requests, in bytes."""

    requests: int
    resident: int
    cached: int
    """Of embeddings, which are kept up to a bound."""


class Load:
    """Clients of one server."""

    def __init__(
        self,
        url: str,
        media: Path,
        clients: int,
        pid: int | None = None,
        keys: Sequence[str] = (),
        patience_s: float = 300.0,
    ) -> None:
        self.host, self._keys, self._patience_s = url.removeprefix("http://"), keys, patience_s
        self.clients, self.pid = clients, pid or os.getpid()
        self.outcomes: Counter[tuple[str, int]] = Counter()
        self.lost: list[str] = []
        self.seconds: list[float] = []
        self.memories: list[Memory] = []
        self._done = 0
        self._lock = threading.Lock()
        self._media = {
            "picture": _part("image_url", "image/png", media / "picture.png"),
            "sound": _part("audio_url", "audio/ogg", media / "recording.ogg"),
            "video": _part("video_url", "video/mp4", media / "video.mp4"),
        }

    def run(self, requests: int, seed: int = 0) -> None:
        """Send so many requests, each client the next as soon as it has its answer."""
        self.outcomes.clear()
        self.seconds.clear()
        kinds = random.Random(seed).choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=requests)
        self._run(list(enumerate(kinds)))

    def warm(self) -> None:
        """Fill what fills once: 48 prompts of 850 tokens touch every page of tutti-mini's keys and values."""
        self._run([(number, "long") for number in range(48)])
        assert set(self.outcomes) == {("long", 200)}, self.outcomes
        self.memories.clear()

    def _run(self, jobs: list[tuple[int, str]]) -> None:
        left = iter(jobs)

        def work() -> None:
            while (job := next(left, None)) is not None:
                begun = time.perf_counter()
                try:
                    status = self._one(job[1], job[0])
                except (OSError, http.client.HTTPException, ValueError) as error:
                    status = -1
                    self.lost.append(f"{job[1]}: {type(error).__name__} {error}")
                with self._lock:
                    self.outcomes[job[1], status] += 1
                    self.seconds.append(time.perf_counter() - begun)
                    self._done += 1
                    if self._done % 100 == 0:
                        self.memories.append(self.memory())
                        print(*self.memories[-1], file=sys.stderr)

        threads = [threading.Thread(target=work) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def check(self) -> None:
        """Nothing is lost: good ones are answered, bad ones told so, and nobody gets a 500."""
        assert self.lost == []
        for (kind, status), count in self.outcomes.items():
            if kind in GOOD:
                assert status in (200, 503), (kind, status, count)
            elif kind in ("bad", "broken"):
                assert status in (400, 413), (kind, status, count)
        assert any(status == 200 for _, status in self.outcomes)

    def memory(self) -> Memory:
        """What the server's process holds now."""
        resident = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        line = http.client.HTTPConnection(self.host, timeout=self._patience_s)
        line.request("GET", "/metrics", headers=self._headers(0))
        told = re.search(r"^tutti_embedding_cache_bytes (\S+)", line.getresponse().read().decode(), re.MULTILINE)
        line.close()
        return Memory(self._done, resident, int(float(told[1])) if told else 0)

    def slope(self) -> float:
        """Bytes that memory grows a request beside the embeddings kept, by least squares over the second half."""
        points = self.memories[len(self.memories) // 2 :]
        if len(points) < 3:
            return 0.0
        grown = [one.resident - one.cached for one in points]
        return float(np.polyfit([one.requests for one in points], grown, 1)[0])

    def report(self) -> dict[str, Any]:
        """What came of it."""
        ordered = sorted(self.seconds)
        return {
            "requests": len(ordered),
            "outcomes": {f"{kind} {status}": count for (kind, status), count in sorted(self.outcomes.items())},
            "lost": len(self.lost),
            "p50_s": round(ordered[len(ordered) // 2], 3),
            "p99_s": round(ordered[int(len(ordered) * 0.99)], 3),
            "memory_mb": [round(one.resident / 2**20, 1) for one in (self.memories[0], self.memories[-1])],
            "of_it_embeddings_mb": [round(one.cached / 2**20, 1) for one in (self.memories[0], self.memories[-1])],
            "memory_slope_bytes_a_request": round(self.slope(), 1),
        }

    def _one(self, kind: str, number: int) -> int:
        if kind == "embedding":
            return self._post("/v1/embeddings", json.dumps({"input": f"number {number}"}).encode(), number)
        if kind in _DIALECTS:
            return self._dialect(kind, number)
        if kind == "bad":
            wrong = [b"{", b"[]", b'{"messages": 1}', b'{"messages": [{"role": "x", "content": "a"}]}', b"\xff" * 20]
            return self._post(_CHAT, wrong[number % len(wrong)], number)
        if kind == "broken":
            url = (
                "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes([number % 256]) * 99).decode()
            )
            return self._post(_CHAT, _chat([{"type": "image_url", "image_url": {"url": url}}]), number)
        words = {"type": "text", "text": f"What is number {number}?"}
        if kind == "long":
            words["text"] = " ".join(f"dog{number}{place}" for place in range(250))
        medium = new_picture(number) if kind == "new picture" else self._media.get(kind)
        parts = [words] if medium is None else [words, medium]
        body = _chat(parts, stream=kind in ("stream", "leaves"))
        if kind.startswith("leaves"):
            return self._leave(body, number, early=kind == "leaves early")
        return self._post(_CHAT, body, number)

    def _dialect(self, kind: str, number: int) -> int:
        """A request in another dialect than chat completions."""
        name, _, stream = kind.partition(" ")
        words = f"What is number {number}?"
        picture = self._media["picture"]["image_url"]["url"]
        if name == "completion":
            return self._post("/v1/completions", json.dumps({"prompt": words, "max_tokens": 8}).encode(), number)
        if name == "response":
            parts = [{"type": "input_text", "text": words}, {"type": "input_image", "image_url": picture}]
            body = {"input": [{"role": "user", "content": parts}], "max_output_tokens": 99, "stream": bool(stream)}
            return self._post("/v1/responses", json.dumps(body).encode(), number)
        source = {"type": "base64", "media_type": "image/png", "data": picture.partition(",")[2]}
        blocks = [{"type": "text", "text": words}, {"type": "image", "source": source}]
        turn = {"role": "user", "content": blocks}
        body = {"messages": [turn], "max_tokens": 8, "stream": bool(stream)}
        return self._post("/v1/messages", json.dumps(body).encode(), number)

    def _headers(self, number: int) -> dict[str, str]:
        key = {"authorization": f"Bearer {self._keys[number % len(self._keys)]}"} if self._keys else {}
        return {"content-type": "application/json", **key}

    def _post(self, path: str, body: bytes, number: int) -> int:
        line = http.client.HTTPConnection(self.host, timeout=self._patience_s)
        try:
            line.request("POST", path, body, self._headers(number))
            answer = line.getresponse()
            content = answer.read()
            streamed = answer.status == 200 and content.startswith((b"data: ", b"event: "))
            if streamed and not content.endswith(_ENDS) and b"event: response.completed" not in content:
                raise ValueError(f"the stream has no end: {content[-200:]!r}")
            return answer.status
        finally:
            line.close()

    def _leave(self, body: bytes, number: int, early: bool) -> int:
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port)), timeout=self._patience_s) as line:
            headers = {"host": self.host, "content-length": len(body), **self._headers(number)}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            line.sendall(f"POST {_CHAT} HTTP/1.1\r\n{head}\r\n".encode())
            line.sendall(body[: len(body) // 2] if early else body)
            if not early:
                line.recv(64)
        return 0


def _part(kind: str, form: str, path: Path) -> dict[str, Any]:
    return _coded(kind, form, path.read_bytes())


def _coded(kind: str, form: str, content: bytes) -> dict[str, Any]:
    return {"type": kind, kind: {"url": f"data:{form};base64,{base64.b64encode(content).decode()}"}}


def new_picture(number: int) -> dict[str, Any]:
    """A picture that nobody has sent before."""
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    pillow.fromarray(pixels).save(file, "PNG")
    return _coded("image_url", "image/png", file.getvalue())


def _chat(parts: list[dict[str, Any]], stream: bool = False) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": parts}], "stream": stream, "max_tokens": 8}).encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Soak a server that runs already.")
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pid", type=int, required=True, help="the server's, whose memory is watched")
    parser.add_argument("--keys", type=Path, help="a file of keys, one a line, used in turn")
    parser.add_argument("--cold", action="store_true", help="fill nothing beforehand, as where there is no room for it")
    given_words = parser.parse_args()
    theirs = given_words.keys.read_text().split() if given_words.keys else ()
    soak = Load(given_words.url, Path("examples/media"), given_words.clients, given_words.pid, theirs)
    if not given_words.cold:
        soak.warm()
    soak.run(given_words.requests)
    print(json.dumps(soak.report(), indent=2))
    soak.check()
