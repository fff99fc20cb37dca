"""Docstrings agree with signatures: ruff sees arguments that are missing, this sees those that no longer exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/tutti"
FILES = sorted(SOURCE.rglob("*.py"))
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def documented_arguments(docstring: str) -> list[str]:
    """Names under `Args:`: the lines with one step of indentation."""
    section = re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n)+)", docstring, re.MULTILINE)
    return re.findall(r"^ {4}\*{0,2}(\w+)(?: \(.*?\))?:", section[1], re.MULTILINE) if section else []


def parameters(definition: Definition) -> set[str]:
    """Names a definition takes; a class takes those of `__init__` and its annotated fields."""
    if isinstance(definition, ast.ClassDef):
        fields = {
            item.target.id
            for item in definition.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        made = [item for item in definition.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        return fields.union(*(parameters(item) for item in made))
    given = definition.args
    listed = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return {argument.arg for argument in listed}


def stale(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            extra = {*documented_arguments(ast.get_docstring(node) or "")} - parameters(node)
            if extra:
                yield f"line {node.lineno}: {node.name} documents {sorted(extra)}, which it does not take"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_documented_arguments_exist(file: Path) -> None:
    assert list(stale(ast.parse(file.read_text(encoding="utf-8")))) == []


def test_the_check_finds_a_stale_argument() -> None:
    code = 'def f(a):\n    """Do.\n\n    Args:\n        a: One.\n        b: Gone.\n    """\n'
    assert list(stale(ast.parse(code))) == ["line 1: f documents ['b'], which it does not take"]


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, without its docstring."""
    first, last = function.body[0], function.body[-1]
    docstring = first if ast.get_docstring(function) is not None else None
    taken = 0 if docstring is None else (docstring.end_lineno or 0) - docstring.lineno + 1
    return (last.end_lineno or 0) - function.lineno + 1 - taken


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_and_functions_stay_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert lines_of_code(node) <= 60, f"{node.name} is longer than 60 lines, its docstring not counted"


@pytest.mark.parametrize(
    "folder", sorted(path for path in SOURCE.rglob("*") if path.is_dir() and path.name != "__pycache__"), ids=str
)
def test_no_folder_of_leftovers(folder: Path) -> None:
    assert folder.name not in {"utils", "common", "core", "helpers", "misc"}
