"""Place texts and media in the shared space and compare them."""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import SENSORS_HELP, add_json, add_model, load_model, note, print_json, sensor
from tutti.cli.piped import given, is_pipe
from tutti.errors import InputError, TextWarning

if TYPE_CHECKING:
    from tutti.content import Part

_EPILOG = """examples:
  tutti embed "a dog" photo.jpg bark.wav          how near each is to each
  tutti embed photo.jpg --json > photo.jsonl      the vectors, one object a line
  tutti embed --text dog.jpg                      the words, not the file
  tutti embed "a kitchen" depth:room.png --model path/to/imagebind
"""
_ADDRESSES = ("data:", "http://", "https://")
"""What is a medium, or is refused as one, and never words."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help=f"words, the path or data: URL of a medium, - (standard input), or {SENSORS_HELP}",
    )
    parser.add_argument("--text", action="store_true", help="treat every INPUT as words, even if it names a file")
    parser.add_argument(
        "--truncate", action="store_true", help="embed the beginning of words that are too long for the model"
    )
    add_model(parser)
    add_json(parser, "one JSON object a line, one for each INPUT,")


def run(arguments: argparse.Namespace) -> None:
    """Embed and print vectors (`--json`) or cosine similarities.

    Raises:
        CapacityError: Words are longer than the model embeds, and --truncate was not given.
        InputError: An input is empty, in no language of the model, or names a file that cannot be read.
    """
    parts = [_part(text, arguments.text) for text in arguments.inputs]

    model = load_model(arguments)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", TextWarning)
        vectors = model.embed(parts, truncate=arguments.truncate)
    for remark in remarks:
        note(f"Note: {remark.message}")
    if arguments.json:
        for text, part, vector in zip(arguments.inputs, parts, vectors, strict=True):
            print_json({"input": text, "modality": part.modality, "model": model.name, "vector": vector.tolist()})
        return
    _print_similarities(arguments.inputs, parts, vectors)
    note(f"Cosine similarities of {len(parts)} unit vectors of {vectors.shape[1]} numbers; --json prints the vectors.")


def _part(text: str, is_text: bool) -> Part:
    from tutti.content import Text

    if not text.strip():
        raise InputError("An input is empty; expected words or the path of a medium.")
    if not is_text and (readings := sensor(text)) is not None:
        return readings
    if is_pipe(text):
        return _from_pipe(text, is_text)
    if is_text or not _names_file(text):
        return Text(text)
    from tutti.media import wrap

    if not text.startswith(_ADDRESSES) and not Path(text).exists():
        raise InputError(f"{text}: no such file; give the path of one, or --text if these are words.")
    return wrap(text)


def _from_pipe(text: str, is_text: bool) -> Part:
    """A medium, or words where the content is no medium but text."""
    import io

    from tutti.content import Text
    from tutti.media import wrap
    from tutti.media.sniff import sniff
    from tutti.media.text_files import decoded

    content = given(text)
    if isinstance(content, bytes) and (is_text or sniff(io.BytesIO(content)) is None):
        try:
            words = decoded(content, text).strip()
        except InputError:
            words = ""
        if words:
            return Text(words)
    return wrap(content)


def _names_file(text: str) -> bool:
    """Whether an input is a path: it exists, or looks like one (a mistyped path must not pass as words)."""
    if text.startswith(_ADDRESSES) or re.fullmatch(r"\S+\.[A-Za-z][A-Za-z0-9]{1,3}", text):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # words can be too long for a path, or hold a zero byte
        return False


def _print_similarities(names: list[str], parts: list[Part], vectors: Any) -> None:
    similarities = vectors @ vectors.T
    width = max(len(name) for name in names)
    for row, (name, part) in enumerate(zip(names, parts, strict=True)):
        print(f"{name:<{width}}  {part.modality:<5}", *(f"{value:6.3f}" for value in similarities[row]))
