"""Run clients as they are against `tutti serve`, an environment each, and write docs/clients.md.

    python -m tests.clients.run                 # all, into docs/clients.md
    python -m tests.clients.run openai llm      # some, printed only
    python -m tests.clients.run --found FILE    # all that FILE (JSON lines) has not yet, and the page of all in it

Each client is installed from the package index into a folder of its own, and then run with the server as the only
address it is given. What is written is what was seen: a feature that failed stands with its message.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients.cases import HEAD, PYTHON, Client
from tests.clients.measuring import MEASURING
from tests.clients.node import NODE, NODE_HEAD
from tests.providers.tool_models import made

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
CLIENTS = (*PYTHON, *MEASURING, *NODE)
_MODEL, _TOOLS_MODEL = "tutti-mini", "tools"
_INSTALL_S, _RUN_S = 900, 600


def environment(client: Client, folder: Path) -> Path:
    """What runs programs, of a fresh environment with a client in a folder: its Python, or node.

    Raises:
        subprocess.CalledProcessError: It cannot be installed.
    """
    if client.node:
        words = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), *client.packages]
        python = Path("node")
    else:
        venv.create(folder / "venv", with_pip=False)  # the pip of this environment installs into it, which is quicker
        python = folder / "venv/bin/python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "-q", "install"]
        words = [*pip, "--no-compile", *client.packages]
    subprocess.run(words, check=True, timeout=_INSTALL_S, capture_output=True, text=True)
    return python


def version(client: Client, python: Path, folder: Path) -> str:
    """The version that was installed."""
    if client.node:
        return str(json.loads((folder / f"node_modules/{client.packages[0]}/package.json").read_text())["version"])
    name = client.packages[0].partition("[")[0]
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def run(client: Client, python: Path, urls: Mapping[str, str], folder: Path) -> list[dict[str, Any]]:
    """What a client's features did, with each of the models that the program has features for."""
    models = (_MODEL, _TOOLS_MODEL) if '"tools' in client.program else (_MODEL,)
    return [line for model in models for line in _run(client, python, urls[model], model, folder)]


def _run(client: Client, python: Path, url: str, model: str, folder: Path) -> list[dict[str, Any]]:
    given = {
        "CLIENT_URL": url,
        "CLIENT_MODEL": model,
        "CLIENT_TOOLS_MODEL": _TOOLS_MODEL,
        "CLIENT_PICTURE": str(ROOT / "examples/media/picture.png"),
        "CLIENT_SPEECH": str(ROOT / "examples/media/recording.ogg"),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    program = folder / ("program.mjs" if client.node else "program.py")
    program.write_text((NODE_HEAD if client.node else HEAD) + client.program, encoding="utf-8")
    done = subprocess.run(
        [str(python), str(program)],
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


def seen(client: Client, urls: Mapping[str, str]) -> dict[str, Any]:
    """A client installed and run: its name, version and features."""
    with tempfile.TemporaryDirectory(prefix="client-") as name:
        folder = Path(name)
        try:
            python = environment(client, folder)
            found = {"version": version(client, python, folder), "features": run(client, python, urls, folder)}
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

Programs that nobody here wrote, unmodified, each installed by itself and run against `tutti serve` with `tutti-mini`;
"tools" against a tiny random model of family `qwen2` whose template takes tools. Written by
`python -m tests.clients.run`, which installs from the package indexes; what is not listed was not run.

"""


@contextlib.contextmanager
def serving(model: str) -> Iterator[str]:
    """The address of a server of a model, as long as it is needed."""
    words = [sys.executable, "-m", "tutti", "serve", "--model", model, "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"].removesuffix("/v1")
        finally:
            server.terminate()


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description="Run clients as they are against tutti serve.")
    parser.add_argument("names", nargs="*", help="of clients; all, and the page is written, where none is named")
    parser.add_argument(
        "--found", type=Path, help="JSON lines of what was seen, which are added to; the page is of all"
    )
    arguments = parser.parse_args()
    kept = arguments.found.read_text("utf-8").splitlines() if arguments.found and arguments.found.exists() else []
    found = {line["client"]: line for line in map(json.loads, kept)}
    wanted = arguments.names or [client.name for client in CLIENTS if client.name not in found]
    with tempfile.TemporaryDirectory(prefix="served-") as name, contextlib.ExitStack() as servers:
        forms = {_MODEL: _MODEL, _TOOLS_MODEL: str(made(Path(name, _TOOLS_MODEL), "qwen2"))}
        urls = {model: servers.enter_context(serving(folder)) for model, folder in forms.items()}
        for client in CLIENTS:
            if client.name in wanted:
                found[client.name] = seen(client, urls)
                line = json.dumps(found[client.name])
                print(line, flush=True)
                if arguments.found:
                    with arguments.found.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
    if not arguments.names or arguments.found:
        rows = [found[client.name] for client in CLIENTS if client.name in found]
        PAGE.write_text(f"{HEADING}{table(rows)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
