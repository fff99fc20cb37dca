"""Who may ask: deny by default, checked along the route table; the loopback rule; what the log may not hold."""

from __future__ import annotations

import http.client
import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIWebSocketRoute

from tests.serve.fake_models import Parrot, served
from tutti.cli.main import main
from tutti.errors import InputError
from tutti.media import InProcess, Limits
from tutti.serve.admission import ServerLimits
from tutti.serve.app import create_app
from tutti.serve.gate import PUBLIC, SOCKET
from tutti.serve.keys import Keys, digest, new_key
from tutti.serve.lifecycle import ListenOptions, Server, check_exposure
from tutti.serve.media_parts import MediaOpener
from tutti.serve.service import Service

KEY = "tutti-" + "k" * 40
KEYS = Keys({digest(KEY): "alice", digest("tutti-" + "b" * 40): "bob"})


def asked(
    server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    host = server.url.removeprefix("http://")
    line = http.client.HTTPConnection(host, timeout=60)
    try:
        line.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        answer = line.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        line.close()


def chat(words: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": words}]}).encode()


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with served(Parrot(), keys=KEYS) as server:
        yield server


def walked(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Every method and path; a kind of route that this does not know fails rather than hides."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from walked(route.original_router.routes)
        elif isinstance(route, APIWebSocketRoute):
            assert route.path == SOCKET  # the gate lets this one alone through: see test_realtime
        else:
            for method in route.methods:
                yield method, route.path.replace("{name:path}", "a/b")


def routes() -> list[tuple[str, str]]:
    """The route table of the application."""
    service = Service(Parrot(), "parrot", ServerLimits(), MediaOpener(InProcess(Limits())))
    app = create_app(service, KEYS)
    service.close()
    return sorted({*walked(app.routes)})


def test_the_table_is_whole() -> None:
    paths = {path for _, path in routes()}
    assert {"/v1/chat/completions", "/v1/embeddings", "/v1/audio/transcriptions", "/v1/models", "/metrics"} <= paths
    assert {"/v1/completions", "/v1/responses", "/v1/responses/{response_id}", "/v1/audio/translations"} <= paths
    assert {"/v1/messages", "/v1/messages/count_tokens"} <= paths
    assert {path for path in paths if path in PUBLIC} == PUBLIC
    assert {"/", "/home.js", "/health", "/openapi.json", "/docs", "/docs/page.css", "/docs/page.js"} == PUBLIC


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_needs_a_key_unless_it_is_on_the_list(locked: Server, method: str, path: str) -> None:
    public = path in PUBLIC and method in ("GET", "HEAD")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}):
        status, _, content = asked(locked, method, path, b"{}" if method == "POST" else None, headers)
        assert (status == 200) if public else (status == 401), (headers, content)
    status, _, _ = asked(locked, method, path, b"{}" if method == "POST" else None, {"authorization": f"Bearer {KEY}"})
    assert status != 401


@pytest.mark.parametrize(
    "path", ["/home", "/nothing", "/v1", "/health/", "/docs/../metrics", "//metrics", "/docs/page.css/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_what_does_not_exist_needs_a_key_too(locked: Server, method: str, path: str) -> None:
    status, _, content = asked(locked, method, path)
    assert status == 401
    assert json.loads(content)["error"]["code"] == "invalid_api_key"


def test_a_public_path_is_for_reading_only(locked: Server) -> None:
    assert asked(locked, "POST", "/health", b"{}")[0] == 401


def test_a_key_is_its_tenants(locked: Server) -> None:
    status, headers, content = asked(
        locked, "POST", "/v1/chat/completions", chat("hi"), {"authorization": f"Bearer {KEY}"}
    )
    assert (status, json.loads(content)["choices"][0]["message"]["content"]) == (200, "hi")
    assert headers["x-request-id"].startswith("req-")
    model = locked.service.model
    assert isinstance(model, Parrot)
    assert model.asked[-1][1].tenant == "alice"


def test_a_body_that_is_sent_as_a_form_is_told_of_its_header(server: Server) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl -d sends
    status, _, content = asked(server, "POST", "/v1/chat/completions", chat("hi"), form)
    assert (status, json.loads(content)["error"]["message"]) == (
        400,
        "The body is no JSON object; expected one, with the header content-type: application/json.",
    )


def test_keys_are_read_from_a_file_of_digests_and_from_the_environment(tmp_path: Path) -> None:
    key, line = new_key("carol")
    assert key not in line
    (tmp_path / "keys").write_text(f"# who\n{line}  # since today\n\n")
    keys = Keys.read(tmp_path / "keys", f"dave:{'d' * 20},erin:{'e' * 20}")
    assert [keys.tenant(f"Bearer {one}") for one in (key, "d" * 20, "e" * 20, "f" * 20)] == [
        "carol",
        "dave",
        "erin",
        None,
    ]
    assert len({new_key("x")[0] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("content", "listed", "expected"),
    [
        ("alice secret", None, "Line 1 of .* is not a tenant and the SHA-256 of a key"),
        ("# nothing", None, "holds no key"),
        (None, "alice", "not of the form TENANT:KEY"),
        (None, "alice:short", "20 characters or more"),
        (None, "a b:" + "x" * 20, "not of the form"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: str | None, listed: str | None, expected: str) -> None:
    path = None
    if content is not None:
        path = tmp_path / "keys"
        path.write_text(content)
    with pytest.raises(InputError, match=expected):
        Keys.read(path, listed)


def test_binding_elsewhere_without_a_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.com"):
        with pytest.raises(InputError, match="there are no keys"):
            check_exposure(ListenOptions(host=host), Keys({}))
        check_exposure(ListenOptions(host=host), KEYS)
    for host in ("127.0.0.1", "localhost", "::1"):
        check_exposure(ListenOptions(host=host), Keys({}))
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "--keys FILE" in capsys.readouterr().err


def test_the_command_makes_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--new-key", "alice", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["line"] == f"alice {digest(made['key'])}"
    assert main(["serve", "--new-key", "a b"]) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_without_keys_no_page_from_elsewhere_may_ask(server: Server, headers: dict[str, str]) -> None:
    """A browser on this machine, sent here by a page of another site, or by a name that was bound anew to 127.0.0.1."""
    status, _, content = asked(server, "POST", "/v1/chat/completions", chat("hi"), headers)
    assert (status, json.loads(content)["error"]["code"]) == (403, "foreign_origin")


def test_without_keys_programs_and_the_own_page_may_ask(server: Server) -> None:
    own = server.url.removeprefix("http://")
    for headers in ({}, {"origin": f"http://{own}"}, {"host": f"localhost:{own.rpartition(':')[2]}"}):
        assert asked(server, "POST", "/v1/chat/completions", chat("hi"), headers)[0] == 200


def test_the_log_tells_what_happened_and_nothing_of_the_content(capfd: pytest.CaptureFixture[str]) -> None:
    from tutti.serve import logs

    root = logging.getLogger()
    before = [*root.handlers]
    for _ in range(2):  # a second time changes nothing: no line comes twice
        logs.configure()
    parrot = Parrot()
    with served(parrot, keys=KEYS) as server:
        headers = {"authorization": f"Bearer {KEY}"}
        asked(server, "POST", "/v1/chat/completions", chat("the secret word"), headers)
        asked(server, "POST", "/v1/chat/completions", b'{"messages": "secret"}', headers)
        asked(server, "GET", "/v1/secret-path?secret=1", None, headers)
        form = {"content-type": "multipart/form-data; boundary=x", **headers}
        asked(server, "POST", "/v1/audio/transcriptions", b"--x\rsecret", form)
        parrot.error = ZeroDivisionError("the secret word")
        asked(server, "POST", "/v1/chat/completions", chat("the secret word"), headers)
    root.handlers[:] = before
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 400, 404, 400, 500]
    assert "python_multipart.multipart" in {line.get("logger") for line in lines}, "and it tells where, but not of what"
    first = next(line for line in lines if line["event"] == "request")
    assert first.items() >= {"tenant": "alice", "route": "/v1/chat/completions", "completion_tokens": 3}.items()
    bug = next(line for line in lines if line["event"] == "bug")
    assert bug["error"] == "ZeroDivisionError"
    assert any("fake_models.py" in frame for frame in bug["frames"])
    assert not re.search("secret|" + KEY, json.dumps(lines))
