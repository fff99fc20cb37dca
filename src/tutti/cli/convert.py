"""Write a quantized folder of a checkpoint, or a safetensors folder of the official ImageBind .pth."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutti.cli.options import add_json, add_quantize, note, print_json, told_of_loading
from tutti.errors import InputError

_EPILOG = """examples:
  tutti convert path/to/llava-1.5-7b-hf --quantize int4 --into llava-int4
  tutti ask "What is this?" photo.jpg --model llava-int4
  tutti convert imagebind_huge.pth --into imagebind --vocabulary bpe_simple_vocab_16e6.txt.gz
  tutti embed "a dog barking" bark.wav --model imagebind

A quantized folder is a quarter (int4) or half (int8) of its 16 bits and opens without being quantized anew; a LoRA
adapter goes beside it (--adapter). Of a .pth only tensors are read; a file that asks to run code is refused, and the
digest of the file is kept in config.json.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "source", metavar="SOURCE", help="a checkpoint (built-in name, folder or hub id), or imagebind_huge.pth"
    )
    parser.add_argument("--into", required=True, metavar="FOLDER", help="where to; a checkpoint there is replaced")
    add_quantize(parser)
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="of a .pth: bpe_simple_vocab_16e6.txt.gz of the official code, or a CLIP checkpoint's tokenizer.json "
        "(default: the one beside the .pth)",
    )
    parser.add_argument("--config", metavar="FILE", help="of a .pth: a config.json, for other sizes than the published")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Convert and print what was done.

    Raises:
        CheckpointError: The source is not what it claims to be, or a .pth not of ImageBind.
        InputError: Options were given that do not apply to the source.
    """
    if arguments.quantize is not None:
        _quantize(arguments)
    else:
        _imagebind(arguments)


def _quantize(arguments: argparse.Namespace) -> None:
    if arguments.source.endswith(".pth"):
        raise InputError(
            f"{arguments.source} is a pickle, and a checkpoint folder is what is quantized; convert it without "
            "--quantize first."
        )
    if arguments.vocabulary is not None or arguments.config is not None:
        raise InputError("--vocabulary and --config are for a .pth, and a folder has its own; leave them out.")
    from tutti import checkpoints

    done = checkpoints.shrink(arguments.source, arguments.into, arguments.quantize, told=told_of_loading())
    size = checkpoints.inspect(arguments.into).bytes
    if arguments.json:
        report = {"bytes_before": done.bytes, "bytes": size, "quantization": dict(done.quantized)}
        print_json({"source": arguments.source, "into": arguments.into, **report})
        return
    print(arguments.into)
    note(f"{done.bytes / 1e6:,.1f} MB became {size / 1e6:,.1f} MB:")
    for part, precision in done.quantized.items():
        note(f"  {part}: {precision}")


def _imagebind(arguments: argparse.Namespace) -> None:
    if not (arguments.source.endswith(".pth") or Path(arguments.source).is_file()):
        raise InputError(
            f"{arguments.source} is no .pth, the one kind of file that is converted as it is; give --quantize int8 or "
            "int4 to write a smaller folder of a checkpoint."
        )
    from tutti import checkpoints

    done = checkpoints.convert(
        arguments.source, arguments.into, vocabulary=arguments.vocabulary, config=arguments.config
    )
    if arguments.json:
        print_json({"file": arguments.source, "into": arguments.into, **done})
    else:
        print(arguments.into)
        note(f"{done['parameters'] / 1e6:,.1f} M parameters of {arguments.source}, SHA-256 {done['sha256']}.")
    if done["vocabulary"] is None:
        note(
            "No vocabulary was found beside the file, so the folder embeds media but reads no text; convert again with "
            "--vocabulary, or copy a CLIP checkpoint's tokenizer.json into it."
        )
