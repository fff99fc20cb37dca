"""A fresh `tutti demo` to its first answer in a browser: how long each part of the way takes.

    python -m benchmarks.page_first_answer --runs 3 [--chromium /usr/bin/chromium]

The browser is there before; the server is started for each run, so that the first run reads files that later ones find
in the system's memory (warm). Then the page is opened, an example that comes with it is chosen, and it is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from statistics import median
from typing import Any

from benchmarks.machine import commit, processor, versions


def one_run(browser: Any) -> dict[str, float]:
    """Seconds from the start of the process to the address, from there to the page, and from Enter to the answer."""
    words = [sys.executable, "-m", "tutti", "demo", "--port", "0", "--json", "--model", "tutti-mini"]
    begun = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        assert demo.stdout is not None
        address = json.loads(demo.stdout.readline())["url"]
        ready = time.perf_counter()
        page = browser.new_page()
        page.goto(address)
        page.locator("#question textarea").wait_for()
        shown = time.perf_counter()
        page.get_by_role("button", name="Try: Two shapes").click()
        page.locator("#question img").first.wait_for()
        filled = time.perf_counter()
        page.locator("#question textarea").press("Enter")
        page.locator("#chat small").first.wait_for()
        answered = time.perf_counter()
        page.close()
        demo.send_signal(signal.SIGINT)
    times = {"start_s": ready - begun, "page_s": shown - ready, "example_s": filled - shown}
    times |= {"answer_s": answered - filled, "page_to_answer_s": answered - ready, "all_s": answered - begun}
    return {name: round(one, 2) for name, one in times.items()}


def main() -> None:
    """Measure, and print a line a run and their medians without the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        for _ in range(given.runs):
            rows.append(one_run(browser))
            print(json.dumps(rows[-1]), flush=True)
        browser.close()
    warm = rows[1:] or rows
    medians = {name: median(row[name] for row in warm) for name in warm[0]}
    told = {"commit": commit(), "processor": processor(), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    print(json.dumps({"warm_medians": medians, **told, "versions": versions("gradio", "playwright")}))


if __name__ == "__main__":
    main()
