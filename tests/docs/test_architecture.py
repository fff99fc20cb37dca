"""Each place that the walks of docs/architecture.md name exists, and the walks stay short."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))
LONGEST = {"A picture to an answer": 11, "A request to the model": 13, "A file to a row": 9, "A pair to a step": 7}


@pytest.mark.parametrize(("file", "name"), PLACES, ids=[":".join(place) for place in PLACES])
def test_a_place_exists(file: str, name: str) -> None:
    path = ROOT / file if file.startswith("recipes/") else ROOT / "src/tutti" / file
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [one for one in body if isinstance(one, kinds) and one.name == part]
        assert found, f"{file} has no {name}: the walk in docs/architecture.md leads there"
        body = found[0].body


@pytest.mark.parametrize(("walk", "most"), LONGEST.items(), ids=list(LONGEST))
def test_a_walk_is_short(walk: str, most: int) -> None:
    section = PAGE.partition(f"## {walk}\n")[2].partition("\n## ")[0]
    hops = [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    assert hops == list(range(1, len(hops) + 1))
    assert 5 <= len(hops) <= most
