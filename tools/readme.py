"""Write the generated parts of pages: the map of rooms in the README and the table of commands.

python tools/readme.py           write them
python tools/readme.py --check   fail when a page differs from what would be written

What commands print in the README and the guides is written by `python -m tools.guides --write`; `make docs` does both.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BESIDE = {
    "recipes": "what trains tutti-mini, one command",
    "examples": "short programs, each under 60 lines and run by the tests",
    "benchmarks": "side by side with what one would use instead; RESULTS.md",
    "docs": "guides, architecture, decisions; `make site`",
    "tests": "a folder a room, plus parity with the reference implementations",
    "tools": "what writes and checks generated pages and media",
}
"""Folders beside the package, each with what is in it."""


def main() -> None:
    """Write or check."""
    for page, parts in PAGES.items():
        file = ROOT / page
        before = after = file.read_text(encoding="utf-8")
        for name, made in parts.items():
            after = replaced(after, name, made(), page)
        if "--check" not in sys.argv:
            file.write_text(after, encoding="utf-8")
        elif after != before:
            raise SystemExit(f"{page} is not what `make docs` writes: its sources changed. Run `make docs`.")


def replaced(text: str, name: str, content: str, page: str = "README.md") -> str:
    """Put content between the two marks of a name.

    Raises:
        SystemExit: The marks are missing.
    """
    pattern = re.compile(rf"(<!-- {name}: .*?-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{page} has no place marked <!-- {name}: … --> … <!-- /{name} -->.")
    return pattern.sub(lambda match: match[1] + content + match[2], text)


def commands() -> str:
    """The command table, read without importing the package."""
    tree = ast.parse((ROOT / "src/tutti/cli/main.py").read_text(encoding="utf-8"))
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="COMMANDS")], value=value):
                table: dict[str, tuple[str, str]] = ast.literal_eval(value)
                rows = "".join(f"| `tutti {name}` | {help_line} |\n" for name, (_, help_line) in table.items())
                return "| command | what it does |\n| --- | --- |\n" + rows
    raise SystemExit("src/tutti/cli/main.py has no table COMMANDS.")


def layers() -> list[str]:
    """The rooms in the order of the import contract, from the street to the cellar."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [room for layer in layers for room in layer.split(" | ")]


def rooms() -> str:
    """The house as a tree: rooms in the order of the import contract, then the folders beside the package."""
    inside = [(place(room).name + "/" * place(room).is_dir(), docstring(room)) for room in layers()]
    beside = [(f"{folder}/", text) for folder, text in BESIDE.items()]
    lines = ["src/tutti/", *branches(inside), *branches(beside, "")]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def branches(entries: list[tuple[str, str]], indent: str = "    ") -> list[str]:
    """Names and what they are, in two columns."""
    return [f"{indent}{name:<{22 - len(indent)}}{text}" for name, text in entries]


def place(room: str) -> Path:
    """A room's folder, or its file."""
    folder = ROOT / "src/tutti" / room
    return folder if folder.is_dir() else folder.with_suffix(".py")


def docstring(room: str) -> str:
    """First line of a room's docstring.

    Raises:
        SystemExit: The room is missing or has none.
    """
    found = place(room)
    file = found / "__init__.py" if found.is_dir() else found
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else None
    if not text:
        raise SystemExit(f"{file.relative_to(ROOT)} has no docstring that says what lives there.")
    return text.splitlines()[0]


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"rooms": rooms},
    "docs/commands.md": {"commands": commands},
}


if __name__ == "__main__":
    main()
