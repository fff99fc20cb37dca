"""Run clients as they are against `tutti serve`, an environment each, and write docs/clients.md.

    python -m tests.clients.run                 # all, into docs/clients.md
    python -m tests.clients.run openai llm      # some, printed only

Each client is installed from the package index into a folder of its own, and then run with the server as the only
address it is given. What is written is what was seen: a feature that failed stands with its message.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients.cases import CLIENTS, HEAD, Client

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
_MODEL = "tutti-mini"
_INSTALL_S, _RUN_S = 900, 600


def environment(client: Client, folder: Path) -> Path:
    """The Python of a fresh environment with a client.

    Raises:
        subprocess.CalledProcessError: It cannot be installed.
    """
    venv.create(folder, with_pip=False)  # the pip of this environment installs into it, which is quicker
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "-q", "install"]
    words = [*pip, "--no-compile", *client.packages]
    subprocess.run(words, check=True, timeout=_INSTALL_S, capture_output=True, text=True)
    return python


def version(client: Client, python: Path) -> str:
    """The version that was installed."""
    name = client.packages[0].partition("[")[0]
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def run(client: Client, python: Path, url: str, folder: Path) -> list[dict[str, Any]]:
    """What a client's features did."""
    given = {
        "CLIENT_URL": url,
        "CLIENT_MODEL": _MODEL,
        "CLIENT_PICTURE": str(ROOT / "examples/media/picture.png"),
        "CLIENT_SPEECH": str(ROOT / "examples/media/recording.ogg"),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [str(python), "-c", HEAD + client.program],
        env=given,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"feature"')]
    if done.returncode:
        told = done.stderr.strip().splitlines()[-1:] or ["no message"]
        lines.append({"feature": "the program", "works": False, "told": told[0][:300]})
    return lines


def seen(client: Client, url: str) -> dict[str, Any]:
    """A client installed and run: its name, version and features."""
    with tempfile.TemporaryDirectory(prefix="client-") as name:
        folder = Path(name)
        try:
            python = environment(client, folder / "venv")
            found = {"version": version(client, python), "features": run(client, python, url, folder)}
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            told = str(error.stderr or error).strip().splitlines()[-1][:300]
            found = {"version": "", "features": [{"feature": "installing", "works": False, "told": told}]}
    return {"client": client.name, **found}


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """The page."""
    lines = ["| client | version | works | does not |", "| --- | --- | --- | --- |"]
    for one in found:
        works = ", ".join(feature["feature"] for feature in one["features"] if feature["works"])
        told = "; ".join(f"{line['feature']}: {_cell(line['told'])}" for line in one["features"] if not line["works"])
        lines.append(f"| {one['client']} | {one['version']} | {works} | {told} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


HEADING = """# Clients

Programs that nobody here wrote, unmodified, each installed by itself and run against `tutti serve` with `tutti-mini`.
Written by `python -m tests.clients.run`, which installs from the package index; what is not listed was not run.

"""


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description="Run clients as they are against tutti serve.")
    parser.add_argument("names", nargs="*", help="of clients; all, and the page is written, where none is named")
    names = parser.parse_args().names
    chosen = [client for client in CLIENTS if not names or client.name in names]
    words = [sys.executable, "-m", "tutti", "serve", "--port", "0", "--json"]
    found = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"].removesuffix("/v1")
        try:
            for client in chosen:
                found.append(seen(client, url))
                print(json.dumps(found[-1]), flush=True)
        finally:
            server.terminate()
    if not names:
        PAGE.write_text(f"{HEADING}{table(found)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
