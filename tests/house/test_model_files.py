"""A model file can be read aloud: it says where it comes from, what it does otherwise, and its shapes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "src/tutti/models"
SOURCED = re.compile(r"[A-Z][\w ]+ (et al\. |and [A-Z]\w+ )?\d{4}")
"""A paper as `Radford et al. 2021`."""


def computes(tree: ast.Module) -> bool:
    """Whether a file defines modules of torch."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "forward" for node in ast.walk(tree))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


FILES = [file for file in sorted(MODELS.glob("*/*.py")) if computes(parse(file))]
FAMILIES = [file for file in FILES if file.parent.name != "layers"]


def name(file: Path) -> str:
    return str(file.relative_to(MODELS))


@pytest.mark.parametrize("file", FAMILIES, ids=name)
def test_the_header_names_paper_reference_and_differences(file: Path) -> None:
    header = ast.get_docstring(parse(file)) or ""
    assert re.search(r"^Papers?: ", header, re.MULTILINE)
    assert SOURCED.search(header)
    for part in ("Reference implementation: ", "We differ in: "):
        assert re.search(rf"^{part}", header, re.MULTILINE), part


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_forward_says_its_shapes(file: Path) -> None:
    for owner in (node for node in ast.walk(parse(file)) if isinstance(node, ast.ClassDef)):
        for item in owner.body:
            if isinstance(item, ast.FunctionDef) and item.name == "forward":
                said = f"{ast.get_docstring(owner)}\n{ast.get_docstring(item)}"
                assert "Shapes: " in said or re.search(r"\(B, [^)]*\)", said), f"{owner.name}.forward"


def test_every_family_is_held_to_this() -> None:
    folders = {folder.name for folder in MODELS.iterdir() if (folder / "config.py").is_file()}
    assert folders <= {file.parent.name for file in FAMILIES}
