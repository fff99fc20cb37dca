"""The server's pages in a browser: on a telephone, as wide as its screen and of use there; samples that run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import EXAMPLES
from tests.serve.fake_models import Parrot, Stenographer, served

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


class Everything(Parrot):
    """Answers, embeds and writes down."""

    transcribe = Stenographer.transcribe


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        made = started.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """A page of a telephone; at its end, no script failed."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.set_default_timeout(60_000)
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    yield page
    context.close()
    assert failed == []


_WIDE = """[...document.querySelectorAll("body *")].map((one) =>
    ({ one, here: one.getBoundingClientRect(), around: one.parentElement.getBoundingClientRect() }))
  .filter(({ here, around }) => here.width > 0 && here.right > Math.min(390, around.right) + 1)
  .map(({ one }) => one.outerHTML.slice(0, 120))"""
_SAMPLES = """[...document.querySelectorAll("details.route")].map((one) => {
  const shown = [...one.querySelectorAll("h3")].map((head) => [head.textContent, head.nextElementSibling.textContent]);
  const [method, path] = [".method", "summary code"].map((name) => one.querySelector(name).textContent);
  return { route: `${method} ${path}`, ...Object.fromEntries(shown) };
})"""


def check_width(page: Any, name: str) -> None:
    """Nothing is wider than the screen or than what it is in, and the browser has not zoomed out to make it fit."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=page.evaluate("document.body.scrollHeight") < 8000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("window.visualViewport.width") == pytest.approx(390, abs=1)
    assert page.evaluate(_WIDE) == []


def test_the_page_to_ask_fits_a_telephone_and_answers(phone: Any) -> None:
    with served(Parrot()) as server:
        phone.goto(server.url)
        phone.get_by_label("Question").fill("look here")
        phone.get_by_label("Pictures").set_input_files(EXAMPLES / "picture.png")
        phone.get_by_role("button", name="Ask", exact=True).tap()
        phone.locator("#notes", has_text="written").wait_for()
        assert phone.locator("#answer").inner_text() == "look here [image]"
        check_width(phone, "ask")


def test_the_page_of_routes_fits_a_telephone_with_everything_open(phone: Any) -> None:
    with served(Parrot()) as server:
        phone.goto(f"{server.url}/docs")
        phone.locator("details.route").first.wait_for()
        check_width(phone, "docs")
        phone.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        check_width(phone, "docs_open")


def test_a_request_is_tried_on_a_telephone_with_a_file_of_it(phone: Any) -> None:
    with served(Parrot()) as server:
        phone.goto(f"{server.url}/docs")
        route = phone.locator("details.route").first
        route.get_by_label("A file to send").set_input_files(EXAMPLES / "recording.ogg")
        body = route.get_by_label("Body of a request")
        phone.wait_for_timeout(300)
        assert "recording.ogg" in body.input_value()
        route.get_by_role("button", name="Send", exact=True).tap()
        answer = route.locator(".try pre")
        answer.get_by_text("[audio]").wait_for()
        assert answer.inner_text().startswith("200")
        check_width(phone, "docs_tried")


def test_a_server_that_only_transcribes_opens_on_that(phone: Any) -> None:
    with served(Stenographer()) as server:
        phone.goto(server.url)
        phone.get_by_role("button", name="Write down").wait_for()
        assert not phone.get_by_label("Question").is_visible()
        phone.get_by_label("A recording").set_input_files(EXAMPLES / "recording.ogg")
        phone.get_by_role("button", name="Write down").tap()
        phone.locator("#notes", has_text="s of").wait_for()
        assert phone.locator("#answer").inner_text().splitlines()[0] == "0.00  good"
        check_width(phone, "write_down")
        phone.goto(f"{server.url}/docs")
        phone.locator("details.route").first.wait_for()
        opened = phone.locator("details.route[open]")
        assert opened.locator("summary code").first.inner_text() == "/v1/audio/transcriptions"
        opened.get_by_label("Recording").set_input_files(EXAMPLES / "recording.ogg")
        opened.get_by_label("Form of the answer").select_option("srt")
        opened.get_by_role("button", name="Send", exact=True).tap()
        opened.locator(".try pre", has_text="-->").wait_for()
        check_width(phone, "docs_written_down")


def test_every_route_has_a_sample_for_curl_and_one_in_python_and_they_run(phone: Any, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "recording.ogg", tmp_path / "speech.wav")
    with served(Everything()) as server:
        phone.goto(f"{server.url}/docs")
        phone.locator("details.route").first.wait_for()
        found = phone.evaluate(_SAMPLES)
        assert {f"{method.upper()} {path}" for path, methods in server_routes(server.url) for method in methods} == {
            one["route"] for one in found
        }
        needs_more = {one["route"] for one in found if "{response_id}" in one["route"] or "feedback" in one["route"]}
        assert len(needs_more) == 4, "of an id that a reader has, or of a server that keeps feedback"
        for one in found:
            told = subprocess.run(["sh", "-c", one["curl"]], cwd=tmp_path, capture_output=True, text=True, check=True)
            if one["route"] != "GET /metrics":
                assert (json.loads(told.stdout).get("error") is not None) is (one["route"] in needs_more), (
                    one["curl"],
                    told.stdout,
                )
        texts = {one["route"]: one["Python"] for one in found if one["route"] not in needs_more}
        program = f"for name, text in {texts!r}.items():\n    print('sample:', name)\n    exec(text, {{}})\n"
        told = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-200:] + told.stderr[-2000:]
    assert told.stdout.count("sample: ") == len(texts)
    assert "What is a dog?" in told.stdout
    assert "good day" in told.stdout


def server_routes(url: str) -> list[tuple[str, list[str]]]:
    """Paths with their methods, of the server's own description."""
    told = subprocess.run(["curl", "-s", f"{url}/openapi.json"], capture_output=True, check=True)
    return [(path, list(methods)) for path, methods in json.loads(told.stdout)["paths"].items()]
