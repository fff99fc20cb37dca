"""Canaries in media and words are looked for in all that a run leaves: with keys on none is found, with keys off each.

What is looked at is every file below the state folder (databases, caches, the vault, the user's configuration), its
names, the log, the spans and the request bodies that a proxy would see; as bytes, in hexadecimal, base64 and UTF-16.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image as pillow

import tutti
from tutti.cli.main import main
from tutti.engine import DiskShelf

WORDS = "quokkazanzibar"
PROMPT = "vermilionwalrus"
PATH = "obsidiannarwhal"


def forms(canary: bytes) -> list[bytes]:
    """A canary as it may be written; of base64 the three ways in which it may begin, without their ends."""
    plain = [canary, canary.hex().encode(), canary.decode("latin-1").encode("utf-16-le")]
    return plain + [base64.b64encode(bytes(shift) + canary)[4:-4] for shift in range(3)]


def found(place: Path, canaries: dict[str, bytes]) -> set[str]:
    """Names of the canaries that are in a folder's files or in their names."""
    hits: set[str] = set()
    for path in place.rglob("*"):
        content = os.fsencode(path.relative_to(place)) + (path.read_bytes() if path.is_file() else b"")
        hits |= {name for name, canary in canaries.items() if any(form in content for form in forms(canary))}
    return hits


@contextmanager
def collector(into: Path) -> Iterator[str]:
    """What OpenTelemetry sends its spans to: each body is kept as a file."""
    into.mkdir()

    class Kept(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            (into / f"{len(list(into.iterdir()))}.span").write_bytes(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kept)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def media(folder: Path) -> tuple[Path, bytes]:
    """A folder of a picture, whose bytes are a canary, and a text; and its digest, by which it would be known."""
    place = folder / PATH
    place.mkdir(parents=True)
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "PNG")
    (place / "picture.png").write_bytes(buffer.getvalue())
    (place / "note.txt").write_text(f"The {WORDS} lives in Berlin.")
    return place, buffer.getvalue()


@pytest.mark.parametrize("keys", [False, True], ids=["keys off", "keys on"])
def test_what_an_index_leaves(keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, content = media(tmp_path / "given")
    state = tmp_path / "state"
    for name in ("HOME", "TMPDIR"):
        (state / name).mkdir(parents=True)
        monkeypatch.setenv(name, str(state / name))
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(state / "cache"))
    vault = ["--vault", str(state / "v"), "--vault-key", "env:ROOT_KEY"] if keys else []
    monkeypatch.setenv("ROOT_KEY", base64.b64encode(os.urandom(32)).decode())
    if keys:
        assert main(["vault", "init", str(state / "v"), "--vault-key", "env:ROOT_KEY"]) == 0
    into = ["--into", str(state / "db"), "--tenant", "anna"]
    assert main(["index", str(place), *into, "--subject", f"case {WORDS}", *vault]) == 0
    assert main(["search", WORDS, "--in", str(state / "db"), "--tenant", "anna", *vault]) == 0
    vector = tutti.load().embed([tutti.Image(content)])[0].tobytes()
    thumbnail = next(iter(_thumbnails(place, tmp_path)))
    canaries = {
        "words": WORDS.encode(),
        "path": PATH.encode(),
        "digest": tutti.Image(content).digest.encode(),
        "vector": vector[:32],
        "thumbnail": thumbnail[200:260],
        "root key": base64.b64decode(os.environ["ROOT_KEY"]),
    }
    assert found(state, canaries) == (set() if keys else {"words", "path", "digest", "vector", "thumbnail"})


def _thumbnails(place: Path, scratch: Path) -> list[bytes]:
    index = tutti.Index(scratch / "beside", tutti.load())
    index.add(place / "picture.png")
    return list(index.thumbnails(index.search("anything")).values())


@pytest.mark.parametrize("keys", [False, True], ids=["keys off", "keys on"])
def test_what_a_server_leaves(keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, content = media(tmp_path / "given")
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("ROOT_KEY", base64.b64encode(os.urandom(32)).decode())
    options: list[str] = []
    if keys:
        assert main(["vault", "init", str(state / "v"), "--vault-key", "env:ROOT_KEY"]) == 0
        options = ["--vault", str(state / "v"), "--vault-key", "env:ROOT_KEY", "--encrypted-media"]
    (state / "tmp").mkdir()
    with collector(state / "spans") as spans:
        environment = {
            **os.environ,
            "TUTTI_CACHE_FOLDER": str(state / "cache"),
            "TUTTI_EMBEDDING_BYTES": "10000000",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans,
            "HOME": str(state),
            "TMPDIR": str(state / "tmp"),
        }
        command = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json", "--otel", *options]
        with (state / "server.log").open("wb") as log:
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            cores = re.search(r"Max core file size +(\d+|unlimited)", Path(f"/proc/{server.pid}/limits").read_text())
            assert cores is not None and (cores[1] == "0" or not keys)
            model = tutti.load(f"{url}#tutti-mini", encrypt=keys)
            model.ask(f"What is this {PROMPT}?", content, max_tokens=3)
            model.embed([tutti.Image(content)])
            with pytest.raises(tutti.errors.TuttiError):
                model.ask(f"{PROMPT}?", content, json_schema='{"type": 1}')
            urllib.request.urlopen(url.replace("/v1", "/metrics"), timeout=10).close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
            if server.stdout is not None:
                server.stdout.close()
    kept = list((state / "cache/embeddings").iterdir())
    assert kept and {path.suffix for path in kept} == ({".sealed"} if keys else {".safetensors"})
    assert list((state / "spans").iterdir()) and b"chat" in (state / "server.log").read_bytes()
    sent = tutti.load().provider.decoder.image(tutti.Image(content))  # as it is: the server was sent a PNG of its own
    buffer = io.BytesIO()
    pillow.fromarray(sent).save(buffer, "PNG")
    canaries = {
        "prompt": PROMPT.encode(),
        "picture": content[200:260],
        "digest": tutti.Image(buffer.getvalue()).digest.encode(),
        "embedding": _embedding(tmp_path, content)[:32],
        "root key": base64.b64decode(os.environ["ROOT_KEY"]),
    }
    # A prompt is in no log, keys or not; what embeddings and spans tell is there without keys only.
    assert found(state, canaries) == (set() if keys else {"digest", "embedding"})


def _embedding(scratch: Path, content: bytes) -> bytes:
    """What the trunk makes of the picture, as the shelf would keep it in the clear."""
    return tutti.load().embed([tutti.Image(content)])[0].tobytes()


def test_the_search_for_canaries_finds_them(tmp_path: Path) -> None:
    canary = os.urandom(30)
    for number, form in enumerate([*forms(canary), base64.b64encode(b"xy" + canary + b"z")]):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "file").write_bytes(b"before " + form + b" behind")
        assert found(place, {"it": canary}) == {"it"}, number
    (tmp_path / "named" / PATH).mkdir(parents=True)
    assert found(tmp_path / "named", {"path": PATH.encode()}) == {"path"}
    assert not found(tmp_path / "0", {"other": os.urandom(30)})
    assert DiskShelf  # what keeps embeddings, above
