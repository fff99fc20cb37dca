"""What the page's routes let through: attacks on Gradio's files, addresses and keys, with the guard and without."""

from __future__ import annotations

import base64
import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.apps.page import guard
from tutti.apps.page.options import PageOptions
from tutti.apps.page.page import DemoPage
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.model import Model
from tutti.serve.admission import ServerLimits
from tutti.serve.lifecycle import Server, ServerOptions

SECRET = b"not for the page"


def page_of(**options: Any) -> DemoPage:
    return DemoPage(PageOptions(models=["parrot"], **options), lambda name: Model(Parrot()))


@pytest.fixture(scope="module")
def page() -> Iterator[DemoPage]:
    made = page_of()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(page: DemoPage) -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Gradio's own parts
        with served(Parrot(), offer=ServerOptions(page=page)) as one:
            assert asked(one, "GET", "/ui/")[0] == 200
            yield one


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    path.write_bytes(SECRET)
    return path


def ways_to(secret: Path, folder: Path) -> list[str]:
    """A file outside the page's folder, as attackers write it."""
    up = "/".join([".."] * len(folder.parts))
    (folder / "inside").mkdir(exist_ok=True)
    link = folder / "inside" / "link.txt"
    if not link.is_symlink():
        link.symlink_to(secret)
    written = [str(secret), f"{folder}/{up}{secret}", f"{folder}/inside/../../..{secret}", str(link), f"/{secret}"]
    escaped = [quote(one, safe="") for one in written]
    return [*written, *map(quote, written), *escaped, *map(quote, escaped)]


def test_files_of_the_page_are_sent_and_no_others(server: Server, page: DemoPage, secret: Path) -> None:
    (page.folder / "inside").mkdir(exist_ok=True)
    own = page.folder / "inside" / "own.txt"
    own.write_bytes(b"own")
    assert asked(server, "GET", f"/ui/gradio_api/file={own}")[::2] == (200, b"own")
    for route in ("file=", "file/"):
        for way in ways_to(secret, page.folder):
            status, _, content = asked(server, "GET", f"/ui/gradio_api/{route}{way}")
            assert status in {403, 404}, way
            assert SECRET not in content


def test_without_the_guard_the_same_would_be_sent(
    server: Server, page: DemoPage, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page._inner.get_blocks(), "allowed_paths", [str(secret.parent)])
    address = f"/ui/gradio_api/file={secret}"
    assert asked(server, "GET", address)[0] == 404
    with monkeypatch.context() as off:
        off.setattr(guard, "is_within", lambda *_: True)
        assert asked(server, "GET", address)[::2] == (200, SECRET)
    monkeypatch.setattr(page._inner.get_blocks(), "allowed_paths", [])
    monkeypatch.setattr(guard, "is_within", lambda *_: True)
    assert asked(server, "GET", address)[0] == 403  # Gradio's own look


def event(path: str, **more: Any) -> bytes:
    file = {"path": path, "meta": {"_type": "gradio.FileData"}, **more}
    return json.dumps({"data": [{"text": "x", "files": [file]}], "fn_index": 0, "session_hash": "a"}).encode()


@pytest.mark.parametrize("route", ["queue/join", "queue/join/"])
def test_an_event_names_no_file_from_elsewhere_and_no_address(
    server: Server, page: DemoPage, secret: Path, route: str
) -> None:
    for path in [*ways_to(secret, page.folder), "http://169.254.169.254/latest", "https://e.example/a.png"]:
        assert asked(server, "POST", f"/ui/gradio_api/{route}", event(path))[0] == 403, path
    assert asked(server, "POST", f"/ui/gradio_api/{route}", b"[" * 100_000)[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/proxy=http://127.0.0.1:1/"),
        ("GET", "/file=http://127.0.0.1:1/"),
        ("GET", "/file=https://e.example/a.png"),
        ("POST", "/component_server"),
        ("POST", "/run/predict"),
        ("POST", "/call/answer"),
        ("POST", "/process_recording"),
        ("POST", "/vibe-edit"),
        ("GET", "/vibe-code"),
        ("GET", "/deep_link"),
        ("GET", "/runs"),
        ("DELETE", "/queue/join"),
    ],
)
def test_routes_that_the_page_does_not_need_are_closed(server: Server, method: str, path: str) -> None:
    assert asked(server, method, f"/ui/gradio_api{path}")[::2] == (404, b"There is no such route of the page.")


@pytest.mark.parametrize("path", ["/monitoring", "/login", "/token", "/svelte/x.js", "/custom_component/a/b/c/d"])
def test_nor_others(server: Server, path: str) -> None:
    assert asked(server, "GET", f"/ui{path}")[0] == 404


def test_the_page_may_load_nothing_from_elsewhere(server: Server) -> None:
    _, headers, content = asked(server, "GET", "/ui/")
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert b"fonts.googleapis" not in content
    assert b"cdnjs" not in content
    style = asked(server, "GET", "/ui/theme.css")[2]
    assert not re.search(rb"@import|url\([\"']?(?:https?:)?//", style)


def test_pages_from_elsewhere_are_refused(server: Server) -> None:
    for headers in ({"origin": "http://e.example"}, {"host": "e.example"}):
        assert asked(server, "GET", "/ui/config", headers=headers)[0] == 403


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"me:{key}".encode()).decode()}


def test_with_keys_a_browser_is_asked_for_one() -> None:
    page = page_of()
    with served(Parrot(), keys=KEYS, offer=ServerOptions(page=page)) as server:
        for given in ({}, basic("tutti-wrong"), {"authorization": "Basic é".encode().decode("latin-1")}):
            status, headers, _ = asked(server, "GET", "/ui/", headers=given)
            assert status == 401
            assert headers["www-authenticate"].startswith("Basic ")
        # A closed route, so that Gradio need not be drawn: the gate let it pass.
        assert asked(server, "GET", "/ui/monitoring", headers=basic(KEY))[0] == 404
        assert asked(server, "GET", "/ui/monitoring", headers={"authorization": f"Bearer {KEY}"})[0] == 404
        host = server.url.removeprefix("http://")
        for more, wanted in (
            ({"origin": f"http://{host}"}, 404),
            ({"origin": "http://e.example"}, 403),
            ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
            ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 404),
        ):
            assert asked(server, "GET", "/ui/monitoring", headers={**basic(KEY), **more})[0] == wanted, more
        # Elsewhere a password is no key, and nobody is asked for one.
        status, headers, _ = asked(server, "GET", "/v1/models", headers=basic(KEY))
        assert status == 401
        assert "www-authenticate" not in headers


def test_uploads_are_as_large_as_requests() -> None:
    page = page_of()
    with served(Parrot(), limits=ServerLimits(max_body_bytes=1000), offer=ServerOptions(page=page)) as server:
        assert asked(server, "POST", "/ui/gradio_api/upload", bytes(2000))[0] == 413


def test_an_answer_of_the_page_takes_the_place_of_one() -> None:
    page = page_of()
    limits = ServerLimits(max_running=1, max_waiting=1)
    with served(Parrot(), limits=limits, offer=ServerOptions(page=page)) as server:
        admission = server.service.admission
        with page._reserve(), page._reserve():
            assert admission.answers == 2
            with pytest.raises(CapacityError, match="at work on 1 answers"), page._reserve():
                pass
        assert admission.answers == 0


def test_the_folder_is_private_and_goes_with_the_server() -> None:
    page = page_of()
    assert page.folder.stat().st_mode & 0o077 == 0
    with served(Parrot(), offer=ServerOptions(page=page)):
        (page.folder / "a.png").write_bytes(b"x")
    assert not page.folder.exists()


def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="0 s"):
        page_of(keep_s=0.0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"tutti\[ui\]"):
        page_of()


def test_a_path_is_within_or_not(tmp_path: Path) -> None:
    assert guard.is_within(str(tmp_path / "a b.png"), tmp_path)
    for path in ("a.png", f"{tmp_path}/../a", "/" + "a" * 5000, f"{tmp_path}/a\0b", "", os.fspath(tmp_path.parent)):
        assert not guard.is_within(path, tmp_path), path
