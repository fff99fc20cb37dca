"""Prompt variants: the same question in other words, with the options in another order, in another form."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutti.errors import InputError
from tutti.evaluate.multiple_choice import LETTERS
from tutti.evaluate.suite import Case
from tutti.media.text_files import read_lines

_PLACES = {"question", "options", "options:reversed", "options:shuffled"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to ask."""

    name: str
    template: str
    """With {question}, and {options}, {options:reversed} or {options:shuffled} for the choices of a case."""


PLAIN = (Variant("plain", "{question}"),)


def read_variants(path: Path) -> tuple[Variant, ...]:
    """Read variants, one a line.

    A line is a template, with a name in brackets before it if wanted: `[short] {question} Answer in one word.` A line
    break in a prompt is written as two characters, backslash and n. Empty lines and comments (#) are passed over.

    Raises:
        InputError: The file cannot be read, or lines of it are wrong; the message names every one of them.
    """
    variants: list[Variant] = []
    problems: list[str] = []
    for number, line in read_lines(path):
        if line.lstrip().startswith("#"):
            continue
        given, template = re.findall(r"^\s*(?:\[([^\]]+)\])?\s*(.*)$", line)[0]
        name, template = given or f"prompt {len(variants) + 1}", template.strip().replace("\\n", "\n")
        unknown = sorted(set(re.findall(r"\{([^{}]*)\}", template)) - _PLACES)
        if unknown:
            problems.append(f"line {number}: unknown place {{{unknown[0]}}}; known are {', '.join(sorted(_PLACES))}")
        elif "{question}" not in template:
            problems.append(f"line {number}: there is no {{question}} in it")
        elif name in {variant.name for variant in variants}:
            problems.append(f"line {number}: the name {name!r} comes more than once")
        else:
            variants.append(Variant(name, template))
    if problems:
        raise InputError(f"{path} has {len(problems)} problems; correct them:\n  " + "\n  ".join(problems))
    if not variants:
        raise InputError(f"{path} holds no prompt; expected a template a line, such as: {{question}} Answer briefly.")
    return tuple(variants)


def prompt(variant: Variant, case: Case) -> tuple[str, tuple[str, ...]]:
    """Put a case into a variant.

    Returns:
        The prompt, and the options in the order in which it shows them.
    """
    template = variant.template
    if case.options and case.metric != "recall" and "{options" not in template:
        template += "\n{options}"  # what cannot be seen cannot be chosen
    order = re.search(r"\{options(?::(\w+))?\}", template)
    shown = _ordered(case, order[1] if order else None)
    listed = "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, shown, strict=False))
    text = re.sub(
        r"\{(question|options(?::\w+)?)\}", lambda place: case.question if place[1] == "question" else listed, template
    )
    return text.strip(), shown


def _ordered(case: Case, order: str | None) -> tuple[str, ...]:
    if order == "reversed":
        return case.options[::-1]
    options: Sequence[str] = case.options
    if order == "shuffled":
        seed = int.from_bytes(hashlib.sha256(case.id.encode()).digest()[:8])
        options = random.Random(seed).sample(options, len(options))  # noqa: S311 - an order, not a secret
    return tuple(options)
