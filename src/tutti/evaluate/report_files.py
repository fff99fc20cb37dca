"""A report on disk: HTML to look at, JSON as the next run's baseline, JUnit for CI, Markdown for people."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from tutti.errors import MissingExtra, writing
from tutti.evaluate.page import as_html
from tutti.evaluate.report import Report, as_dict, as_junit, as_markdown


def look_for_libraries(tracker: str | None) -> None:
    """Look for what the report will need, so that no model is asked in vain.

    Args:
        tracker: The library of a tracker, if the report goes into one.

    Raises:
        MissingExtra: It is not installed.
    """
    if tracker is not None and find_spec(tracker) is None:
        raise MissingExtra(f"Tracking in {tracker}", "track")
    if find_spec("matplotlib") is None:
        raise MissingExtra("Drawing plots", "evaluate")


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.html, report.json, report.md and junit.xml.

    Raises:
        MissingExtra: The library for plots is not installed.
        InputError: It cannot be written there.
    """
    texts = {
        "report.html": as_html(report),
        "report.json": json.dumps(as_dict(report), ensure_ascii=False, indent=1) + "\n",
        "report.md": as_markdown(report),
        "junit.xml": as_junit(report),
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    return [folder / name for name in texts]
