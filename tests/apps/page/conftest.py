"""The page of `tutti demo` with the package's own models, and Debian's Chromium; both once for all files here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.search.synthetic_media import picture

ROOT = Path(__file__).parents[3]
FEED = """id,title,price,availability,brand,color,hex,product_type
L1,Velvet lipstick Carmine,14.90 EUR,in_stock,Acme,red,#c81e28,Beauty > Lipsticks
L2,Satin lipstick Peony,24.90 EUR,in_stock,Belle,pink,#f08caa,Beauty > Lipsticks
"""
POLICY = """name = "house rules"
[[category]]
name = "drugs"
definition = "Offers of drugs"
action = "review"
threshold = 0.85
terms = ["heroin"]
[category.signals]
caption = 1.0
words = 1.0
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def address(place: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "tutti", "demo", "--port", "0", "--json"]
    words += ["--index", str(place / "photos.db"), "--feedback", str(place / "kept")]
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


@pytest.fixture(scope="package")
def playwright_driver() -> Iterator[Any]:
    """One for all browsers: a second one beside it would be refused."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright_driver: Any) -> Iterator[Any]:
    made = playwright_driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    yield made
    made.close()
