"""Media from a client to the server: ciphertext to whatever lies between, refused when sent again or cut."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

import tutti
from tests.serve.fake_models import Parrot, served
from tutti.cli.main import main
from tutti.errors import InputError, ProviderError
from tutti.media import InProcess, Limits
from tutti.providers.hosted import HostedOptions
from tutti.serve.lifecycle import Server
from tutti.serve.sealed_media import MediaKey, SealedMediaOpener
from tutti.trust.vault.wire import MediaRecipient


@pytest.fixture
def recipient() -> MediaRecipient:
    return MediaRecipient.read()


@pytest.fixture
def sealing(parrot: Parrot, recipient: MediaRecipient) -> Iterator[Server]:
    opener = SealedMediaOpener(InProcess(Limits()), recipient=recipient)
    with served(parrot, opener=opener, applications=[MediaKey(recipient)]) as running:
        yield running


@dataclass
class Proxy:
    """What stands between: it sees and keeps every body, and may fail at first, or send another body on."""

    port: int
    fails: int = 0
    bodies: list[bytes] = field(default_factory=list)
    keeps: object = None


@pytest.fixture
def proxy(sealing: Server) -> Iterator[Proxy]:
    target = sealing.url.removeprefix("http://")

    class Between(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.passed("GET", None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            proxy.bodies.append(body)
            if proxy.fails:
                proxy.fails -= 1
                self.send_response(503)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.passed("POST", proxy.keeps(body) if callable(proxy.keeps) else body)

        def passed(self, method: str, body: bytes | None) -> None:
            connection = http.client.HTTPConnection(target, timeout=20)
            connection.request(method, self.path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    proxy = Proxy(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def picture(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)
    buffer = io.BytesIO()
    pillow.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def name(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1#parrot"


def test_a_proxy_sees_ciphertext_and_the_model_the_picture(proxy: Proxy, parrot: Parrot) -> None:
    plain = tutti.load(name(proxy.port))
    assert plain.ask("What is it?", picture()).text.endswith("[image]")
    (seen,) = proxy.bodies
    wire = json.loads(seen)["messages"][0]["content"][0]["image_url"]["url"].partition(",")[2]
    proxy.bodies.clear()
    hidden = tutti.load(name(proxy.port), encrypt=True)
    assert hidden.ask("What is it?", picture()).text.endswith("[image]")
    (body,) = proxy.bodies
    for start in range(0, len(wire) - 40, 400):  # no stretch of what was sent plainly is in what is sent encrypted
        assert wire[start : start + 40].encode() in seen and wire[start : start + 40].encode() not in body
    assert parrot.asked[0][0][-1].parts[0].digest == parrot.asked[1][0][-1].parts[0].digest


def test_what_a_proxy_sends_again_is_refused(proxy: Proxy, sealing: Server) -> None:
    tutti.load(name(proxy.port), encrypt=True).ask("What?", picture())
    connection = http.client.HTTPConnection(sealing.url.removeprefix("http://"), timeout=20)
    connection.request("POST", "/v1/chat/completions", proxy.bodies[0], {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 400 and b"was sent before" in answer.read()
    connection.close()


def test_what_a_proxy_leaves_out_or_cuts_is_refused(proxy: Proxy) -> None:
    def without_one(body: bytes) -> bytes:
        values = json.loads(body)
        values["messages"][0]["content"].pop(0)
        return json.dumps(values).encode()

    def cut(body: bytes) -> bytes:
        values = json.loads(body)
        part = values["messages"][0]["content"][0]["image_url"]
        part["url"] = part["url"][:-400]
        return json.dumps(values).encode()

    model = tutti.load(name(proxy.port), encrypt=True)
    proxy.keeps = without_one
    with pytest.raises(ProviderError, match="some are left out"):
        model.ask("What?", picture(1), picture(2))
    proxy.keeps = cut
    with pytest.raises(ProviderError, match="was changed or cut on its way"):
        model.ask("What?", picture(1))
    proxy.keeps = None
    assert model.ask("What?", picture(1), picture(2)).text.endswith("[image] [image]")


def test_an_attempt_after_a_failure_is_encrypted_anew(proxy: Proxy) -> None:
    proxy.fails = 1
    hosted = HostedOptions(retries=2)
    assert tutti.load(name(proxy.port), encrypt=True, hosted=hosted).ask("What?", picture()).text.endswith("[image]")
    assert len(proxy.bodies) == 2 and proxy.bodies[0] != proxy.bodies[1]


def test_media_are_embedded_encrypted(proxy: Proxy) -> None:
    model = tutti.load(name(proxy.port), encrypt=True)
    assert model.embed([tutti.Image(picture()), tutti.Image(picture(3))]).shape == (2, 4)
    assert all(b"vnd.tutti.sealed" in body for body in proxy.bodies)


def test_a_key_with_another_fingerprint_is_refused(proxy: Proxy, recipient: MediaRecipient) -> None:
    assert tutti.load(name(proxy.port), encrypt=recipient.fingerprint).ask("What?", picture())
    with pytest.raises(InputError, match=r"and sha256:00 was expected: .* Nothing was sent\."):
        tutti.load(name(proxy.port), encrypt="sha256:00")


def test_servers_without_a_key_and_hosted_models_are_refused(server: Server) -> None:
    with pytest.raises(ProviderError, match=r"status 404 in the place of a key; start it with --encrypted-media"):
        tutti.load(f"{server.url}/v1#parrot", encrypt=True)
    with pytest.raises(InputError, match="is no `tutti serve`"):
        tutti.load("openai:gpt-4o", encrypt=True)


def test_a_server_may_require_it(parrot: Parrot, recipient: MediaRecipient) -> None:
    opener = SealedMediaOpener(InProcess(Limits()), recipient=recipient, only=True)
    with served(parrot, opener=opener, applications=[MediaKey(recipient)]) as running:
        address = f"{running.url}/v1#parrot"
        with pytest.raises(ProviderError, match="accepts encrypted ones only"):
            tutti.load(address).ask("What?", picture())
        assert tutti.load(address, encrypt=True).ask("What?", picture())
        assert tutti.load(address).ask("Only words?")


def test_the_command(
    proxy: Proxy, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipient: MediaRecipient
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(picture())
    words = ["ask", "What is it?", str(path), "--model", name(proxy.port)]
    assert main([*words, "--encrypt"]) == 0
    assert b"vnd.tutti.sealed" in proxy.bodies[-1]
    assert main([*words, "--encrypt-to", recipient.fingerprint]) == 0
    assert main([*words, "--encrypt-to", "sha256:1"]) == 2
    assert main([*words, "--encrypt", "--fallback", "tutti-mini"]) == 2
    assert "which would be sent media unencrypted" in capsys.readouterr().err
