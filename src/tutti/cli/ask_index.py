"""`tutti ask` over a database or a long medium: the search that comes before the answer, and the sources after it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutti.cli.options import note, print_json
from tutti.cli.search import open_within
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.search import SourcedAnswer

LONG_S = 60.0
"""A single video or recording of more seconds is searched for moments instead of shown as a whole."""

UNSUPPORTED = (
    "system",
    "stream",
    "dry_run",
    "spend_limit",
    "fallback",
    "timeout",
    "retries",
    "cache",
    "keep_metadata",
    "encrypt",
    "encrypt_to",
    "verify",
    "guard",
)
"""Options of `tutti ask` that a search does not support; a limit that was silently ignored would be worse than none."""


def long_medium(media: Sequence[str]) -> bool:
    """Whether the one medium given is a recording or video too long to be shown as a whole."""
    if len(media) != 1 or media[0].startswith("data:"):
        return False
    from pathlib import Path

    if not Path(media[0]).is_file():
        return False
    from tutti.media.sound_windows import duration_of

    return duration_of(media[0]) > LONG_S


def ask(arguments: argparse.Namespace) -> None:
    """Search, answer, and print the answer with its sources and what it took.

    Raises:
        InputError: Media were given beside `--in`.
    """
    if arguments.within is not None and arguments.media:
        raise InputError("Media were given beside --in; index them first, or ask about them alone.")
    unsupported = [name for name in UNSUPPORTED if getattr(arguments, name) not in (None, False, [])]
    if unsupported:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in unsupported)
        raise InputError(f"With --in or a long video {options} has no effect; leave it out.")
    arguments.within = arguments.within or arguments.media[0]
    index, _ = open_within(arguments)
    answer = index.ask(
        arguments.question, top=arguments.top, budget_tokens=arguments.budget_tokens, where=arguments.where
    )
    if arguments.json:
        print_json(answer.to_dict())
    else:
        _print(answer)


def _print(answer: SourcedAnswer) -> None:
    print(answer.answer.text)
    for citation in answer.citations:
        print(f"  {citation}")
    usage = answer.answer.usage
    note(
        f"{answer.found:,} relevant, {len(answer.sources):,} shown; {usage.prompt_tokens:,} tokens of prompt, "
        f"{usage.media_tokens:,} of them media, {usage.completion_tokens:,} of answer."
    )
