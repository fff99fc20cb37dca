"""A browser on the page of `tutti demo`, with a log of what it asks of whom."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

PHONE, DESKTOP = (360, 760), (1280, 900)
SLOW_MS = 45_000
TABS = ("Ask", "Search", "Redact", "Compare", "Evaluate", "Shop", "Radiology", "Moderation")


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
