"""The page as people use it: in a browser, with the package's own models, and with a log of what it asks of whom."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.apps.page.browsing import DESKTOP, PHONE, TABS, opened, shot, tab
from tutti.apps.page.examples import DRAWN_EXAMPLES, drawn
from tutti.evaluate.feedback_store import FeedbackStore

pytestmark = pytest.mark.browser


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
    one = FeedbackStore(place / "kept", "default").all()[0]
    assert (one.verdict, one.question, one.model) == ("good", "What is written here?", "tutti-mini")


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
