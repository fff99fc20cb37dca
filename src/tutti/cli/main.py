"""The command `tutti`: a lazy table of commands, and the one place where errors become exit codes.

A command is a module with `configure(parser)` and `run(arguments)`; its docstring's first line is its line of help.
Only the chosen one is imported, so that `tutti --help` costs no more than starting Python.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, cast

from tutti import __version__
from tutti.cli import streams
from tutti.errors import CapacityError, InputError, ProviderError, TuttiError

COMMANDS = {
    "ask": ("tutti.cli.ask", "Answer a question, with pictures, recordings or videos to look at."),
    "classify": ("tutti.cli.classify", "Say which of your labels fits a medium, and how well each does."),
    "convert": (
        "tutti.cli.convert",
        "Write a quantized folder of a checkpoint, or a Hugging Face folder of one in another layout.",
    ),
    "embed": ("tutti.cli.embed", "Place texts and media in the shared space and compare them."),
    "serve": ("tutti.cli.serve", "Serve a model over HTTP, in the OpenAI dialect."),
    "index": (
        "tutti.cli.index",
        "Index a folder or a product feed, so that everything in it can be searched and asked about.",
    ),
    "search": ("tutti.cli.search", "Find pictures, sounds, videos and texts by words or by something alike."),
    "shop": (
        "tutti.cli.shop",
        "Talk to a shop: a product feed as catalogue, photographs, and answers that state only what it holds.",
    ),
    "moderate": (
        "tutti.cli.moderate",
        "Decide on pictures, films, recordings and texts by a policy of your own, with reasons.",
    ),
    "radiology": (
        "tutti.cli.radiology",
        "Draft radiology reports whose every sentence has a source, order them, and sign them. A demonstration.",
    ),
    "demo": (
        "tutti.cli.demo",
        "Show what Tutti does in a page for the browser: ask, search, redact, compare, reports, the applications.",
    ),
    "merge": ("tutti.cli.merge", "Merge a LoRA adapter into its model: a plain checkpoint."),
    "bench": ("tutti.cli.bench", "Measure how fast a model or a server answers when several ask at once."),
    "models": ("tutti.cli.models", "List the built-in models and the ways to name others."),
    "cost": (
        "tutti.cli.cost",
        "Say what a query costs before it is sent, and when machines of your own become cheaper.",
    ),
    "choose": (
        "tutti.cli.choose",
        "Choose a model from what you need, with reasons for those that fit and against those that do not.",
    ),
    "evaluate": (
        "tutti.cli.evaluate",
        "Measure models on examples of your own: quality with intervals, inventions, latency, cost.",
    ),
    "inspect": ("tutti.cli.inspect", "Read a checkpoint's headers: family, parameters, memory; loads nothing."),
    "verify": (
        "tutti.cli.verify",
        "Check what an answer claims about media, by others than the model that made it.",
    ),
    "audit": (
        "tutti.cli.audit",
        "Audit a model for differences between groups of people, with intervals, thresholds and counterfactual pairs.",
    ),
    "transcribe": ("tutti.cli.transcribe", "Write down the speech of a recording or a video, with its times."),
    "live": (
        "tutti.cli.live",
        "Write down speech while it is said, answer questions on what is seen, and report alerts.",
    ),
    "provenance": (
        "tutti.cli.provenance",
        "Say where media come from, as far as they say so themselves and are signed (C2PA).",
    ),
    "sign": (
        "tutti.cli.sign",
        "Sign a medium with your certificate, with what was done to it, so that others can check it (C2PA).",
    ),
    "vault": ("tutti.cli.vault", "Make, rotate and destroy the keys that encrypt indexes and caches."),
    "redact": (
        "tutti.cli.redact",
        "Copy media without faces, words that identify and metadata, with a record of what was done.",
    ),
    "tune": (
        "tutti.cli.tune",
        "Tune a model that answers, or writes down speech, on your own data: an adapter, some parts, or the whole.",
    ),
    "feedback": (
        "tutti.cli.feedback",
        "Keep what people think of answers, and make of it what a model can learn from.",
    ),
    "specialise": (
        "tutti.cli.specialise",
        "Fit a specialist on labelled examples, compare it with the generalist, and make a router between the two.",
    ),
    "train": ("tutti.cli.train", "Run the training phases of a recipe."),
}

_EPILOG = """start with:
  tutti ask "What animal is this?" photo.jpg

settings of the environment:
  TUTTI_MODEL        the model where --model names none (tutti-mini)
  TUTTI_DEVICE       where models compute where --device names none (auto: a GPU where there is one)
  TUTTI_THREADS      compute threads (as many as torch chooses)
  TUTTI_KEYS_FILE    keys of hosted models (~/.config/tutti/keys.toml), beside OPENAI_API_KEY, ANTHROPIC_API_KEY and
                     GEMINI_API_KEY
  TUTTI_SERVER_API_KEY   key for servers in OpenAI's dialect
  TUTTI_CACHE_FOLDER what --cache keeps, and what was found in long videos (~/.cache/tutti)
  TUTTI_API_KEYS     keys that `tutti serve` accepts, as TENANT:KEY,TENANT:KEY
  TUTTI_VAULT_KEY    root key of --vault: file:PATH, env:NAME, age:IDENTITY, command:WORDS (~/.config/tutti/vault.key)
  TUTTI_EMBEDDING_BYTES  of embeddings of media kept there beyond the process (none)
  TUTTI_SECOND_FORM_BYTES  of int8 weights beside int4 ones, for speed (1 billion)
  TUTTI_PRIVACY      TOML file: what must be done to media before they may go to a hosted model
  TUTTI_MAX_PIXELS   of one picture, or of all frames kept from a video (128 million)
  TUTTI_MAX_SECONDS  of a recording or video (1,800)
  TUTTI_MAX_PAGES    of a document that a model is given at once (50)
  TUTTI_MAX_BYTES    of a file (512 million)
  TUTTI_MAX_STREAM_SECONDS  of one read piece by piece, as by `tutti index`, or seen in frames only (86,400)

exit codes: 0 done, 1 a bug of ours, 2 you can fix it, 3 over a limit, 4 a provider failed
"""

DONE, BUG, FIXABLE, OVER_LIMIT, PROVIDER_FAILED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 130, 141
_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (InputError, FIXABLE),
    (CapacityError, OVER_LIMIT),
    (ProviderError, PROVIDER_FAILED),
    (TuttiError, FIXABLE),
)


class Command(Protocol):
    """What a command's module offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments and the epilog with examples."""
        ...

    def run(self, arguments: argparse.Namespace) -> int | None:
        """Do it; print the result on stdout and everything else on stderr. None is exit code 0."""
        ...


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}; `{self.prog} --help` shows what is expected.")


class _CommandParser(_Parser):
    """Takes options anywhere, also between the words: `tutti ask "What is it?" --json photo.jpg`."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        # The way below leads here again, twice; and it forgets that words behind -- are no options.
        if self._mixing or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def run() -> NoReturn:
    """Enter from the shell."""
    streams.set_up()
    code = main()
    streams.finish()
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after `tutti`; those of the process when not given.

    Returns:
        The exit code: 0 done; 1 a bug of ours; 2 the user can fix it; 3 over a limit; 4 a provider failed;
        130 interrupted; 141 the reader of the output has closed it.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except streams.ReaderGone:
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 the outermost frame: whatever is left is reported, never swallowed
        return _report(error, debug)
    return code


def _dispatch(words: Sequence[str]) -> int:
    parser = _parser(next((word for word in words if not word.startswith("-")), None))
    if not words:
        parser.print_help()
        return DONE
    try:
        arguments = parser.parse_args(words)
    except SystemExit as end:  # --help and --version have printed what they print
        return int(end.code or DONE)
    if arguments.command is None:
        parser.error("no command was given")
    return _load(arguments.command).run(arguments) or DONE


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    if chosen is not None and chosen not in COMMANDS:
        near = difflib.get_close_matches(chosen, COMMANDS, n=1)
        raise InputError(
            f"There is no command {chosen!r}{f', perhaps you meant {near[0]!r}' if near else ''}; "
            "`tutti --help` lists them."
        )
    parser = _Parser(
        prog="tutti",
        description="Ask, compare and train models that see, hear and read, on your own machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tutti {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_CommandParser)
    for name, (_, help_line) in COMMANDS.items():
        sub = commands.add_parser(
            name, help=help_line, description=help_line, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == chosen:
            _load(name).configure(sub)
            sub.add_argument(
                "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
            )
    return parser


def _load(name: str) -> Command:
    return cast(Command, importlib.import_module(COMMANDS[name][0]))


def _report(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        # A file of the user's that none of the rooms has looked at: no bug, though its command could say more.
        error = InputError(f"{error.filename} cannot be used: {error.strerror}; check the path and its permissions.")
    code = next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), BUG)
    if code == BUG:
        hint = "" if debug else " Run it again with --debug for the traceback."
        print(f"tutti: this is a bug of ours: {type(error).__name__}: {error}.{hint}", file=sys.stderr)
    else:
        print(f"tutti: {error}", file=sys.stderr)
    return code
