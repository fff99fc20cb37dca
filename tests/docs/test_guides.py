"""Every command and snippet of a guide is run as a reader would run it, and prints what the guide shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import fences, guides
from tutti.checkpoints.families import FAMILIES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/index.md", *sorted((ROOT / "docs/guides").glob("*.md"))]


@pytest.fixture(autouse=True)
def _families_as_before() -> Iterator[None]:
    """A guide adds a family; other tests must not meet it."""
    before = dict(FAMILIES)
    yield
    FAMILIES.clear()
    FAMILIES.update(before)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_guide_shows_comes_out(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / ".cache"))
    folder = tmp_path / "try"
    folder.mkdir()
    with guides.reader(page.read_text(encoding="utf-8"), folder) as run:
        run.all_of_it()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_nothing_is_left_out(page: Path) -> None:
    found = list(fences.blocks(page.read_text(encoding="utf-8")))
    assert found
    for block in found:
        ran = block.title is not None or block.language in ("console", "python", "text")
        assert ran or block.language == "sh", f"line {block.line}: a block of {block.language} is not run"
    assert "\n?\n" not in page.read_text(encoding="utf-8"), "an output is asked for: run `make docs`"


def run(page: str, folder: Path, write: bool = False) -> str:
    with guides.reader(page, folder, write) as reader:
        return reader.all_of_it()


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ tutti ask 'What is this?' media/missing.png\n```\n",
        "```console\n$ tutti ask 'What animal is this?' media/picture.png\na cat\n```\n",
        "```console\n$ echo one\none\n$ false\n```\n",
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "<!-- exit: 2 -->\n```console\n$ true\n```\n",
    ],
)
def test_what_does_not_come_out_is_found(page: str, tmp_path: Path) -> None:
    with pytest.raises(guides.Mismatch, match=r"line \d"):
        run(page, tmp_path)


def test_what_comes_out_is_written(tmp_path: Path) -> None:
    page = "```console\n$ echo one\n?\n$ echo two\n```\n\n```python\nprint(1)\n```\n\n```text\n2\n```\n"
    after = page.replace("?", "one").replace("```text\n2", "```text\n1")
    assert run(page, tmp_path, write=True) == after
    assert run(after, tmp_path) == after


def test_a_title_makes_a_file_and_a_snippet_sees_the_one_before(tmp_path: Path) -> None:
    page = '```text title="a/b.txt"\nhere\n```\n```console\n$ cat a/b.txt\nhere\n```\n```python\nx = 1\n```\n'
    run(page + "```python\nprint(x)\n```\n\n```text\n1\n```\n", tmp_path)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("88.1%  a dog", "88.2%  a dog", True),
        ("88.1%  a dog", "80.1%  a dog", False),
        ("88.1%  a dog", "88.1%  a cat", False),
        ("4 rows in 0.3 s (13.9 items a second).", "4 rows in 9.3 s (1.9 items a second).", True),
        ("4 rows in 0.3 s", "5 rows in 0.3 s", False),
        ('"seconds": 0.1, "cost": 1', '"seconds": 7.1, "cost": 1', True),
        ("| 0.217 / 0.264 | 100 |", "| 0.9 / 1.4 | 100 |", True),
        ("…\nlast", "first\nsecond\nlast", True),
        ("…\nlast", "first\nlast\nmore", False),
        ("first…", "first and more", True),
        ("first…", "second and more", False),
        ("a", "", False),
        ("x  1,234  y", "x  1,240 y", True),
    ],
)
def test_numbers_may_be_rounded_and_words_may_not(shown: str, printed: str, same: bool) -> None:
    assert fences.agrees(shown, printed) is same
