"""Write the generated parts of README.md: the room map from the rooms' docstrings, the commands from their table.

python tools/readme.py           write them
python tools/readme.py --check   fail when the README differs from what would be written
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def main() -> None:
    """Write or check."""
    before = README.read_text(encoding="utf-8")
    after = before
    for name, text in (("commands", commands()), ("rooms", rooms())):
        after = replaced(after, name, text)
    if "--check" not in sys.argv:
        README.write_text(after, encoding="utf-8")
    elif after != before:
        raise SystemExit("README.md is not what `make docs` writes: a docstring or a command changed. Run `make docs`.")


def replaced(text: str, name: str, content: str) -> str:
    """Put content between the two marks of a name.

    Raises:
        SystemExit: The marks are missing.
    """
    pattern = re.compile(rf"(<!-- {name}: .*?-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no place marked <!-- {name}: … --> … <!-- /{name} -->.")
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


def rooms() -> str:
    """The rooms in the order of the import contract, each with the docstring of its own."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rows = "".join(f"| `{room}` | {docstring(room)} |\n" for layer in layers for room in layer.split(" | "))
    return "| room | what lives there |\n| --- | --- |\n" + rows


def docstring(room: str) -> str:
    """First line of a room's docstring.

    Raises:
        SystemExit: The room is missing or has none.
    """
    folder = ROOT / "src/tutti" / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else None
    if not text:
        raise SystemExit(f"{file.relative_to(ROOT)} has no docstring that says what lives there.")
    return text.splitlines()[0]


if __name__ == "__main__":
    main()
