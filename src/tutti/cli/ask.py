"""Answer a question, with pictures, recordings or videos to look at."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tutti.cli.hosted import add_hosted, load_with_fallback
from tutti.cli.options import add_json, add_model, note, positive, print_json
from tutti.cli.piped import given
from tutti.cli.vault import add_vault
from tutti.cli.verifying import add_verifying, check_page, guard_if_asked, show
from tutti.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tutti.content import Answer, Event, Media

_EPILOG = """examples:
  tutti ask "What animal is this?" photo.jpg
  tutti ask "What do you hear?" recording.ogg --json
  tutti ask "Does the sound fit the picture?" photo.jpg bark.wav
  tutti ask "What happens?" clip.mp4 --stream --max-tokens 60
  tutti ask "What is this?" photo.jpg --model openai:gpt-4o --dry-run
  tutti ask "What is this?" photo.jpg --model openai:gpt-4o --fallback tutti-mini
  tutti ask "What is this?" photo.jpg --model http://HOST/v1#NAME --encrypt
  tutti ask "When does the red car appear?" hour.mp4
  tutti ask "Which dog barks?" --in photos.db
  tutti ask "What is the total?" receipt.jpg --verify --strict --html checked.html
  curl -s https://example.com/photo.jpg | tutti ask "What is this?" -
"""
_SAMPLING = ("max_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments. What is not given is left to the model's defaults."""
    parser.epilog = _EPILOG
    parser.add_argument("question", metavar="QUESTION", help="in words")
    # With a default, since otherwise argparse reports MEDIA as missing beside QUESTION.
    help_line = "path or data: URL of a picture, recording or video; - is standard input"
    parser.add_argument("media", metavar="MEDIA", nargs="*", default=[], help=help_line)
    add_model(parser)
    add_json(parser, "one JSON object (with --stream, one a line)")
    parser.add_argument(
        "--in", dest="within", metavar="DB", help="answer from a database of `tutti index`, citing sources"
    )
    parser.add_argument("--tenant", default="default", metavar="NAME", help="whose collection, with --in")
    parser.add_argument("--where", metavar="SQL", help="a condition on columns, with --in")
    add_vault(parser, "read an encrypted database of --in, and encrypt what --cache keeps,")
    parser.add_argument(
        "--top", type=positive(int), default=4, metavar="K", help="most sources that the model is shown (4)"
    )
    parser.add_argument("--budget-tokens", type=positive(int), metavar="N", help="most tokens of what it is shown")
    parser.add_argument("--stream", action="store_true", help="print the answer while it is made")
    parser.add_argument("--system", metavar="TEXT", help="what the model should keep to throughout")
    parser.add_argument("--max-tokens", type=positive(int), metavar="N", help="most tokens of the answer")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 chooses the likeliest token (default)")
    parser.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest tokens; 0 is all")
    parser.add_argument("--top-p", type=float, metavar="P", help="draw among the likeliest that together reach P")
    parser.add_argument("--repetition-penalty", type=positive(float), metavar="R", help="above 1 discourages repeating")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="end the answer before TEXT; may be repeated")
    parser.add_argument("--verify", action="store_true", help="check what the answer claims, by others than the model")
    add_verifying(parser)
    parser.add_argument(
        "--guard", action="store_true", help="cover text in media that addresses the model, and say what it was"
    )
    add_hosted(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the draw")


def run(arguments: argparse.Namespace) -> None:
    """Ask and print.

    Raises:
        InputError: The question is empty, or a medium cannot be read.
    """
    if not arguments.question.strip():
        raise InputError('The question is empty; expected words, for example: tutti ask "What is this?" photo.jpg')
    # Media are looked at before the model is loaded: a wrong path should not cost the seconds of loading.
    from tutti.cli import ask_index
    from tutti.providers.given import as_medium, conversation_of

    _check_verifying(arguments)
    if arguments.within is not None or ask_index.long_medium(arguments.media):
        ask_index.ask(arguments)
        return
    media = [as_medium(given(medium)) for medium in arguments.media]

    model = load_with_fallback(arguments)
    guard_if_asked(arguments, model)
    options = {name: value for name in _SAMPLING if (value := getattr(arguments, name)) is not None}
    if arguments.stop is not None:
        options["stop"] = tuple(arguments.stop)
    asked = _asked(arguments, media)
    if arguments.dry_run:
        print_json(model.preview(*asked, **options))
        return
    if arguments.verify:
        conversation = conversation_of(*asked)
        show(arguments, conversation, model.ask(conversation, verify=True, **options))
        return
    if arguments.stream:
        answer = _streamed(model.stream(*asked, **options), arguments.json)
    else:
        answer = model.ask(*asked, **options)
        if not arguments.json:
            print(answer.text)
    if arguments.json:
        print_json(answer.to_dict())
    for sentence in answer.notes:
        note(sentence)


def _check_verifying(arguments: argparse.Namespace) -> None:
    """Look at the options that go with `--verify` before a model is loaded.

    Raises:
        InputError: One is given without it, or the answer is to be streamed before it is verified.
    """
    if not arguments.verify and (arguments.strict or arguments.html is not None):
        raise InputError("--strict and --html show what was verified; give --verify, too.")
    if arguments.verify and arguments.stream:
        raise InputError("An answer is verified when it is whole; leave out --stream or --verify.")
    check_page(arguments)


def _asked(arguments: argparse.Namespace, media: list[Media]) -> list[Any]:
    """The question and its media, or the conversation that they and a system's turn make."""
    if arguments.system is None:
        return [arguments.question, *media]
    from tutti.content import Message, Text

    return [[Message("system", (Text(arguments.system),)), Message.user(*media, arguments.question)]]


def _streamed(events: Iterator[Event], as_json: bool) -> Answer:
    from tutti.content import Finished, TextDelta

    for event in events:
        if isinstance(event, Finished):
            if not as_json:
                print()
            return event.answer
        if not isinstance(event, TextDelta):  # a call of a tool, and none was offered here
            continue
        if as_json:
            print_json({"delta": event.text})
        else:
            sys.stdout.write(event.text)
            sys.stdout.flush()
    raise RuntimeError("the stream ended without the whole answer")
