"""What the README shows comes out, and its generated parts and those of the pages beside it are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import guides, readme
from tutti.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ALL_COMMANDS = (ROOT / "docs/commands.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 120


def test_what_it_shows_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / ".cache"))
    assert TEXT.count("```console\n") == 1
    assert TEXT.count("```python\n") == 1
    with guides.reader(TEXT, tmp_path) as run:
        run.all_of_it()


def test_generated_parts_are_up_to_date() -> None:
    for page, parts in readme.PAGES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        for name, made in parts.items():
            assert readme.replaced(text, name, made(), page) == text, page


def test_a_changed_docstring_is_noticed() -> None:
    assert readme.replaced(TEXT, "rooms", "| something else |\n") != TEXT
    for room in ("media", "models", "errors"):
        assert re.search(rf"^    {room}\S* +{re.escape(readme.docstring(room))}$", TEXT, re.MULTILINE), room
    for name in COMMANDS:
        assert f"| `tutti {name}` |" in ALL_COMMANDS


def test_every_folder_is_in_the_tree() -> None:
    folders = {file.name for file in ROOT.iterdir() if file.is_dir() and not file.name.startswith(".")}
    assert folders - {"src", "site", "build", "dist", "runs"} == set(readme.BESIDE)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", TEXT):
        assert f"\n{target}:" in makefile, target
