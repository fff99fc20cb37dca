"""Pages from elsewhere, other names of this machine, and other names of the model."""

from __future__ import annotations

import json

import pytest

from tests.serve.fake_models import Parrot, Stenographer, served
from tests.serve.test_gate import KEY, KEYS, asked, chat
from tutti.cli.main import main
from tutti.errors import InputError
from tutti.serve.access import Access
from tutti.serve.lifecycle import ServerOptions

CHAT, PAGE = "/v1/chat/completions", "https://chat.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


def offer(*origins: str, hosts: tuple[str, ...] = ()) -> ServerOptions:
    return ServerOptions(access=Access(origins=frozenset(origins), hosts=frozenset(hosts)))


def test_a_browser_may_ask_beforehand_without_a_key_where_its_page_is_allowed() -> None:
    with served(Parrot(), keys=KEYS, offer=offer(PAGE)) as server:
        for path in (CHAT, "/nothing"):
            status, headers, content = asked(server, "OPTIONS", path, None, {"origin": PAGE, **PREFLIGHT})
            assert (status, content) == (204, b"")
            assert headers["access-control-allow-origin"] == PAGE
            assert "POST" in headers["access-control-allow-methods"]
            assert headers["access-control-allow-headers"] == "authorization, content-type"
        status, headers, _ = asked(server, "POST", CHAT, chat("hi"), {"origin": PAGE, "authorization": f"Bearer {KEY}"})
        assert (status, headers["access-control-allow-origin"], headers["vary"]) == (200, PAGE, "origin")
        assert "x-request-id" in headers["access-control-expose-headers"]
        # An error is told to the page as well, and a preflight opens nothing: the request behind it needs its key.
        status, headers, _ = asked(server, "POST", CHAT, chat("hi"), {"origin": PAGE})
        assert (status, headers["access-control-allow-origin"]) == (401, PAGE)
        status, headers, content = asked(server, "OPTIONS", CHAT, None, {"origin": "https://evil.example", **PREFLIGHT})
        assert (status, json.loads(content)["error"]["code"]) == (403, "foreign_origin")
        assert "access-control-allow-origin" not in headers
        assert asked(server, "OPTIONS", CHAT, None, {"origin": PAGE})[0] == 401, "which is no preflight"


def test_without_keys_an_allowed_page_and_an_allowed_name_may_ask() -> None:
    with served(Parrot(), offer=offer(PAGE, hosts=("host.docker.internal",))) as server:
        port = server.url.rpartition(":")[2]
        for headers, expected in (
            ({"origin": PAGE}, 200),
            ({"origin": "https://evil.example"}, 403),
            ({"host": f"host.docker.internal:{port}"}, 200),
            ({"host": f"evil.internal:{port}"}, 403),
            ({"host": f"host.docker.internal.evil.example:{port}"}, 403),
            ({"host": f"host.docker.internal:{port}", "origin": f"http://host.docker.internal:{port}"}, 200),
        ):
            assert asked(server, "POST", CHAT, chat("hi"), headers)[0] == expected, headers


def test_every_page_may_ask_only_with_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Parrot(), keys=KEYS, offer=offer("*")) as server:
        assert asked(server, "OPTIONS", CHAT, None, {"origin": "https://any.example", **PREFLIGHT})[0] == 204
    with pytest.raises(InputError, match="every page that a browser"):
        Access(origins=frozenset("*")).check(has_keys=False)
    assert main(["serve", "--allow-origin", "*"]) == 2
    assert main(["serve", "--allow-origin", "chat.example"]) == 2
    assert "is no origin" in capsys.readouterr().err


def test_keys_are_read_from_the_header_of_anthropics_clients_too() -> None:
    with served(Parrot(), keys=KEYS) as server:
        assert asked(server, "POST", CHAT, chat("hi"), {"x-api-key": KEY})[0] == 200
        assert asked(server, "POST", CHAT, chat("hi"), {"x-api-key": "wrong"})[0] == 401
        headers = {"x-api-key": KEY, "authorization": "Bearer wrong"}
        assert asked(server, "POST", CHAT, chat("hi"), headers)[0] == 401


def test_aliases_are_the_model_by_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Parrot(), offer=ServerOptions(aliases=("gpt-4o", "whisper-1"))) as server:
        listed = json.loads(asked(server, "GET", "/v1/models")[2])
        assert [(one["id"], one["root"]) for one in listed["data"]] == [
            ("parrot", "parrot"),
            ("gpt-4o", "parrot"),
            ("whisper-1", "parrot"),
        ]
        assert listed["data"][0]["capabilities"] == ["chat", "embeddings"]
        assert listed["data"][0]["modalities"] == {"input": ["text"], "output": ["text", "embedding"]}
        body = json.loads(chat("hi")) | {"model": "gpt-4o"}
        status, _, content = asked(server, "POST", CHAT, json.dumps(body).encode())
        assert (status, json.loads(content)["model"]) == (200, "parrot")
        assert asked(server, "GET", "/v1/models/gpt-4o")[0] == 200
        assert asked(server, "GET", "/v1/models/gpt-5")[0] == 404


def test_a_model_tells_what_it_takes() -> None:
    import tutti

    with served(tutti.load().provider) as server:
        (model,) = json.loads(asked(server, "GET", "/v1/models")[2])["data"]
    assert model["max_model_len"] > 500
    assert {"text", "image", "audio", "video"} <= {*model["modalities"]["input"]}
    assert model["capabilities"] == ["chat", "embeddings", "transcription"]


def test_what_only_writes_down_takes_sound() -> None:
    with served(Stenographer()) as server:
        (model,) = json.loads(asked(server, "GET", "/v1/models")[2])["data"]
    assert model["modalities"] == {"input": ["audio"], "output": ["text"]}
    assert model["capabilities"] == ["transcription"]
