"""Open WebUI with its default settings and no network, used in a real browser as a person uses it.

    python -m tests.clients.run open-webui

runs this in a place without a network (`tests.clients.offline`). What it prints are lines of JSON: one a feature, and
one of what was looked for outside. Three servers stand behind it: `tutti-mini` with `--ignore-tools`, `tutti-mini` as
it is, and a stand-in that calls the tool that Open WebUI offers for the time, or with `--published FOLDER` a model.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.clients.offline import entered
from tests.clients.serving import serving
from tests.serve.fake_models import served
from tutti.content import (
    Answer,
    Conversation,
    Event,
    Finished,
    FinishReason,
    SamplingOptions,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

_START_S, _REPLY_MS = 600.0, 240_000
_CLOCK = "get_current_timestamp"
_PICTURE = Path(__file__).parents[2] / "examples/media/picture.png"
_CHROMIUM = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
"""The browser's own look-ups (updates and the like) stay away from the names that Open WebUI looks up."""


class Clock:
    """Calls the tool for the time where it is offered, and then says what that gave."""

    name = "clock"

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """The call, or the words."""
        usage = Usage(prompt_tokens=7, completion_tokens=3)
        said = [part for turn in conversation if turn.role == "tool" for part in turn.parts]
        given = [part.text for part in said if isinstance(part, Text)]
        offered = _CLOCK in {tool.name for tool in options.offered}
        calls = (ToolCall("call_0", _CLOCK, "{}"),) if offered and not given else ()
        text = "" if calls else f"The tool says: {' '.join(given) or 'nothing'}"
        for index, call in enumerate(calls):
            yield ToolCallDelta(index, call.id, call.name)
            yield ToolCallDelta(index, arguments=call.arguments)
        if text:
            yield TextDelta(text)
        reason: FinishReason = "tool_calls" if calls else "stop"
        yield Finished(
            Answer(text=text, model=self.name, finish_reason=reason, usage=usage, seconds=0.0, tool_calls=calls)
        )


class Person:
    """Somebody at a browser.

    Args:
        page: Of playwright.
        address: Of Open WebUI.
    """

    def __init__(self, page: Any, address: str) -> None:
        self._page, self._address = page, address

    def sign_up(self) -> None:
        """Make the first account, which is the administrator's."""
        page = self._page
        page.goto(self._address, wait_until="domcontentloaded")
        page.get_by_role("button", name="Get started").click()
        page.locator("#name").fill("Ada")
        page.locator("#email").fill("ada@example.org")
        page.locator("#password").fill("correct horse battery")
        page.locator("button[type=submit]").click()
        page.locator("#chat-input").wait_for()
        closing = page.get_by_role("button", name="Okay, Let's Go!")
        with contextlib.suppress(Exception):  # shown for new versions only
            closing.click(timeout=20_000)

    def ask(self, model: str, words: str, picture: Path | None = None) -> str:
        """What is answered in a new chat."""
        page = self._page
        page.goto(f"{self._address}/?models={model}", wait_until="domcontentloaded")
        page.locator("#chat-input").wait_for()
        page.get_by_role("button", name=f"Selected model: {model}").wait_for()
        if picture is not None:
            page.locator("input[type=file]").first.set_input_files(picture)
            page.get_by_role("button", name="Remove").or_(page.locator("#message-input-container img")).first.wait_for()
        page.locator("#chat-input").click()
        page.keyboard.type(words)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Regenerate").first.wait_for(timeout=_REPLY_MS)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{model}-{len(words)}.png")
        return str(page.locator(".chat-assistant").last.inner_text()).strip()


def feature(name: str, work: Callable[[], object]) -> None:
    """Say whether it works."""
    try:
        found = work()
        told = "" if found else repr(found)[:160]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        found, told = False, f"{type(error).__name__}: {error}"[:300]
    print(json.dumps({"feature": name, "works": bool(found), "told": told}), flush=True)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@contextlib.contextmanager
def open_webui(python: Path, folder: Path, servers: Mapping[str, str]) -> Iterator[str]:
    """The address of Open WebUI. All that is set is where the servers are; everything else is its default.

    Raises:
        TimeoutError: It does not start.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {
        "OPENAI_API_BASE_URLS": ";".join(f"{url}/v1" for url in servers.values()),
        "OPENAI_API_KEYS": ";".join("none" for _ in servers),
    }
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATA_DIR": str(folder / "data"), **settings}
    words = [str(python.with_name("open-webui")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "open-webui.log").open("wb") as log:
        program = subprocess.Popen(words, env=given, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + _START_S
            while not _answers(f"{address}/health"):
                if program.poll() is not None or time.monotonic() > end:
                    raise TimeoutError((folder / "open-webui.log").read_text(errors="replace")[-300:])
                time.sleep(1)
            yield address
        finally:
            program.terminate()
            program.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def browsing(address: str, asked: set[str]) -> Iterator[Person]:
    """Somebody at a fresh browser; the addresses that its pages ask for elsewhere are kept."""
    from playwright.sync_api import sync_playwright

    def note(request: Any) -> None:
        if not request.url.startswith((address, "data:", "blob:", address.replace("http", "ws"))):
            asked.add(request.url.partition("?")[0][:120])

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=list(_CHROMIUM))
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.on("request", note)
        yield Person(page, address)
        browser.close()


def main() -> None:
    """Use it, and print what was seen."""
    parser = argparse.ArgumentParser(description="Use Open WebUI in a browser, where there is no network.")
    parser.add_argument("python", type=Path, help="of the environment with Open WebUI")
    parser.add_argument("folder", type=Path, help="where it keeps what it writes")
    parser.add_argument("--published", help="a model that uses tools, asked instead of a stand-in that calls one")
    arguments = parser.parse_args()
    asked: set[str] = set()
    with entered(arguments.folder) as names, contextlib.ExitStack() as stack:
        servers = {
            "tutti-mini": stack.enter_context(serving("tutti-mini", "--ignore-tools")),
            "strict": stack.enter_context(serving("tutti-mini", "--name", "strict")),
        }
        caller = "published" if arguments.published else "clock"
        if arguments.published:
            servers[caller] = stack.enter_context(serving(arguments.published, "--name", caller, "--quantize", "int8"))
        else:
            servers[caller] = stack.enter_context(served(Clock())).url
        address = stack.enter_context(open_webui(arguments.python, arguments.folder, servers))
        person = stack.enter_context(browsing(address, asked))
        feature("signing up", lambda: person.sign_up() or True)
        feature("chat", lambda: person.ask("tutti-mini", "What is a dog?"))
        feature("picture", lambda: person.ask("tutti-mini", "What animal is this?", _PICTURE))
        feature("tools", lambda: str(time.gmtime().tm_year) in person.ask(caller, "What time is it now? Use the tool."))
        strict = "without --ignore-tools the page says to give it"
        feature(strict, lambda: "--ignore-tools" in person.ask("strict", "What is a cat?"))
        print(json.dumps({"fetched": {"names": dict(sorted(names.items())), "pages": sorted(asked)}}), flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
