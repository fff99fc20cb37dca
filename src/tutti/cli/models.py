"""List the built-in models and the ways to name others."""

from __future__ import annotations

import argparse

from tutti.cli.options import add_json, print_json

_EPILOG = """examples:
  tutti models
  tutti models --json
"""
_OTHERS = """
Another model: --model path/to/folder or --model organization/name (a hub id, downloaded once), both in the
Hugging Face layout; `tutti inspect` shows what is in one. Without --model, TUTTI_MODEL is used if it is set.
Families that are known (model_type of config.json): {families}.
`tutti inspect` shows what a checkpoint can do."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    add_json(parser, "one JSON object a line")


def run(arguments: argparse.Namespace) -> None:
    """Print a line a model.

    Raises:
        CheckpointError: A built-in model is missing or broken.
    """
    from tutti import checkpoints
    from tutti.checkpoints.families import FAMILIES
    from tutti.checkpoints.model_paths import BUILT_IN

    for name in BUILT_IN:
        info = checkpoints.inspect(name)
        if arguments.json:
            tasks = list(info.tasks)
            print_json(
                {
                    "name": name,
                    "family": info.family,
                    "parameters": info.parameters,
                    "bytes": info.bytes,
                    "tasks": tasks,
                }
            )
        else:
            size = f"{info.parameters / 1e6:.1f} M parameters, {info.bytes / 1e6:.1f} MB"
            print(f"{name}  built in; {info.family}, {size}; {', '.join(info.tasks)}")
    if not arguments.json:
        print(_OTHERS.format(families=", ".join(sorted(FAMILIES))))
