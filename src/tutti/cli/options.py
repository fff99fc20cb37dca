"""Options and printing that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add `--model`."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a built-in name, checkpoint folder, hub id, openai:, anthropic: or gemini:MODEL, or http://HOST/v1#MODEL "
        "(default: TUTTI_MODEL, else tutti-mini)",
    )


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=f"print {what} and nothing else on stdout")


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for argparse: a number above zero."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parse.__name__ = "number"
    return parse


def print_json(value: Any) -> None:
    """Print one object on one line of stdout, and let it go at once: a reader may be waiting."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def note(text: str) -> None:
    """Tell the person something that is not the result."""
    print(text, file=sys.stderr)
