"""Fenced blocks of a Markdown page: what a reader types, and what the page says comes out.

A page for people is also a script. A `console` block holds commands behind `$ ` and, below each, its output; a `python`
block holds code, and a `text` block right behind it its output; a block with `title="NAME"` is a file of that name.
`…` stands for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PROMPT = "$ "
ANYTHING = "…"
_FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_TIME_BEHIND = re.compile(r" ?(?:s|ms|min|steps/s|items a second)\b| / \d")
_TIME_BEFORE = re.compile(r'\d / $|"seconds": $')
_NUMBER = re.compile(r"(?<![\w.])-?[\d,]*\d(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        language: Behind the fence.
        title: The name of the file that it is, or None.
        body: Its lines.
        start: Where the body starts in the page.
        line: The line of the page on which the fence stands.
    """

    language: str
    title: str | None
    body: str
    start: int
    line: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    for found in _FENCE.finditer(page):
        title = _TITLE.search(found[3])
        line = page.count("\n", 0, found.start()) + 1
        yield Block(found[2], title[1] if title else None, found[4], found.start(4), line)


def commands(body: str) -> list[tuple[str, str]]:
    """The commands of a `console` block, each with the output below it; a line that ends with a backslash goes on."""
    pairs: list[tuple[str, str]] = []
    continued = False
    for line in body.splitlines(keepends=True):
        if line.startswith(PROMPT):
            pairs.append((line[len(PROMPT) :].rstrip("\n"), ""))
        elif not pairs:
            raise ValueError(f"A console block starts with {line!r}; expected a line with `{PROMPT}`.")
        elif continued:
            pairs[-1] = (f"{pairs[-1][0]}\n{line.rstrip()}", "")
        else:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line)
        continued = pairs[-1][1] == "" and line.rstrip("\n").endswith("\\")
    return pairs


def written(pairs: list[tuple[str, str]]) -> str:
    """A `console` block of commands and outputs."""
    return "".join(f"{PROMPT}{command}\n{output}" for command, output in pairs)


def agrees(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed.

    Words are equal; numbers may differ by 3 % or by 0.06, since processors round differently; seconds and rates are
    not compared. A line that is `…` stands for any number of lines, and `…` at the end of a line for its rest.
    """
    return _match(_lines(shown), _lines(printed))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


def _match(shown: list[str], printed: list[str]) -> bool:
    if not shown:
        return not printed
    if shown[0].strip() == ANYTHING:
        return any(_match(shown[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    return bool(printed) and _same_line(shown[0], printed[0]) and _match(shown[1:], printed[1:])


def _same_line(shown: str, printed: str) -> bool:
    if shown.endswith(ANYTHING):
        shown = shown.removesuffix(ANYTHING)
        printed = printed[: len(shown)]
    if shown == printed:
        return True
    if _NUMBER.sub("#", shown).split() != _NUMBER.sub("#", printed).split():
        return False
    return all(
        _timed(shown, one) or _near(one[0], other[0])
        for one, other in zip(_NUMBER.finditer(shown), _NUMBER.finditer(printed), strict=True)
    )


def _timed(line: str, number: re.Match[str]) -> bool:
    """Whether a number is of seconds or minutes, of something a second, or beside another (`p50 / p95`)."""
    before, behind = line[: number.start()], line[number.end() :]
    return bool(_TIME_BEHIND.match(behind) or _TIME_BEFORE.search(before))


def _near(shown: str, printed: str) -> bool:
    one, other = float(shown.replace(",", "")), float(printed.replace(",", ""))
    return abs(one - other) <= max(0.06, 0.03 * abs(one))
