"""The tab Evaluate: the report of a suite inside the page, as `tutti evaluate` wrote it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from tutti.errors import InputError

REPORT = "report.html"
_MOST_BYTES = 64 * 2**20


def framed_report(reports: Mapping[str, Path], name: str) -> str:
    """A report as a frame in which no script runs and which reaches nothing of the page.

    Args:
        reports: Name → folder of a report.
        name: Which.

    Raises:
        InputError: It is none of the names, or its page cannot be read.
    """
    if name not in reports:
        known = ", ".join(reports) or "none; start the page with --report FOLDER"
        raise InputError(f"There is no report {name!r} here; known are: {known}.")
    file = reports[name] / REPORT
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"The report {name} has more than {_MOST_BYTES // 2**20} MB; open its {REPORT} by itself.")
        page = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"The report {name} cannot be read; make it anew with: tutti evaluate SUITE.") from None
    return (
        f'<iframe class="report" sandbox title="Report {html.escape(name, quote=True)}" '
        f'srcdoc="{html.escape(page, quote=True)}"></iframe>'
    )
