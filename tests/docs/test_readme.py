"""The README's Python and commands are run as they stand, and its generated parts are up to date."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tools import readme
from tutti.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
SAID = [shlex.split(line, comments=True)[1:] for line in SHELL.splitlines() if line.startswith("tutti ")]


def test_there_is_something_to_run() -> None:
    assert SCRIPTS
    assert SAID
    assert len(TEXT.splitlines()) <= 150, "one screen, and a line a command and a family"


@pytest.mark.parametrize("script", SCRIPTS)
def test_python_runs(script: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT / "examples/media", env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", SAID, ids=" ".join)
def test_command_runs(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT / "examples/media")
    assert main(words) == 0
    assert capsys.readouterr().out.strip()


def test_generated_parts_are_up_to_date() -> None:
    assert readme.replaced(TEXT, "rooms", readme.rooms()) == TEXT
    assert readme.replaced(TEXT, "commands", readme.commands()) == TEXT


def test_a_changed_docstring_is_noticed() -> None:
    assert readme.replaced(TEXT, "rooms", "| something else |\n") != TEXT
    for room in ("media", "models", "errors"):
        assert f"| `{room}` | {readme.docstring(room)} |" in TEXT
    for name in COMMANDS:
        assert f"| `tutti {name}` |" in TEXT


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", TEXT):
        assert f"\n{target}:" in makefile, target
