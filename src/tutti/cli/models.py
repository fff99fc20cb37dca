"""List the built-in models and the ways to name others."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from tutti.cli.options import add_json, print_json

_EPILOG = """examples:
  tutti models
  tutti models --json
"""
_OTHERS = """
Another model: --model path/to/folder, in the Hugging Face layout (`tutti inspect` tells what is in one).
Without --model, TUTTI_MODEL is taken if it is set."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    add_json(parser, "one JSON object a line")


def run(arguments: argparse.Namespace) -> None:
    """Print a line a model."""
    for row in _built_in():
        if arguments.json:
            print_json(row)
        else:
            print(f"{row['name']:<12} {row['family']:<12} {row['megabytes']:5.1f} MB, built in")
    if not arguments.json:
        print(_OTHERS)


def _built_in() -> Iterator[dict[str, str | float]]:
    """What lies in the package's `assets`, a checkpoint folder each."""
    assets = Path(__file__).parents[1] / "assets"
    for config in sorted(assets.glob("*/config.json")):
        family = json.loads(config.read_text(encoding="utf-8"))["model_type"]
        size = sum(file.stat().st_size for file in config.parent.glob("*.safetensors"))
        yield {
            "name": config.parent.name,
            "family": family,
            "megabytes": round(size / 1e6, 1),
            "folder": str(config.parent),
        }
