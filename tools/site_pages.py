"""Hook of MkDocs: the pages of the site that do not lie in docs/, made when it is built.

Pages from elsewhere in the repository (results, contributing, changes), the reference of each room from its docstrings,
the help of every command, and the index of decisions. A link to a page that is on the site leads there; one to another
file of the repository becomes the words it stands on; one that leads nowhere fails the build, which is strict.
"""

from __future__ import annotations

import inspect
import io
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.readme import docstring, layers, place

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "benchmarks/RESULTS.md": "results.md",
    "benchmarks/HISTORY.md": "history.md",
    "benchmarks/needles.png": "images/needles.png",
    "src/tutti/assets/tutti-mini/README.md": "card.md",
    "recipes/tutti_mini/LOG.md": "log.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security_policy.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files outside docs/ that are on the site, and where."""
SILENT = ("__main__", "cli", "apps")
"""Rooms with nothing to call from Python."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add what is generated to the navigation."""
    assert config.nav is not None
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    reference += [{room: f"reference/{room}.md"} for room in documented()]
    config.nav.insert(-1, {"Decisions": ["decisions/index.md", *(f"decisions/{name}" for name, _ in decisions())]})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere and those that are generated."""
    for source, target in ELSEWHERE.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    for room in documented():
        files.append(File.generated(config, f"reference/{room}.md", content=reference(room)))
    files.append(File.generated(config, "decisions/index.md", content=index_of_decisions()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages of the site, and put in the help of every command."""
    del config
    back = {target: source for source, target in ELSEWHERE.items()}
    here = page.file.src_uri
    origin = back.get(here, f"docs/{here}")

    def led(link: re.Match[str]) -> str:
        mark, words, target = link.groups()
        path, _, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return link[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        found = ELSEWHERE.get(wanted, wanted.removeprefix("docs/"))
        if wanted == "docs/decisions":
            found = "decisions/index.md"
        if files.get_file_from_path(found) is None and (ROOT / wanted).exists():
            return words
        relative = posixpath.relpath(found, posixpath.dirname(here) or ".")
        return f"{mark}[{words}]({relative}{'#' * bool(anchor)}{anchor})"

    text = "".join(part if part.startswith("```") else _LINK.sub(led, part) for part in _apart(markdown))
    return text + "\n" + helps() if here == "commands.md" else text


def _apart(markdown: str) -> list[str]:
    """Fenced blocks, and what stands between them."""
    return re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)


def documented() -> list[str]:
    """The rooms that have something to call from Python, the package itself first."""
    return ["tutti", *(room for room in layers() if room not in SILENT)]


def reference(room: str) -> str:
    """The page of a room: its first line, and each of its modules with what is public in it."""
    if room == "tutti":
        return front()
    title = f"{BEHIND_GUIDES}# `tutti.{room}`\n\n{docstring(room)}\n\n"
    if place(room).is_file():
        return f"{title}::: tutti.{room}\n    options: {{show_root_heading: false, show_root_toc_entry: false}}\n"
    return title + "".join(f"## `{name}`\n\n::: {name}\n{QUIET}\n" for name in modules(place(room)))


BEHIND_GUIDES = "---\nsearch:\n  boost: 0.2\n---\n\n"
"""Settings of a page that the site's search lists behind others."""
QUIET = "    options: {show_root_heading: false, show_root_toc_entry: false}\n"


def front() -> str:
    """What `import tutti` offers: each name, where it lives and the first line of its docstring."""
    import tutti

    rows = []
    for name in sorted(vars(tutti)["_DOORS"], key=str.lower):
        value = getattr(tutti, name)
        line = (value.__doc__ or "").strip().splitlines()[0]
        target = (
            f"{value.__name__}.loading.load" if inspect.ismodule(value) else f"{value.__module__}.{value.__qualname__}"
        )
        rows.append(f"| [`tutti.{name}`][{target}] | {line} |\n")
    head = "# `tutti`\n\nWhat `import tutti` offers.\n\n| name | what it is |\n| --- | --- |\n"
    return BEHIND_GUIDES + head + "".join(rows)


def modules(folder: Path) -> Iterator[str]:
    """Dotted names of a room's modules that say what they are; private ones and empty packages are left out."""
    for file in sorted(folder.rglob("*.py")):
        if not file.stem.startswith("_"):
            yield ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)


def decisions() -> list[tuple[str, str]]:
    """File name and title of each decision, by its number.

    Raises:
        ValueError: A file does not start with a title.
    """
    found = []
    for file in sorted((ROOT / "docs/decisions").glob("*.md")):
        title = re.match(r"# (?:\d+[.:] )?(.+)\n", file.read_text(encoding="utf-8"))
        if title is None:
            raise ValueError(f"docs/decisions/{file.name} starts otherwise than with `# NUMBER. What was decided`.")
        found.append((file.name, f"{int(file.name[:4])}. {title[1]}"))
    return found


def index_of_decisions() -> str:
    """A line a decision."""
    lines = "".join(f"- [{title}]({name})\n" for name, title in decisions())
    return (
        "# Decisions\n\nWhat could have gone otherwise, a page each: the context, what was chosen, what was refused\n"
        "and why, and what follows. One that another replaced says so. Numbers are in the order of writing, with\n"
        f"gaps.\n\n{lines}"
    )


def helps() -> str:
    """What `tutti COMMAND --help` prints, for each command."""
    from tutti.cli.main import COMMANDS, main

    os.environ["COLUMNS"] = "100"
    parts = []
    for name in COMMANDS:
        said = io.StringIO()
        with redirect_stdout(said):
            main([name, "--help"])
        parts.append(f"## `tutti {name}`\n\n```text\n{said.getvalue().rstrip()}\n```\n")
    return "\n".join(parts)
