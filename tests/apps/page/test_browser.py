"""The page as people use it: in a browser, with the package's own models, and with a log of what it asks of whom."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.search.synthetic_media import picture
from tutti.apps.page.examples import DRAWN_EXAMPLES, drawn

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[3]
PHONE, DESKTOP = (360, 760), (1280, 900)
SLOW_MS = 45_000
TABS = ("Ask", "Search", "Redact", "Compare", "Evaluate", "Shop", "Radiology", "Moderation")
FEED = """id,title,price,availability,brand,color,hex,product_type
L1,Velvet lipstick Carmine,14.90 EUR,in_stock,Acme,red,#c81e28,Beauty > Lipsticks
L2,Satin lipstick Peony,24.90 EUR,in_stock,Belle,pink,#f08caa,Beauty > Lipsticks
"""
POLICY = """name = "house rules"
[[category]]
name = "drugs"
definition = "Offers of drugs"
action = "block"
threshold = 0.85
terms = ["heroin"]
[category.signals]
caption = 1.0
words = 1.0
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "media").mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        picture(folder / "media" / f"{colour}.png", colour, seed=number, size=160)
    (folder / "feed.csv").write_text(FEED)
    (folder / "policy.toml").write_text(POLICY)
    case = {"id": "1", "question": "What is this?", "media": ["media/red.png"], "expected": "red"}
    (folder / "suite.jsonl").write_text(json.dumps(case))
    for words in (
        ["index", str(folder / "media"), "--into", str(folder / "photos.db")],
        ["shop", "update", str(folder / "feed.csv"), "--in", str(folder / "shop.db")],
        ["evaluate", str(folder / "suite.jsonl"), "--model", "tutti-mini", "--out", str(folder / "report")],
    ):
        subprocess.run([sys.executable, "-m", "tutti", *words], check=True, capture_output=True, env=ENVIRONMENT)
    return folder


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "tutti", "demo", "--port", "0", "--json"]
    words += ["--index", str(place / "photos.db"), "--feedback", str(place / "verdicts.jsonl")]
    words += ["--report", str(place / "report")]
    where = {"shop": "shop.db", "radiology": "cases", "moderation": "policy.toml"}
    words += [word for name, file in where.items() for word in ("--app", f"{name}={place / file}")]
    words += ["--model", "tutti-mini", "--model", "whisper-base"]
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    assert demo.stdout is not None
    yield json.loads(demo.stdout.readline())["url"]
    began = time.monotonic()
    demo.send_signal(signal.SIGINT)
    demo.wait(30)
    demo.stdout.close()
    assert time.monotonic() - began < 20


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        made = started.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@contextlib.contextmanager
def opened(browser: Any, address: str, size: tuple[int, int], scheme: str = "light") -> Iterator[Any]:
    """The page; at its end, nothing was asked of anybody else, and no script failed."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(SLOW_MS)
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(address)
    page.get_by_role("tab", name="Ask").wait_for()
    yield page
    context.close()
    origin = address.removesuffix("/ui")
    assert [url for url in asked if not url.startswith((f"{origin}/", "data:", "blob:"))] == []
    assert failed == []


def tab(page: Any, name: str) -> None:
    """Open a tab; those for which a phone is too narrow stand in a menu."""
    shown = page.get_by_role("tab", name=name)
    if shown.count() and shown.first.is_visible():
        shown.first.click()
        return
    page.locator(".overflow-menu > button").click()
    page.locator(".overflow-dropdown button", has_text=name).click()


def shot(page: Any, name: str) -> None:
    """A picture of the page, where somebody wants to look at it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_ask_with_a_picture_verify_and_thumb(browser: Any, address: str, place: Path) -> None:
    with opened(browser, address, DESKTOP) as page:
        page.locator("#question input[type=file]").set_input_files(drawn(DRAWN_EXAMPLES[1], place))
        page.get_by_label("Verify the answer").check()
        page.locator("#question textarea").fill("What is written here?")
        page.wait_for_timeout(1500)
        page.locator("#question textarea").press("Enter")
        page.locator("#chat small").wait_for()
        assert "OPEN" in page.locator("#chat").inner_text()
        assert re.search(r"tokens in.* · \d+\.\d s · no cost", page.locator("#chat small").inner_text())
        page.locator("#evidence").get_by_text("OPEN").wait_for()
        assert "supported" in page.locator("#verdicts").inner_text()
        assert str(place) not in page.content()
        page.get_by_role("button", name="Like", exact=True).first.click()
        page.get_by_text("Thank you; it is noted.").first.wait_for()
        shot(page, "ask-desktop")
        page.reload()
        page.locator("#chat small").wait_for()
        assert "OPEN" in page.locator("#chat").inner_text()
    line = json.loads((place / "verdicts.jsonl").read_text().splitlines()[0])
    assert (line["verdict"], line["question"], line["model"]) == ("up", "What is written here?", "tutti-mini")


def test_an_error_is_a_sentence(browser: Any, address: str, place: Path) -> None:
    (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    with opened(browser, address, DESKTOP) as page:
        page.locator("#question input[type=file]").set_input_files(place / "broken.png")
        page.wait_for_timeout(1500)
        page.locator("#question textarea").press("Enter")
        page.get_by_text("⚠").wait_for()
        assert "broken.png" in page.locator("#chat").inner_text()
        assert "tutti-page" not in page.locator("#chat").inner_text()


def test_search_shows_thumbnails_and_the_file(browser: Any, address: str) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Search")
        page.get_by_label("Words").fill("red")
        page.get_by_role("button", name="Search", exact=True).click()
        page.get_by_text("3 found").wait_for()
        page.locator(".thumbnail-item").first.click()
        page.locator(".player img").wait_for()
        assert page.locator(".player img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 160
        shot(page, "search-desktop")
        page.get_by_role("button", name="Ask about the first of these").click()
        page.locator("#question textarea").wait_for()
        assert "in common" in page.locator("#question textarea").input_value()


def test_redact_shows_before_and_after(browser: Any, address: str, place: Path) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Redact")
        page.locator("#redact-file input[type=file]").set_input_files(place / "media" / "red.png")
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Redact", exact=True).click()
        page.locator("#redacted li").first.wait_for()
        page.locator(".player img").wait_for()
        assert page.locator(".player img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 160
        shot(page, "redact-desktop")


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", PHONE), ("light", DESKTOP), ("dark", DESKTOP)])
def test_no_tab_is_wider_than_the_screen(browser: Any, address: str, scheme: str, size: tuple[int, int]) -> None:
    with opened(browser, address, size, scheme) as page:
        for name in TABS:
            tab(page, name)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
            shot(page, f"{name.lower()}-{size[0]}-{scheme}")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core: the file that AXE names, else of npm, which fetches it."""
    if named := os.environ.get("AXE"):
        return Path(named).read_text()
    folder = tmp_path_factory.mktemp("axe")
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "axe-core@4"], cwd=folder, check=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", DESKTOP), ("light", DESKTOP), ("dark", PHONE)])
def test_axe_finds_nothing_serious(browser: Any, address: str, axe: str, scheme: str, size: tuple[int, int]) -> None:
    run = """async () => (await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}))
        .violations.filter(one => ["serious", "critical"].includes(one.impact))
        .flatMap(one => one.nodes.map(node => `${one.id}: ${node.target} ${node.html.slice(0, 160)}`))"""
    found: dict[str, list[str]] = {}
    with opened(browser, address, size, scheme) as page:
        page.evaluate(axe)
        for name in TABS:
            tab(page, name)
            page.wait_for_timeout(500)
            if wrong := page.evaluate(run):
                found[name] = wrong
    assert found == {}
