"""A public name means one thing: each class and type alias of the package is defined once."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/tutti"


def defined(tree: ast.Module) -> Iterator[str]:
    """Public classes and type aliases of a module: `X: TypeAlias = …`, and `X = …` in the form of a class's name."""
    for statement in tree.body:
        match statement:
            case (
                ast.ClassDef(name=name)
                | ast.AnnAssign(target=ast.Name(id=name))
                | ast.Assign(targets=[ast.Name(id=name)])
            ) if name[0].isupper() and not name.isupper():
                yield name


def shared() -> dict[str, list[str]]:
    """Names that are defined in several places."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(SOURCE.rglob("*.py")):
        for name in defined(ast.parse(file.read_text(encoding="utf-8"))):
            places[name].append(str(file.relative_to(SOURCE)))
    return {name: files for name, files in places.items() if len(files) > 1}


def test_a_name_means_one_thing() -> None:
    new = shared()
    assert not new, "each of these is defined in several places; give all but one the field's more exact term"


def test_definitions_are_seen() -> None:
    lines = ["class Ab: ...", "Bc: TypeAlias = int", "Cd = Literal['c']", "LIMIT = 3", "_D = int", "e = 1", "T = int"]
    assert list(defined(ast.parse("\n".join(lines)))) == ["Ab", "Bc", "Cd"]
