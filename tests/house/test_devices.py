"""Tensors are made where the model is: what makes one names a device, in all code that runs while a model answers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/tutti"
ROOMS = ("engine", "models", "providers")
FACTORIES = {
    "arange", "as_tensor", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm",
    "tensor", "tril_indices", "triu_indices", "zeros", "Generator",
}  # fmt: skip
FROM_ARRAYS = {"from_numpy", "frombuffer"}
"""What makes tensors on the CPU only, to be moved at once: by `placed`, or by `.to`."""
STAYS = {("engine/sampling.py", "_allowed")}
"""Where an array is written into a tensor that names the CPU."""


def unplaced(tree: ast.Module, file: str) -> Iterator[int]:
    """Lines on which a tensor is made without a device, but for first values of modules, which are made on `meta`."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name == "__init__":
            continue
        moved = {id(inner) for node in ast.walk(function) if _moves(node) for inner in ast.walk(node)}
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"):
                continue
            made = node.func.attr in FACTORIES and not any(one.arg == "device" for one in node.keywords)
            read = node.func.attr in FROM_ARRAYS and id(node) not in moved and (file, function.name) not in STAYS
            if made or read:
                yield node.lineno


def _moves(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return (isinstance(node.func, ast.Name) and node.func.id == "placed") or (
        isinstance(node.func, ast.Attribute) and node.func.attr == "to" and bool(node.args)
    )


def test_every_tensor_names_a_device() -> None:
    files = [file for room in ROOMS for file in sorted((SOURCE / room).rglob("*.py"))]
    names = [file.relative_to(SOURCE).as_posix() for file in files]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    found = [f"{name}:{line}" for name, tree in zip(names, trees, strict=True) for line in unplaced(tree, name)]
    assert found == [], "name the device: that of a tensor at hand, or the CPU where it stays there"


def test_what_names_none_is_seen() -> None:
    lines = [
        "torch.zeros(3)",
        "torch.zeros(3, device=x.device)",
        "torch.from_numpy(a)",
        "placed(torch.from_numpy(a), d)",
    ]
    bad = "\n ".join(["def f(x, a):", *lines])
    assert list(unplaced(ast.parse(bad), "engine/f.py")) == [2, 4]
    assert list(unplaced(ast.parse("class A:\n def __init__(self):\n  torch.zeros(2)\n"), "models/a.py")) == []
