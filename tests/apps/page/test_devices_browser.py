"""Microphone and camera in the page, as Chromium's fake devices: a recording is heard, and a film is seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PIL import Image as pillow

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[3]
MEDIA = ROOT / "examples" / "media"
SLOW_MS = 90_000
SPEECH_MS = 12_500
"""The recording, which is played again and again, once and a little more."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    words = [sys.executable, "-m", "tutti", "demo", "--port", "0", "--json", "--model", "tutti-mini"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert demo.stdout is not None
    yield json.loads(demo.stdout.readline())["url"]
    demo.send_signal(signal.SIGINT)
    demo.wait(30)
    demo.stdout.close()


@pytest.fixture(scope="module")
def page(playwright_driver: Any, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page in a browser whose microphone says the speech and whose camera sees the dog of the examples."""
    folder = tmp_path_factory.mktemp("devices")
    samples, rate_hz = soundfile.read(MEDIA / "speech.ogg")
    soundfile.write(folder / "speech.wav", samples, rate_hz, subtype="PCM_16")
    with pillow.open(MEDIA / "picture.png") as picture:
        picture.convert("RGB").resize((640, 480)).save(folder / "frame.jpg", quality=95)
    (folder / "film.mjpeg").write_bytes((folder / "frame.jpg").read_bytes() * 30)
    devices = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'speech.wav'}",
        f"--use-file-for-fake-video-capture={folder / 'film.mjpeg'}",
    ]
    browser = playwright_driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", *devices])
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["microphone", "camera"])
    made = context.new_page()
    made.set_default_timeout(SLOW_MS)
    asked: list[str] = []
    made.on("request", lambda request: asked.append(request.url))
    made.goto(address)
    made.locator("#question textarea").wait_for()
    yield made
    browser.close()
    origin = address.removesuffix("/ui")
    assert [url for url in asked if not url.startswith((f"{origin}/", "data:", "blob:"))] == []


def test_what_the_camera_sees_is_asked_about(page: Any) -> None:
    page.get_by_text("Camera", exact=True).click()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_label("capture photo").click()
    page.get_by_role("button", name="Ask about this picture").click()
    page.locator("#question img").first.wait_for()
    page.locator("#question textarea").fill("What animal is this?")
    page.locator("#question textarea").press("Enter")
    page.locator("#chat small").first.wait_for()
    assert "dog" in page.locator("#chat").inner_text().lower()


def test_what_the_microphone_hears_is_asked_about(page: Any) -> None:
    page.get_by_role("button", name="New conversation").click()
    page.locator("#chat small").wait_for(state="detached")
    page.get_by_test_id("microphone-button").click()
    page.get_by_label("Start recording").click()
    page.wait_for_timeout(SPEECH_MS)
    page.get_by_label("Stop recording").click()
    page.wait_for_timeout(2_000)
    page.locator("#question textarea").fill("What is said in the recording?")
    page.locator("#question textarea").press("Enter")
    page.locator("#chat small").first.wait_for()
    assert "country" in page.locator("#chat").inner_text().lower()
    moment = page.locator("#moments button").first  # where it was said, in a player that goes there
    moment.wait_for()
    assert page.locator("#moments audio").count() == 1
    loaded = "one => new Promise(done => one.readyState ? done() : one.onloadeddata = () => done())"
    page.locator("#moments audio").evaluate(loaded)
    moment.click()
    assert page.locator("#moments audio").evaluate("one => !one.paused && one.currentTime >= 0")
