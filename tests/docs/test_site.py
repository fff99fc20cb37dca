"""The site is built without a warning, holds what it should, and asks nothing of the network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tools import site_pages

ROOT = Path(__file__).parents[2]
CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
OWN = "not an origin"
"""What the browser's log calls the initiator of requests that no page made."""
FETCHING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Tags whose addresses a browser opens by itself, and the attribute that names them."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as by `make site`. Not quietly: that would keep warnings from counting, too."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


class Fetched(HTMLParser):
    """What a browser opens when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in FETCHING and given.get(FETCHING[tag]) and given.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(str(given[FETCHING[tag]]))


def test_every_page_opens_only_files_of_the_site(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        reader = Fetched()
        reader.feed(page.read_text(encoding="utf-8"))
        assert reader.addresses
        for address in reader.addresses:
            if not address.startswith("data:") and page.name != "404.html":
                assert "//" not in address, f"{page.name} opens {address}"
                assert (page.parent / address.partition("?")[0].partition("#")[0]).exists(), f"{page.name}: {address}"


def test_style_sheets_import_nothing(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", text), sheet.name


def test_decisions_commands_and_rooms_are_there(site: Path) -> None:
    decisions = (site / "decisions/index.html").read_text(encoding="utf-8")
    for name, _ in site_pages.decisions():
        assert name.replace(".md", ".html") in decisions
    assert "usage: tutti ask" in (site / "commands.html").read_text(encoding="utf-8")
    for room in site_pages.documented():
        assert (site / f"reference/{room}.html").exists()
    assert 'id="tutti.search.index.Index.search"' in (site / "reference/search.html").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere_fails(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Here\n\n[there](there.md)\n")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    kept = config[config.index("validation:") : config.index("nav:\n  - Start")]
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nstrict: true\ntheme: {{name: null, custom_dir: .}}\n{kept}")
    (tmp_path / "main.html").write_text("{{ page.content }}")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert "there.md" in done.stderr


def asked_of_the_network(address: str, folder: Path) -> tuple[set[str], str]:
    """What a page asked of the network, and what it then looked like. What the browser asks for itself is left out."""
    log = folder / "net.json"
    command = [*CHROMIUM, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000", address]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    given = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    asked = {one["url"] for one in given if "url" in one and one.get("initiator", OWN) != OWN}
    return {url for url in asked if url.startswith(("http:", "https:", "ws:", "wss:"))}, done.stdout


@pytest.mark.browser
def test_what_a_page_asks_is_seen(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<h1>Here</h1><img src="http://elsewhere.example/picture.png">')
    asked, shown = asked_of_the_network(f"file://{tmp_path}/page.html", tmp_path)
    assert asked == {"http://elsewhere.example/picture.png"}
    assert "Here" in shown


@pytest.mark.browser
@pytest.mark.parametrize("page", ["index.html", "guides/searching.html", "reference/search.html", "index.html?q=index"])
def test_a_browser_asks_nothing_of_the_network(page: str, site: Path, tmp_path: Path) -> None:
    asked, shown = asked_of_the_network(f"file://{site}/{page}", tmp_path)
    assert "<h1" in shown
    assert not asked
    if "?q=" in page:  # the search works from a folder, too
        assert re.search(r"[1-9]\d* matching document", shown)
