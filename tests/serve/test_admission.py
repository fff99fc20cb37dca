"""Overload and oversize: refused at once, by cause; nothing accepted is lost; the next good request succeeds."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked, chat
from tutti.media import InProcess, Limits
from tutti.serve.admission import Admission, Cost, ServerLimits
from tutti.serve.lifecycle import Server
from tutti.serve.media_parts import MediaOpener

CHAT = "/v1/chat/completions"


def post(server: Server, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    status, told, content = asked(server, "POST", CHAT, body, headers)
    return status, told, json.loads(content)


def with_part(part: dict[str, Any]) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode()


def picture(content: bytes, coded: str | None = None) -> bytes:
    text = base64.b64encode(content).decode() if coded is None else coded
    return with_part({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}})


def metric(server: Server, name: str) -> float:
    text = server.service.metrics.text().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def gated() -> Iterator[tuple[Server, Parrot]]:
    """A server of two places, one more to wait in, and a model that answers when the gate is opened."""
    parrot = Parrot(gate=threading.Event())
    limits = ServerLimits(max_running=2, max_waiting=1)
    with served(parrot, limits=limits, drain_seconds=30) as server:
        yield server, parrot
        assert parrot.gate is not None
        parrot.gate.set()


def test_overload_is_told_at_once_and_nothing_accepted_is_lost(gated: tuple[Server, Parrot]) -> None:
    server, parrot = gated
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(post(server, chat("hi"))[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: server.service.admission.answers == 3)
    for _ in range(5):
        status, headers, told = post(server, chat("hi"))
        assert not answers, "refused while what was accepted is still at work, not after it"
        assert (status, told["error"]["code"]) == (503, "overloaded")
        assert int(headers["retry-after"]) >= 1
    assert (metric(server, "tutti_queue_depth"), metric(server, "tutti_running")) == (1, 2)
    assert asked(server, "GET", "/health")[0] == 200
    assert parrot.gate is not None
    parrot.gate.set()
    for thread in threads:
        thread.join()
    assert answers == [200] * 3
    assert parrot.most_running == 2
    assert metric(server, 'tutti_rejections_total{cause="overload"}') == 5
    assert server.service.admission.answers == 0
    assert server.service.admission.under_way == Cost()


def test_a_stopping_server_finishes_what_it_took_on(gated: tuple[Server, Parrot]) -> None:
    server, parrot = gated
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(post(server, chat("hi"))[0]))
    thread.start()
    wait_for(lambda: parrot.running == 1)
    host, port = server.url.removeprefix("http://").split(":")
    server.should_exit = True
    wait_for(lambda: server.service.admission.draining)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=5)
    assert answers == []
    assert parrot.gate is not None
    parrot.gate.set()
    thread.join()
    assert answers == [200]


def test_a_tenant_who_asks_too_often_waits_and_others_do_not() -> None:
    with served(Parrot(), keys=KEYS, limits=ServerLimits(requests_per_minute=60, burst=2)) as server:
        mine, others = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}
        statuses = [post(server, chat("hi"), **mine)[0] for _ in range(2)]
        status, headers, told = post(server, chat("hi"), **mine)
        assert statuses == [200, 200]
        if status != 200:  # a slow machine may have let the second pass in which one more is allowed
            assert (status, told["error"]["code"], headers["retry-after"]) == (429, "rate_limit_exceeded", "1")
        assert post(server, chat("hi"), **others)[0] == 200


def test_the_rate_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("tutti.serve.admission.time.monotonic", lambda: clock[0])
    admission = Admission(ServerLimits(requests_per_minute=60, burst=2))
    taken = []
    for _ in range(40):
        try:
            admission.check_rate("a")
            taken.append(clock[0])
        except Exception as error:  # noqa: BLE001
            assert error.kind.status == 429  # type: ignore[attr-defined]
        clock[0] += 0.25
    assert len(taken) == 2 + 9


@pytest.mark.parametrize(
    ("body", "cause", "expected"),
    [
        (b'{"messages": "' + b"x" * 3000 + b'"}', "body", (413, "over_limit")),
        (chat("x " * 900), "tokens", (400, "context_length_exceeded")),
    ],
)
def test_too_large_is_told_by_cause(body: bytes, cause: str, expected: tuple[int, str]) -> None:
    limits = ServerLimits(max_body_bytes=2500, request=Cost(bytes=10**6, pixels=10**6, seconds=10, tokens=400))
    with served(Parrot(), limits=limits) as server:
        status, _, told = post(server, body)
        assert (status, told["error"]["code"]) == expected
        assert metric(server, f'tutti_rejections_total{{cause="{cause}"}}') == 1
        assert post(server, chat("fine"))[0] == 200


def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    with served(Parrot(), limits=ServerLimits(max_body_bytes=1000)) as server:
        line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        line.request("POST", CHAT, iter([b"x" * 400] * 5), {"content-type": "application/json"}, encode_chunked=True)
        answer = line.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "over_limit")
        line.close()


def png(width: int, height: int) -> bytes:
    """A picture of one colour: a bomb, if it is large, of a thousandth of its pixels' bytes."""
    file = io.BytesIO()
    pillow.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def lying_png(width: int, height: int) -> bytes:
    """A header that claims a size which no data follow."""
    import struct
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def test_bombs_go_off_without_the_guard_and_not_with_it() -> None:
    bomb, thin = png(8000, 8000), png(60_000, 40)
    small = Limits(max_pixels=1_000_000)
    for content in (bomb, thin):
        with pillow.open(io.BytesIO(content)) as image:
            assert np.asarray(image).size > 2 * small.max_pixels, "decoded, it is large"
        assert len(content) < 100_000
    with served(Parrot(limits=small), opener=MediaOpener(InProcess(small))) as server:
        for content in (bomb, thin, lying_png(65_000, 65_000), lying_png(2**31 - 1, 2**31 - 1)):
            status, _, told = post(server, picture(content))
            assert (status, told["error"]["code"]) == (413, "over_limit"), told
        assert post(server, picture(png(30, 20)))[0] == 200


def test_many_small_pictures_are_too_many_together() -> None:
    limits = ServerLimits(request=Cost(bytes=10**7, pixels=1000, seconds=10, tokens=10**5))
    part = json.loads(picture(png(30, 20)))["messages"][0]["content"][0]
    with served(Parrot(), limits=limits) as server:
        body = json.dumps({"messages": [{"role": "user", "content": [part] * 2}]}).encode()
        status, _, told = post(server, body)
        assert (status, told["error"]["message"][:38]) == (413, "The request would take 1,200 pixels; t")
        assert post(server, picture(png(30, 20)))[0] == 200


ODD_BASE64 = [
    "iVBORw0KGgo",  # padding left out
    "iVBORw0KGgo==",
    "iVBO\nRw0K",
    "iVBO Rw0K",
    "iVBORw0KGg-_",
    "iVBORw0K====",
    "=iVB",
    "i=VB",
    "éééé",
    "iVBO\0w0K",
    "%69VBO",
    "",
    "A" * 5,
]


@pytest.mark.parametrize("text", ODD_BASE64)
def test_odd_base64_is_refused(server: Server, text: str) -> None:
    """A lenient decoder skips what it does not know, so that two texts are one content; ours takes one form only."""
    for body in (
        picture(b"", text),
        with_part({"type": "input_audio", "input_audio": {"data": text, "format": "wav"}}),
        with_part({"type": "file", "file": {"file_data": text}}),
    ):
        status, _, told = post(server, body)
        assert (status, told["error"]["type"]) == (400, "invalid_request_error"), told
    assert base64.b64decode("iVBO\nRw0K") == base64.b64decode("iVBORw0K"), "the usual decoder takes both for one"


@pytest.mark.parametrize("filler", [" ", "\n", "*"])
def test_sparse_base64_is_refused(server: Server, filler: str) -> None:
    """A small picture in many characters: a lenient decoder skips them, and any number of texts are one picture."""
    content = png(30, 20)
    sparse = (filler * 2000).join(base64.b64encode(content).decode())
    assert base64.b64decode(sparse) == content
    status, _, told = post(server, picture(b"", sparse))
    assert (status, told["error"]["type"]) == (400, "invalid_request_error")
    assert post(server, picture(content))[0] == 200


def test_deep_json_is_refused(server: Server) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        body = opening * 100_000 + b"1" + closing * 100_000
        with pytest.raises(RecursionError):
            json.loads(body)
        assert post(server, body)[0] == 400
    nested = (
        b'{"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_schema", "json_schema": '
    )
    nested += b'{"name": "x", "schema": ' + b'{"not": ' * 3000 + b"{}" + b"}" * 3000 + b"}}}"
    assert post(server, nested)[0] == 400
    assert post(server, chat("fine"))[0] == 200


PLAYLISTS = [
    b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"concat:/etc/passwd|/etc/hosts",
    b"<?xml version='1.0'?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>",
    b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    b"RIFF\0\0\0\0AVI LIST",
    b"[playlist]\nFile1=/etc/passwd\n",
]


@pytest.mark.parametrize("content", PLAYLISTS)
def test_what_names_other_files_is_no_medium(server: Server, content: bytes) -> None:
    text = base64.b64encode(content).decode()
    for kind in ("image_url", "audio_url", "video_url"):
        status, _, told = post(server, with_part({"type": kind, kind: {"url": f"data:;base64,{text}"}}))
        assert (status, "not a" in told["error"]["message"]) == (400, True), told


def test_an_unknown_part_is_told_the_known_ones(server: Server) -> None:
    status, _, told = post(server, with_part({"type": "smell", "smell": {}}))
    assert status == 400
    assert told["error"]["message"] == (
        "messages[0].content[0] is of type 'smell', which is not known; known are: text, refusal, image_url, "
        "input_audio, audio_url, video_url, input_video, file."
    )
    status, _, told = post(server, with_part({"text": "a"}))
    assert (status, "has no type; known are: text" in told["error"]["message"]) == (400, True)


def raw(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
SLOW = {
    "a head that never ends": b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ",
    "a second head that never ends": b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /hea",
    "a body that never ends": HEAD + b"content-length: 100\r\n\r\n{",
    "a body that is refused and goes on": HEAD + b"content-length: 9999999999\r\n\r\n{",
}
FOREVER = 1e6


def drips(server: Server, begun: bytes, seconds: float) -> bool:
    """Whether a client is still connected after so long that begins so, and sends a byte now and then."""
    with raw(server) as line:
        line.sendall(begun)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            try:
                line.sendall(b"a")
            except OSError:
                return False
    return True


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_stay_without_the_guard_and_are_let_go_with_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutti.serve.lifecycle._HEAD_SECONDS", FOREVER)
    with served(Parrot(), limits=ServerLimits(body_seconds=FOREVER)) as server:
        assert drips(server, SLOW[kind], 0.8)
    monkeypatch.setattr("tutti.serve.lifecycle._HEAD_SECONDS", 0.2)
    with served(Parrot(), limits=ServerLimits(body_seconds=0.2)) as server:
        assert not drips(server, SLOW[kind], 20)
        assert post(server, chat("fine"))[0] == 200
        wait_for(lambda: server.service.admission.bodies == 0)


def test_slow_bodies_shut_others_out_without_the_guard_and_not_with_it() -> None:
    with_guard, without = (ServerLimits(all_bodies_bytes=1000, body_seconds=seconds) for seconds in (0.3, FOREVER))
    for limits, after in ((without, 503), (with_guard, 200)):
        with served(Parrot(), limits=limits) as server, raw(server) as one, raw(server) as other:
            for line in (one, other):
                line.sendall(HEAD + b"content-length: 500\r\n\r\n{")
            wait_for(lambda held=server.service.admission: held.bodies == 1000)  # type: ignore[misc]
            assert post(server, chat("fine"))[0] == 503
            time.sleep(0.8)
            assert post(server, chat("fine"))[0] == after
            if after == 200:
                assert one.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("seconds", [FOREVER, 0.3])
def test_one_who_reads_nothing_stays_without_the_guard_and_is_let_go_with_it(seconds: float) -> None:
    parrot = Parrot()
    with served(parrot, limits=ServerLimits(send_seconds=seconds)) as server:
        body = json.loads(chat("word " * 20_000))
        body |= {"stream": True, "max_tokens": 20_000, "logprobs": True}
        content = json.dumps(body).encode()
        with raw(server) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            line.sendall(HEAD + f"content-length: {len(content)}\r\n\r\n".encode() + content)
            if seconds == FOREVER:
                wait_for(lambda: parrot.running == 1)
                time.sleep(1)
                assert parrot.closed == 0
            else:
                wait_for(lambda: parrot.closed == 1)
        wait_for(lambda: server.service.admission.answers == 0)
        assert post(server, chat("fine"))[0] == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_frees_what_it_held(stream: bool) -> None:
    parrot = Parrot(seconds_a_word=0.01)
    with served(parrot) as server:
        body = json.loads(chat("word " * 5000))
        body |= {"stream": stream, "max_tokens": 5000}
        content = json.dumps(body).encode()
        with raw(server) as line:
            line.sendall(HEAD + f"content-length: {len(content)}\r\n\r\n".encode() + content)
            wait_for(lambda: parrot.running == 1)
            if stream:
                assert line.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: parrot.closed == 1)
        wait_for(lambda: server.service.admission.answers == 0)


def test_counters_tell_what_was_taken_on(server: Server) -> None:
    assert post(server, picture(png(30, 20)))[0] == 200
    assert metric(server, "tutti_admitted_pixels_total") == 600
    # Counted behind its last byte, when the client may be back already.
    wait_for(lambda: metric(server, 'tutti_requests_total{route="/v1/chat/completions",status="200"}') == 1)
    assert metric(server, "tutti_time_to_first_token_seconds_count") == 1
    status, _, content = asked(server, "GET", "/metrics")
    assert status == 200
    assert b"tutti_queue_depth 0.0" in content
