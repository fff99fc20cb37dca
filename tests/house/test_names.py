"""A public name means one thing: each class and type alias of the package is defined once."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/tutti"
STILL_SHARED = {
    "Layout",
    "Pixels",
    "Progress",
    "Samples",
    "TrunkBlock",
    "TrunkConfig",
}
"""Names that still mean two things. The list only gets shorter: take a name off it when it is resolved."""


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
    new = {name: files for name, files in shared().items() if name not in STILL_SHARED}
    assert not new, "each of these is defined in several places; give all but one the field's more exact term"


def test_what_is_resolved_is_off_the_list() -> None:
    resolved = STILL_SHARED - set(shared())
    assert not resolved, f"{sorted(resolved)} mean one thing now; take them off STILL_SHARED in {Path(__file__).name}"


def test_definitions_are_seen() -> None:
    lines = ["class Ab: ...", "Bc: TypeAlias = int", "Cd = Literal['c']", "LIMIT = 3", "_D = int", "e = 1", "T = int"]
    assert list(defined(ast.parse("\n".join(lines)))) == ["Ab", "Bc", "Cd"]
