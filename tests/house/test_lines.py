"""Files of lines are read in one way: `str.splitlines` cuts JSON's strings at U+2028 and its like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "recipes", "benchmarks", "tools", "examples")
SOURCES = [file for name in FOLDERS for file in (ROOT / name).rglob("*.py")]
CUTS = re.compile(r"read_text\([^()]*\)\.splitlines|read\(\)\.splitlines|decode\([^()]*\)\.splitlines|\.readlines\(")
ITERATED = re.compile(
    r"(?<!tarfile)\.open\((?![^()]*b\")[^()]*\) as (\w+):\n(?:.*\n){0,3}?\s*for [^:\n]* in (?:enumerate\()?\1\b"
)


@pytest.mark.parametrize("text", ['a.read_text("utf-8").splitlines()', "with p.open() as f:\n    for line in f:\n"])
def test_what_is_looked_for_is_found(text: str) -> None:
    assert CUTS.search(text) or ITERATED.search(text)


def test_no_file_is_cut_into_lines_by_other_means() -> None:
    found = [str(file.relative_to(ROOT)) for file in SOURCES if (text := file.read_text()) and
             (CUTS.search(text) or ITERATED.search(text))]  # fmt: skip
    assert found == [], "use tutti.media.text_files"
