"""Run clients as they are against `tutti serve`, an environment each, and write docs/clients.md.

    python -m tests.clients.run                 # all, into docs/clients.md
    python -m tests.clients.run openai llm      # some, printed only
    python -m tests.clients.run --found FILE    # all that FILE (JSON lines) has not yet, and the page of all in it
    python -m tests.clients.run --kept DIR ...  # in environments that are kept in DIR, where there is one of a client

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients.cases import HEAD, PYTHON, Client
from tests.clients.measuring import MEASURING
from tests.clients.node import NODE, NODE_HEAD
from tests.clients.offline import ALONE
from tests.clients.serving import serving
from tests.providers.tool_models import made

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
OPEN_WEBUI = Client("open-webui", ("open-webui", "torch<=2.13.0"), "", module="tests.clients.webui")
CLIENTS = (*PYTHON, *MEASURING, *NODE, OPEN_WEBUI)
_MODEL, _TOOLS_MODEL = "tutti-mini", "tools"
_INSTALL_S, _RUN_S = 1800, 1200


def environment(client: Client, folder: Path) -> Path:
    """What runs programs, of an environment with a client in a folder, made if it is not there: its Python, or node.

    Raises:
        subprocess.CalledProcessError: It cannot be installed.
    """
    if client.node:
        words = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), *client.packages]
        python, made = Path("node"), (folder / "node_modules").exists()
    else:
        python = folder / "venv/bin/python"
        made = python.exists()
        if not made:
            venv.create(folder / "venv", with_pip=False)  # the pip of this environment installs into it: quicker
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "-q", "install"]
        words = [*pip, "--no-compile", *client.packages]
    if not made:
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
    if client.module:
        return _printed([*ALONE, sys.executable, "-m", client.module, str(python), str(folder)], ROOT, dict(os.environ))
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
    return _printed([str(python), str(program)], folder, given)


def _printed(words: Sequence[str], folder: Path, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """The lines of JSON that a program prints, and one more if it fails."""
    done = subprocess.run(words, env=given, cwd=folder, capture_output=True, text=True, timeout=_RUN_S, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(('{"feature"', '{"fetched"'))]
    if done.returncode:
        told = done.stderr.strip().splitlines()[-1:] or ["no message"]
        lines.append({"feature": "the program", "works": False, "told": told[0][:300]})
    return lines


def seen(client: Client, urls: Mapping[str, str], kept: Path | None = None) -> dict[str, Any]:
    """A client installed and run: its name, version and features, and what it looked for outside, if that was kept.

    Args:
        client: Which.
        urls: The addresses of the servers.
        kept: Where environments are kept, each in a folder with its client's name; None makes one for this run.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="client-")))
        home = folder if kept is None else kept / client.name.partition(" ")[0]
        try:
            python = environment(client, home)
            lines = run(client, python, urls, folder if client.module else home)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            told = str(error.stderr or error).strip().splitlines()[-1][:300]
            failed = {"feature": "installing", "works": False, "told": told}
            return {"client": client.name, "version": "", "features": [failed]}
        fetched = {name: value for line in lines for name, value in line.get("fetched", {}).items()}
        features = [line for line in lines if "feature" in line]
        found = {"client": client.name, "version": version(client, python, home), "features": features}
        return {**found, "fetched": fetched} if fetched else found


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """The page."""
    lines = ["| client | version | works | does not |", "| --- | --- | --- | --- |"]
    for one in found:
        works = ", ".join(feature["feature"] for feature in one["features"] if feature["works"])
        told = "; ".join(f"{line['feature']}: {_cell(line['told'])}" for line in one["features"] if not line["works"])
        lines.append(f"| {one['client']} | {one['version']} | {works} | {told} |")
    return "\n".join(lines)


def outside(found: Sequence[Mapping[str, Any]]) -> str:
    """What clients that ran without a network looked for there."""
    return "".join(
        f"\n## What {one['client']} looks for outside\n\n"
        f"Run with no network but this machine's loopback, its server looked up {_listed(one['fetched']['names'])} "
        f"(number of look-ups); its page asked {_listed(one['fetched']['pages']) or 'nobody but its own server'}.\n"
        for one in found
        if "fetched" in one
    )


def _listed(names: Mapping[str, int] | Sequence[str]) -> str:
    counts = names.items() if isinstance(names, Mapping) else ((name, None) for name in names)
    return ", ".join(f"`{name}`" + (f" ({count})" if count is not None else "") for name, count in counts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


HEADING = """# Clients

Programs that nobody here wrote, unmodified, each installed by itself and run against `tutti serve` with `tutti-mini`;
"tools" against a tiny random model of family `qwen2` whose template takes tools. Open WebUI is used in a browser, with
its default settings and no network; there, "tools" are its own, called by a stand-in for a model. Written by
`python -m tests.clients.run`, which installs from the package indexes; what is not listed was not run.

"""


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description="Run clients as they are against tutti serve.")
    parser.add_argument("names", nargs="*", help="of clients; all, and the page is written, where none is named")
    parser.add_argument(
        "--found", type=Path, help="JSON lines of what was seen, which are added to; the page is of all"
    )
    parser.add_argument(
        "--kept", type=Path, metavar="DIR", help="keep environments in this folder, and use those it has"
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
                found[client.name] = seen(client, urls, arguments.kept)
                line = json.dumps(found[client.name])
                print(line, flush=True)
                if arguments.found:
                    with arguments.found.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
    if not arguments.names or arguments.found:
        rows = [found[client.name] for client in CLIENTS if client.name in found]
        PAGE.write_text(f"{HEADING}{table(rows)}\n{outside(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
