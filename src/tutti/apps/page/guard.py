"""What stands before Gradio's routes: a list of those that are open, files of the page's folder only, no addresses.

Gradio has routes to fetch addresses, to read files and to be developed with; a page of Tutti needs few of them. Gradio
looks at paths itself; this is a second look, of which the tests show that it holds where the first is left open.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

API = "/gradio_api"
_GET = ("/assets/", "/static/", f"{API}/file=", f"{API}/file/", f"{API}/heartbeat/")
_GET_ALONE = frozenset(
    {"", "/", "/config", "/theme.css", "/manifest.json", "/favicon.ico"}
    | {f"{API}/{name}" for name in ("info", "startup-events", "queue/data", "upload_progress", "app_id", "theme.css")}
)
_POST = frozenset(f"{API}/{name}" for name in ("queue/join", "upload", "cancel", "reset"))
_FILE = (f"{API}/file=", f"{API}/file/")

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""What a browser may load for the page: nothing from elsewhere."""


def is_open(method: str, path: str, folder: Path) -> bool:
    """Whether a request may reach Gradio.

    Args:
        method: Of HTTP.
        path: Below the page's own, as the server has decoded it.
        folder: The only one that files are read from.
    """
    if method == "POST":
        return path.rstrip("/") in _POST
    if method not in {"GET", "HEAD"}:
        return False
    for prefix in _FILE:
        if path.startswith(prefix):
            return is_within(path[len(prefix) :], folder)
    return path in _GET_ALONE or path.startswith(_GET)


def is_within(path: str, folder: Path) -> bool:
    """Whether a path leads into a folder, whichever way it is written.

    Links are followed, and escapes undone until none is left: whoever reads it next may undo them once more.
    """
    while (plain := unquote(path)) != path:
        path = plain
    if "\0" in path or "://" in path:
        return False
    try:
        return Path(path).is_absolute() and Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # too long, or a circle of links
        return False


def names_foreign_file(body: bytes, folder: Path) -> bool:
    """Whether the JSON of an event names a file outside the folder, or an address, where Gradio expects a file."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return True  # Gradio would refuse it too, after a look
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            path = one.get("path")
            if isinstance(path, str) and path and not is_within(path, folder):
                return True
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return False
