"""Measure how fast a model or a server answers when several ask at once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from tutti.cli.options import add_json, add_model, note, open_named, positive, print_json
from tutti.cli.piped import given
from tutti.errors import InputError, UnsupportedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tutti.content import Media
    from tutti.serve.load_generator import Ask, Level

_EPILOG = """examples:
  tutti bench photo.jpg                                    tutti-mini, in this process
  tutti bench photo.jpg --url http://127.0.0.1:8000/v1     a server, over HTTP
  tutti bench photo.jpg --concurrency 1,2,4,8,16 --requests 64 --json

The first answer of a level is not measured: it fills the caches, whose share is reported.
"""
_HEAD = (
    "askers  req/s  tok/s  img/s  cached  first token ms p50/p95/p99   "
    "a token ms p50/p95/p99  end to end ms p50/p95/p99"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("media", metavar="MEDIA", nargs="*", default=[], help="paths of what each request shows")
    add_model(parser)
    add_json(parser, "one JSON object a line, one for each number of askers,")
    parser.add_argument("--url", metavar="URL", help="base address of a server in the OpenAI dialect")
    parser.add_argument("--key", metavar="KEY", help="key of that server, if it needs one")
    parser.add_argument("--question", default="What is this?", metavar="TEXT", help="the question of each request")
    parser.add_argument("--concurrency", default="1,4,16", metavar="N,N", help="how many ask at once (default: 1,4,16)")
    parser.add_argument("--requests", type=positive(int), default=32, metavar="N", help="of each level (default: 32)")
    parser.add_argument(
        "--max-tokens", type=positive(int), default=32, metavar="N", help="of each answer (default: 32)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        InputError: A medium cannot be read, or the levels are no numbers.
        ProviderError: The server cannot be reached, or refuses all.
    """
    levels = _levels(arguments.concurrency)
    from tutti.providers.given import as_medium

    media = [as_medium(given(path)) for path in arguments.media]

    from tutti.serve.load_generator import measure_level, pictures_among

    ask, name = _ask(arguments, media)
    ask()
    if not arguments.json:
        note(f"{name}, {arguments.requests} requests a level, at most {arguments.max_tokens} tokens each")
        print(_HEAD)
    for level in levels:
        found = measure_level(ask, level, arguments.requests, pictures_among(media))
        if arguments.json:
            print_json({"model": name, **asdict(found)})
        else:
            print(_line(found), flush=True)


def _levels(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.isdigit() and 0 < int(word) <= 1024 for word in words):
        raise InputError(f"--concurrency is {text!r}; expected numbers from 1 to 1024 such as 1,4,16.")
    return [int(word) for word in words]


def _ask(arguments: argparse.Namespace, media: Sequence[Media]) -> tuple[Ask, str]:
    from tutti.serve import load_generator

    if arguments.url is not None:
        remote = load_generator.Remote(arguments.url, arguments.key)
        name = arguments.model or remote.model()
        body = load_generator.body_of(name, arguments.question, media, arguments.max_tokens)
        return partial(remote.ask, body), f"{name} at {arguments.url}"
    return _ask_local(arguments, media)


def _ask_local(arguments: argparse.Namespace, media: Sequence[Media]) -> tuple[Ask, str]:
    from tutti.content import SamplingOptions
    from tutti.interfaces import Responder
    from tutti.serve import load_generator

    provider: Any = open_named(arguments)
    if not isinstance(provider, Responder):
        raise UnsupportedTask(f"{provider.name} does not answer questions", "ask")
    conversation = load_generator.conversation_of(arguments.question, media)
    options = SamplingOptions(max_tokens=arguments.max_tokens)
    return partial(load_generator.ask_in_process, provider, conversation, options), provider.name


def _line(level: Level) -> str:
    def three(found: dict[str, float]) -> str:
        return "/".join(f"{value:.1f}" for value in found.values())

    failed = f"  {level.failed} failed" if level.failed else ""
    return (
        f"{level.concurrency:6d}  {level.requests_per_s:5.1f}  {level.tokens_per_s:5.0f}  {level.images_per_s:5.1f}  "
        f"{level.cache_hit_ratio:5.0%}   {three(level.first_token_ms):>26}   {three(level.per_token_ms):>22}   "
        f"{three(level.end_to_end_ms):>24}{failed}"
    )
