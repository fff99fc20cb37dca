"""A server of this project, as a program of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def serving(model: str, *words: str) -> Iterator[str]:
    """The address of a server of a model, as long as it is needed.

    Args:
        model: A name or a folder.
        words: More options of `tutti serve`.
    """
    command = [sys.executable, "-m", "tutti", "serve", "--model", model, "--port", "0", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"].removesuffix("/v1")
        finally:
            server.terminate()
