"""Options of `tutti ask` and `tutti verify` that show what of an answer holds, and what they print."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tutti.cli.options import check_output, note, print_json

if TYPE_CHECKING:
    from tutti.content import Answer, Conversation
    from tutti.model import Model


def add_verifying(parser: argparse.ArgumentParser) -> None:
    """Declare `--strict` and `--html`."""
    parser.add_argument(
        "--strict", action="store_true", help="leave out sentences that are contradicted or unreadable, and say so"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page: pictures with boxes beside marked sentences")


def check_page(arguments: argparse.Namespace) -> None:
    """Look whether the page can be written, before anything is loaded.

    Raises:
        InputError: It cannot.
    """
    if arguments.html is not None:
        check_output(arguments.html)


def show(arguments: argparse.Namespace, conversation: Conversation, answer: Answer) -> None:
    """Print a verified answer, and write its page."""
    from tutti.trust.verification.sentences import marked, strict

    if arguments.html is not None:
        from tutti.trust.verification.page import write_page

        write_page(arguments.html, conversation, answer)
        note(f"Look at {arguments.html}")
    if arguments.strict:
        answer = strict(answer)
    if arguments.json:
        print_json(answer.to_dict())
    else:
        print(marked(answer))
    for sentence in answer.notes:
        note(sentence)


def guard_if_asked(arguments: argparse.Namespace, model: Model) -> None:
    """With `--guard`, put the guard against instructions in media before a model and the guard it has.

    What reads and hears is opened when it is needed.
    """
    if not arguments.guard:
        return
    from tutti import open_provider
    from tutti.trust.instructions.guard import InstructionGuard
    from tutti.trust.verification.late import LateReader, LateTranscriber
    from tutti.trust.verification.standard import TRANSCRIBER, own_reader

    ears = LateTranscriber(TRANSCRIBER, lambda: open_provider(TRANSCRIBER))
    model.guard = InstructionGuard(LateReader(own_reader), ears, then=model.guard)
