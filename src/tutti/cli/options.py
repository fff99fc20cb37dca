"""Options and printing that several commands share."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.content import Media
    from tutti.interfaces import Provider
    from tutti.model import Model

_LARGE_BYTES = 500_000_000
"""Loading so many bytes takes seconds, so progress is shown."""


def add_model(parser: argparse.ArgumentParser, default: str = "tutti-mini", *, several: bool = False) -> None:
    """Add `--model`, `--adapter`, `--quantize`, `--device` and `--dtype`.

    Without a name, and without `TUTTI_MODEL`, the default is loaded.

    Args:
        parser: To which they are added.
        default: What the help says is loaded.
        several: Whether there may be adapters with names of their own, as NAME=FOLDER.
    """
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a built-in name, checkpoint folder, hub id, openai:, anthropic: or gemini:MODEL, http://HOST/v1#MODEL, "
        f"route:FOLDER or best:FOLDER (default: TUTTI_MODEL, else {default})",
    )
    if several:
        parser.add_argument(
            "--adapter", action="append", metavar="[NAME=]FOLDER",
            help="a LoRA adapter of the model; with a name it is asked by that name, beside the model; may be repeated",
        )  # fmt: skip
    else:
        parser.add_argument("--adapter", metavar="FOLDER", help="a LoRA adapter of the model, or a run of `tutti tune`")
    add_quantize(parser)
    add_device(parser)


def add_device(parser: argparse._ActionsContainer) -> None:
    """Add `--device` and `--dtype`."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where a model on this machine computes: auto, cpu, cuda or cuda:N (default: TUTTI_DEVICE, else auto: a "
        "GPU where there is one)",
    )
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="precision of its weights (auto: bfloat16 on a GPU that computes in it, float32 on the CPU and beside "
        "--quantize)",
    )


def placing(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_device`'s options say, as `tutti.load` takes it."""
    return {"device": getattr(arguments, "device", None), "dtype": getattr(arguments, "dtype", None)}


def add_quantize(parser: argparse._ActionsContainer) -> None:
    """Add `--quantize`."""
    parser.add_argument(
        "--quantize",
        metavar="HOW",
        help="int8 or int4 weights in the decoder; with +trunks behind it, int8 in trunks, too; int4+trunks4: int4 in "
        "their MLPs",
    )


def add_json(parser: argparse._ActionsContainer, what: str = "one JSON object") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=f"print {what} and nothing else on stdout")


def load_model(arguments: argparse.Namespace, **more: Any) -> Model:
    """The model that `add_model`'s options name, with progress on a terminal if it is large.

    Args:
        arguments: With `model`, `quantize` and `adapter`, and perhaps `device` and `dtype`.
        more: Further arguments of `tutti.load`.

    Raises:
        TuttiError: As `tutti.load`.
    """
    import tutti

    more = {**placing(arguments), "told": told_of_loading(), **more}
    return tutti.load(arguments.model, quantize=arguments.quantize, adapter=arguments.adapter, **more)


def open_named(arguments: argparse.Namespace, **more: Any) -> Provider:
    """As `load_model`, of the provider alone, for rooms that ask it themselves."""
    import tutti
    from tutti.providers.registry import is_hosted

    if is_hosted(arguments.model or ""):  # what `TUTTI_PRIVACY` asks for is done there
        return load_model(arguments, **more).responder()
    more = {**placing(arguments), "told": told_of_loading(), **more}
    return tutti.open_provider(arguments.model, quantize=arguments.quantize, adapter=arguments.adapter, **more)


def told_of_loading() -> Callable[[int, int], None] | None:
    """What prints how far loading is, on stderr if that is a terminal."""
    return _show_loading if sys.stderr.isatty() else None


def _show_loading(done: int, total: int) -> None:
    if total < _LARGE_BYTES:
        return
    line = f"reading weights: {done / 1e9:.1f} of {total / 1e9:.1f} GB" if done < total else ""
    # The cursor stays at the beginning, so that whatever comes next, an error too, is written over it.
    sys.stderr.write(f"\r\x1b[K{line}\r")
    sys.stderr.flush()


SENSORS_HELP = "readings of sensors as depth:FILE, thermal:FILE or motion@HZ:FILE"


def sensor(text: str) -> Media | None:
    """Readings named as `depth:FILE`, `thermal:FILE`, `motion:FILE` or `motion@200:FILE`; None for anything else.

    Their modality cannot be detected from the file, as that of pictures and recordings can.

    Raises:
        InputError: There is no such file.
    """
    found = re.fullmatch(r"(depth|thermal|motion(?:@([0-9.]+))?):(.+)", text, re.DOTALL)
    if found is None:
        return None
    from tutti.cli.piped import given, is_pipe
    from tutti.content import Depth, Motion, Thermal

    kind, rate, path = found.groups()
    if not Path(path).is_file() and not is_pipe(path):
        raise InputError(f"{path}: no such file; give the path of readings, as in depth:room.png.")
    source = given(path)
    if kind == "depth":
        return Depth(source)
    return Thermal(source) if kind == "thermal" else Motion(source, sample_rate_hz=_rate(rate) if rate else None)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not rate > 0:
        raise InputError(f"motion@{text} is no rate; expected readings a second, as in motion@200:walk.csv.")
    return rate


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for argparse: a number above zero."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parse.__name__ = "number"
    return parse


def check_output(path: str | Path, *, folder: bool = False) -> None:
    """Look whether something can be written, before anything is loaded, asked or paid for.

    Args:
        path: A file, or a folder, that may not be there yet.
        folder: Whether it is a folder.

    Raises:
        InputError: It cannot: the place is read-only, or a file where a folder is expected, or the other way round.
    """
    wanted = Path(path).expanduser()
    place = wanted
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() and (folder or place != wanted):
        raise InputError(f"Cannot write {path}: {place} is a file; expected a folder.")
    if place == wanted and place.is_dir() and not folder:
        raise InputError(f"Cannot write {path}: it is a folder; name a file in it.")
    mode = os.W_OK | (os.X_OK if place.is_dir() else 0)
    if not os.access(place, mode, effective_ids=os.access in os.supports_effective_ids):
        raise InputError(f"Cannot write {path}: {place} is read-only; name another place, or change its permissions.")


def print_json(value: Any) -> None:
    """Print one object on one line of stdout, and let it go at once: a reader may be waiting.

    What the stream's encoding lacks, and halves of surrogate pairs as in the names of some files, are JSON's escapes.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    print(text, flush=True)


def note(text: str) -> None:
    """Tell the person something that is not the result."""
    print(text, file=sys.stderr)
