"""Files of a room that import one another in a circle, also inside functions and for types alone.

The import contract in pyproject.toml keeps packages apart in what runs; here every import counts that a reader follows.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
ROOMS = [
    f"tutti.{room}"
    for room in "checkpoints cli engine evaluate processing providers search serve training trust".split()
]


def imported(tree: ast.Module, modules: set[str]) -> set[str]:
    """Modules that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def graph(room: str, source: Path = SOURCE) -> dict[str, set[str]]:
    """Each module of a room → those of the room that it imports. A package's door names its modules and is left out."""
    root = source / room.replace(".", "/")
    files = {
        ".".join(file.relative_to(source).with_suffix("").parts): file
        for file in root.rglob("*.py")
        if file.name != "__init__.py"
    }
    return {name: imported(ast.parse(file.read_text("utf-8")), set(files)) - {name} for name, file in files.items()}


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_no_files_import_one_another_in_a_circle(room: str) -> None:
    edges = graph(room)
    assert edges
    assert not circle(edges)


def test_imports_in_functions_and_for_types_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("def f():\n    from a.two import x\n")
    (tmp_path / "a" / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import one\n"
    )
    assert sorted(set(circle(graph("a", tmp_path)))) == ["a.one", "a.two"]
