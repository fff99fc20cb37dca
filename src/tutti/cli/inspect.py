"""Read a checkpoint's headers: family, parameters, memory; loads nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tutti.cli.options import add_device, add_json, add_quantize, print_json
from tutti.errors import InputError

_EPILOG = """examples:
  tutti inspect tutti-mini
  tutti inspect path/to/checkpoint --json
  tutti inspect llava-hf/llava-1.5-7b-hf --device cuda --quantize int4    # what it would take in memory there
  tutti inspect --machine
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs="?", help="a built-in name, a folder or a hub id")
    parser.add_argument(
        "--machine",
        action="store_true",
        help="instead: which kernels multiply by quantized weights on this processor, and which were found wrong",
    )
    add_device(parser)
    add_quantize(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Inspect and print.

    Raises:
        CheckpointError: The folder is not what it claims to be.
        InputError: A checkpoint and `--machine` were given, or neither.
    """
    info = _machine() if _asks_for_machine(arguments) else _checkpoint(arguments)
    if arguments.json:
        print_json(info)
        return
    rows = list(_rows(info))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _asks_for_machine(arguments: argparse.Namespace) -> bool:
    if arguments.machine == (arguments.checkpoint is not None):
        found = f"{arguments.checkpoint} and --machine were" if arguments.machine else "Neither was"
        raise InputError(f"{found} given; give either a checkpoint or --machine.")
    return bool(arguments.machine)


def _checkpoint(arguments: argparse.Namespace) -> dict[str, Any]:
    from tutti import checkpoints

    info = checkpoints.inspect(arguments.checkpoint)
    device, dtype, quantize = arguments.device, arguments.dtype, arguments.quantize
    if device is dtype is quantize is None:
        return asdict(info)
    from tutti.checkpoints.needs import needed_memory

    return asdict(info) | {"needed_bytes": needed_memory(info, dtype, quantize, _is_gpu(device or "cpu"))}


def _is_gpu(device: str) -> bool:
    """Whether a name is that of a GPU, which need not be in this machine: only what is here is asked of torch."""
    if device.startswith("cuda"):
        return True
    if device == "cpu":
        return False
    from tutti.checkpoints.devices import find_device

    return find_device(device).type == "cuda"


def _machine() -> dict[str, Any]:
    from tutti.engine.machine import machine

    return machine()


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = key if prefix else key.replace("_", " ")  # the names of parts are the checkpoint's own
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        elif isinstance(value, int) and not isinstance(value, bool):
            yield f"{prefix}{name}", f"{value:,}"
        elif value is not None:
            yield f"{prefix}{name}", str(value)
