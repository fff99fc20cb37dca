"""Check what an answer claims about media, by others than the model that made it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutti.cli.options import add_json
from tutti.cli.piped import given
from tutti.cli.verifying import add_verifying, check_page, show
from tutti.errors import InputError

_EPILOG = """examples:
  tutti verify 'The sign says "NO ENTRY".' sign.jpg
  tutti verify @answer.txt receipt.jpg --html checked.html
  tutti verify "At 0:12 a man says 'go home'." call.wav --json
  tutti ask "What is the total?" receipt.jpg --verify --strict

Quoted words and numbers are checked against what a reader of text finds, spoken words and times against a transcript,
colours, counts and places by measurement, things by an embedder among rivals. No claim is checked by the model that
made it (--by).

exit codes: 0 nothing is contradicted, 1 a claim is, 2 you can fix it, 3 over a limit
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("answer", metavar="ANSWER", help="in words, or @FILE")
    parser.add_argument("media", metavar="MEDIA", nargs="*", default=[], help="pictures, recordings or videos")
    parser.add_argument("--by", metavar="NAME", default="", help="the model that made the answer: it checks nothing")
    add_verifying(parser)
    add_json(parser, "one JSON object: the answer with its evidence")


def run(arguments: argparse.Namespace) -> int | None:
    """Verify and print.

    Returns:
        1 if a claim is contradicted.

    Raises:
        InputError: The answer is empty, or a medium is missing or cannot be read.
        MissingExtra: There is a picture, and no reader of text.
    """
    text = _text(arguments.answer)
    if not text.strip():
        raise InputError("The answer is empty; expected words, or @FILE.")
    if not arguments.media:
        raise InputError("No medium was given; name the pictures or recordings that the answer is about.")
    check_page(arguments)
    from tutti import open_provider
    from tutti.content import Answer, Message, Usage
    from tutti.providers.given import as_medium
    from tutti.trust.verification.standard import standard_verifier

    conversation = [Message.user(*(as_medium(given(medium)) for medium in arguments.media))]
    said = Answer(text=text, model=arguments.by or "unknown", finish_reason="stop", usage=Usage(), seconds=0.0)
    answer = standard_verifier(open_provider).verify(conversation, said)
    show(arguments, conversation, answer)
    return 1 if any(claim.verdict == "contradicted" for claim in answer.evidence) else None


def _text(given_text: str) -> str:
    if not given_text.startswith("@"):
        return given_text
    path = Path(given_text[1:])
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the file of an answer behind @.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8; expected an answer in words.") from None
