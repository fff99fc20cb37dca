"""Replicas behind one door: who is asked, what a dying one costs, and that nothing is lost or answered twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import EXAMPLES
from tests.serve.load import GOOD, Load
from tutti.serve.admission import ServerLimits
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions
from tutti.serve.replicas.delivery import BrokenStream, Delivery
from tutti.serve.replicas.door import make_door
from tutti.serve.replicas.front import merged, target
from tutti.serve.replicas.processes import Replicas
from tutti.serve.replicas.routing import Pins, affinity, ranked

CHAT = "/v1/chat/completions"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def turns(*words: str, picture: str = "") -> bytes:
    shown = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
    messages: list[dict[str, Any]] = []
    for place, said in enumerate(words):
        content = [*(shown if place == 0 else []), {"type": "text", "text": said}]
        messages.append({"role": "user" if place % 2 == 0 else "assistant", "content": content})
    return json.dumps({"model": "parrot", "messages": messages}).encode()


def test_all_turns_of_a_conversation_have_one_key() -> None:
    first, later = turns("hello"), turns("hello", "hi", "and now?")
    assert affinity(CHAT, first) == affinity(CHAT, later)
    assert affinity(CHAT, first) != affinity(CHAT, turns("good day"))


def test_questions_about_one_picture_have_one_key() -> None:
    assert affinity(CHAT, turns("a?", picture="data:x")) == affinity(CHAT, turns("b?", picture="data:x"))
    assert affinity(CHAT, turns("a?", picture="data:x")) != affinity(CHAT, turns("a?", picture="data:y"))


def test_what_is_no_request_has_a_key_too() -> None:
    for body in (b"", b"[1]", b"\xff\xfe", b'{"messages": 7}', b'{"messages": [7]}', b"--form"):
        assert isinstance(affinity(CHAT, body), str)
    assert affinity("/apps/shop/turns", b"a") == affinity("/apps/shop/forget", b"b")


def test_the_loss_of_a_replica_moves_its_keys_only() -> None:
    keys = [str(number) for number in range(300)]
    before = {key: ranked(key, [0, 1, 2])[0] for key in keys}
    after = {key: ranked(key, [0, 2])[0] for key in keys}
    assert all(after[key] == before[key] for key in keys if before[key] != 1)
    assert min(Counter(before.values()).values()) > 60


def test_responses_are_found_where_they_are_kept() -> None:
    pins = Pins(most=2)
    for number, name in enumerate(("resp_a", "resp_b", "resp_c")):
        pins.note("/v1/responses", f'{{"id": "{name}", "object": "response"}}'.encode(), number)
    assert pins.of("/v1/responses/resp_a", b"") is None, "forgotten"
    assert pins.of("/v1/responses/resp_c", b"") == 2
    assert pins.of("/v1/responses", b'{"previous_response_id": "resp_b"}') == 1
    assert pins.of(CHAT, b'{"previous_response_id": "resp_b"}') is None


def chunks(*texts: str, name: str = "chatcmpl-1") -> list[bytes]:
    def chunk(**choice: Any) -> bytes:
        value = {"id": name, "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
        return f"data: {json.dumps(value)}\n\n".encode()

    said = [chunk(delta={"content": text}, finish_reason=None) for text in texts]
    first = chunk(delta={"role": "assistant", "content": ""}, finish_reason=None)
    return [first, *said, chunk(delta={}, finish_reason="stop"), b"data: [DONE]\n\n"]


async def _pieces(events: list[bytes]) -> AsyncIterator[bytes]:
    for event in events:
        yield event[:7]
        yield event[7:]


def sent_of(*streams: list[bytes]) -> tuple[str, list[str | None], int, set[str]]:
    """Text, reasons and ends that a client gets of streams that follow one another; the earlier ones break off."""
    out: list[bytes] = []

    async def send(message: Any) -> None:
        out.append(message.get("body", b""))

    async def deliver() -> None:
        delivery = Delivery(send)
        for events in streams:
            await delivery.stream(200, {}, _pieces(events))

    asyncio.run(deliver())
    lines = [line.removeprefix("data: ") for line in b"".join(out).decode().split("\n\n") if line]
    values = [json.loads(line) for line in lines if line != "[DONE]"]
    text = "".join(value["choices"][0]["delta"].get("content") or "" for value in values)
    reasons = [value["choices"][0]["finish_reason"] for value in values if value["choices"][0]["finish_reason"]]
    roles = sum("role" in value["choices"][0]["delta"] for value in values)
    assert roles == 1
    return text, reasons, lines.count("[DONE]"), {value["id"] for value in values}


@pytest.mark.parametrize("broken_at", range(8))
def test_a_stream_goes_on_where_it_broke_off(broken_at: int) -> None:
    first = chunks("one", " two", " three", " four", " five")[:broken_at]
    second = chunks("one two", " th", "ree four f", "ive", name="chatcmpl-2")
    text, reasons, ends, names = sent_of(first, second) if first else sent_of(second)
    assert (text, reasons, ends) == ("one two three four five", ["stop"], 1)
    assert len(names) == 1


def test_another_answer_is_no_continuation() -> None:
    with pytest.raises(BrokenStream):
        sent_of(chunks("one", " two")[:3], chunks("one", " three", " four"))


def test_metrics_of_all_have_the_label_of_their_replica() -> None:
    text = '# HELP tutti_requests_total R\n# TYPE tutti_requests_total counter\ntutti_requests_total{route="/a"} 2.0\n'
    out = merged([("front", text), ("0", text)])
    assert out.count("# TYPE") == 1
    assert 'tutti_requests_total{route="/a",replica="front"} 2.0' in out
    assert 'tutti_requests_total{route="/a",replica="0"} 2.0' in out


def test_metrics_keep_letters_of_all_scripts() -> None:
    text = '# HELP tutti_requests_total R\n# TYPE tutti_requests_total counter\ntutti_requests_total{route="/é"} 2.0\n'
    assert 'route="/é"' in merged([("0", text)])


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1/responses/a?b", b"", "/v1/responses/a%3Fb"),
        ("/v1/responses/a#b", b"limit=2", "/v1/responses/a%23b?limit=2"),
        ("@evil.example/", b"", "/%40evil.example/"),
        ("//evil.example/", b"", "/evil.example/"),
        (":9@evil.example/", b"", "/%3A9%40evil.example/"),
    ],
)
def test_no_path_leads_to_another_host(path: str, query: bytes, expected: str) -> None:
    scope = {"type": "http", "path": path, "query_string": query}
    assert target("http://127.0.0.1:1", scope) == f"http://127.0.0.1:1{expected}"


class Running:
    """A door and its replicas."""

    def __init__(self, count: int, words: tuple[str, ...], environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.serve.replica_parrot", *words]
        self.replicas = Replicas(count, command, ENVIRONMENT | environment, drain_seconds=10)
        keys = Keys.read(None, environment.get("TUTTI_API_KEYS"))
        self.server = make_door(self.replicas, ListenOptions(port=0, drain_seconds=10), keys, ServerLimits())
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started and self.thread.is_alive():
            time.sleep(0.01)

    def ask(self, body: bytes | None = None, path: str = CHAT, **headers: str) -> tuple[int, bytes]:
        request = urllib.request.Request(self.server.url + path, body, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def states(self) -> list[str]:
        return [one["state"] for one in json.loads(self.ask(path="/health")[1])["replicas"]]

    def kill(self, number: int) -> None:
        process = self.replicas.all[number].process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)

    def wait(self, condition: Any, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)


@contextlib.contextmanager
def running(count: int = 2, *words: str, **environment: str) -> Iterator[Running]:
    door = Running(count, words, environment)
    try:
        yield door
    finally:
        door.server.should_exit = True
        door.thread.join(40)
        assert not door.thread.is_alive()
        pids = [one.process.pid for one in door.replicas.all if one.process is not None]
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids), "no process is left"


def said(content: bytes) -> str:
    text: str = json.loads(content)["choices"][0]["message"]["content"]
    return text


def streamed(content: bytes) -> str:
    lines = [line.removeprefix("data: ") for line in content.decode().split("\n\n") if line]
    assert lines[-1] == "[DONE]", lines[-1]
    return "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines[:-1])


def test_a_replica_that_is_killed_loses_nothing_and_comes_back() -> None:
    with running(2, "0.02") as door:
        assert door.states() == ["ready", "ready"]
        got: dict[str, list[str]] = {}
        words = [f"question {number} has some words to say again" for number in range(40)]

        def ask(mine: list[str]) -> None:
            for one in mine:
                body = json.loads(turns(one)) | {"stream": int(one.split()[1]) % 2 == 0}
                status, content = door.ask(json.dumps(body).encode())
                assert status == 200, content
                got.setdefault(one, []).append(streamed(content) if body["stream"] else said(content))

        threads = [threading.Thread(target=ask, args=(words[place::8],)) for place in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        door.kill(0)
        time.sleep(0.2)
        door.kill(1)
        for thread in threads:
            thread.join(60)
        assert got == {one: [one] for one in words}, "each is answered once, and whole"
        door.wait(lambda: door.states() == ["ready", "ready"])
        for number in range(16):  # what was answered before is in no count of a process that was killed
            assert door.ask(turns(f"once more, number {number}"))[0] == 200
        status, content = door.ask(path="/metrics")
        assert status == 200
        assert b'tutti_replica_restarts_total{replica="front"} 2.0' in content
        assert b'tutti_requests_total{route="/v1/chat/completions",status="200",replica="1"}' in content


def test_replicas_are_exchanged_while_requests_go_on() -> None:
    with running(2, "0.01") as door:
        before = {one.process.pid for one in door.replicas.all if one.process is not None}
        stop, outcomes = threading.Event(), []

        def ask() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                outcomes.append(door.ask(turns(f"a question {number}"))[0])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        loop_call = door.server.config.app._app.roll
        door.server.servers[0].get_loop().call_soon_threadsafe(loop_call)

        def exchanged() -> bool:
            now = {one.process.pid for one in door.replicas.all if one.process is not None}
            return not now & before and door.states() == ["ready", "ready"]

        door.wait(exchanged)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert set(outcomes) == {200}


def test_what_may_have_been_done_is_not_done_again() -> None:
    with running(1, "0.5") as door:
        asker: list[tuple[int, bytes]] = []
        thread = threading.Thread(target=lambda: asker.append(door.ask(turns("one two three four five"), "/apps/x/y")))
        thread.start()
        thread.join(20)
        assert asker[0][0] == 404, "there is no such application; the route is handed on"
        assert door.ask(turns("a"), origin="http://evil.example")[0] == 403
        door.kill(0)
        assert door.ask(turns("after the loss"))[0] == 200, "it waits for the next one"


def test_keys_are_asked_for_at_the_door_and_behind_it() -> None:
    with running(1, TUTTI_API_KEYS="anna:" + "k" * 32) as door:
        assert door.ask(turns("a"))[0] == 401
        status, content = door.ask(turns("a b"), authorization="Bearer " + "k" * 32)
        assert (status, said(content)) == (200, "a b")
        inside = door.replicas.all[0].url
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(
                urllib.request.Request(inside + CHAT, turns("a"), {"content-type": "application/json"})
            )


@pytest.mark.slow
def test_two_real_replicas_lose_none_of_two_hundred(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tutti", "serve", "--replicas", "2", "--port", "0", "--json", "--max-waiting", "200"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"].removesuffix("/v1")
        load = Load(url, EXAMPLES, 8, process.pid)
        load.warm()
        child = [
            int(word)
            for file in Path(f"/proc/{process.pid}/task").glob("*/children")
            for word in file.read_text().split()
        ]
        timer = threading.Timer(2.0, os.kill, (child[0], signal.SIGKILL))
        timer.start()
        load.run(200)
        process.terminate()
        assert process.wait(60) == 0
    assert load.lost == []
    assert all(status == 200 for (kind, status) in load.outcomes if kind in GOOD), load.outcomes
