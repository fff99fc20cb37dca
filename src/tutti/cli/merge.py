"""Merge a LoRA adapter into its model: a plain checkpoint."""

from __future__ import annotations

import argparse

from tutti.cli.options import add_json, check_output, note, print_json

_EPILOG = """examples:
  tutti merge path/to/model --adapter path/to/adapter --into merged
  tutti merge tutti-mini --adapter run/adapter --into mine && tutti ask "What is this?" photo.jpg --model mine
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("model", metavar="MODEL", help="a built-in name, a checkpoint folder or a hub id")
    parser.add_argument("--adapter", required=True, metavar="FOLDER", help="a LoRA adapter in the PEFT layout")
    parser.add_argument("--into", required=True, metavar="FOLDER", help="where to; a checkpoint there is replaced")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Merge and print what was done.

    Raises:
        CheckpointError: The adapter is of another model, or one of the folders is not what it should be.
    """
    from tutti import checkpoints

    check_output(arguments.into, folder=True)
    changed = checkpoints.merge(arguments.model, arguments.adapter, arguments.into)
    if arguments.json:
        print_json({"model": arguments.model, "adapter": arguments.adapter, "into": arguments.into, "layers": changed})
        return
    print(arguments.into)
    note(f"{changed} layers changed; `tutti inspect {arguments.into}` shows what it holds.")
