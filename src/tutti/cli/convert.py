"""Write a quantized folder of a checkpoint, or a Hugging Face folder of one in another layout."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tutti.cli.options import add_json, add_quantize, check_output, note, print_json, told_of_loading
from tutti.errors import InputError

_EPILOG = """examples:
  tutti convert path/to/llava-1.5-7b-hf --quantize int4 --into llava-int4
  tutti ask "What is this?" photo.jpg --model llava-int4
  tutti convert imagebind_huge.pth --into imagebind --vocabulary bpe_simple_vocab_16e6.txt.gz
  tutti embed "a dog barking" bark.wav --model imagebind
  tutti convert faster-whisper-base --quantize int8+trunks --into whisper
  tutti transcribe talk.mp3 --model whisper
  tutti convert llava-v1.5-7b --vision-tower clip-vit-large-patch14-336 --into llava
  tutti convert qwen2.5-0.5b-instruct-q4_k_m.gguf --quantize int8 --into qwen

A quantized folder is a quarter (int4) or half (int8) of its 16 bits and opens without being quantized anew; a LoRA
adapter goes beside it (--adapter). Other layouts are read too: the official imagebind_huge.pth, folders of Whisper
that CTranslate2 wrote (model.bin), LLaVA-1.5 as its authors publish it, and GGUF files of llama.cpp's (the
architectures llama, mistral and qwen2; extra gguf), whose values are multiplied out. Of a .pth or .bin only tensors are
read; a file that asks to run code is refused, and the digest of what was read is kept in the folder.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a checkpoint (built-in name, folder or hub id), imagebind_huge.pth, a .gguf, or a folder of "
        "CTranslate2's Whisper or of LLaVA's authors",
    )
    parser.add_argument("--into", required=True, metavar="FOLDER", help="where to; a checkpoint there is replaced")
    add_quantize(parser)
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="of a .pth: bpe_simple_vocab_16e6.txt.gz of the official code, or a CLIP checkpoint's tokenizer.json; of "
        "another layout: the model's tokenizer.json (default: the one beside the weights)",
    )
    parser.add_argument("--config", metavar="FILE", help="of a .pth: a config.json, for other sizes than the published")
    parser.add_argument(
        "--vision-tower", metavar="FOLDER", help="of LLaVA's authors: the CLIP checkpoint that the model sees through"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Convert and print what was done.

    Raises:
        CheckpointError: The source is not what it claims to be, or a .pth not of ImageBind.
        InputError: Options were given that do not apply to the source.
    """
    from tutti import checkpoints

    check_output(arguments.into, folder=True)
    path = Path(arguments.source).expanduser()
    layout = checkpoints.foreign_layout(path)
    if arguments.quantize is None:
        _convert(arguments)
    elif layout == "imagebind" or arguments.source.endswith(".pth"):
        raise InputError(
            f"{arguments.source} is a pickle, and a checkpoint folder is what is quantized; convert it without "
            "--quantize first."
        )
    elif layout is None:
        if any(value is not None for value in (arguments.vocabulary, arguments.config, arguments.vision_tower)):
            raise InputError(
                "--vocabulary, --config and --vision-tower are for other layouts, and this checkpoint has its own; "
                "leave them out."
            )
        _quantize(arguments, arguments.source)
    else:
        beside = Path(arguments.into).expanduser().resolve().parent
        beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tutti-convert-", dir=beside) as room:
            _converted(arguments, room + "/plain")
            _quantize(arguments, room + "/plain")


def _quantize(arguments: argparse.Namespace, folder: str) -> None:
    from tutti import checkpoints

    done = checkpoints.shrink(folder, arguments.into, arguments.quantize, told=told_of_loading())
    size = checkpoints.inspect(arguments.into).bytes
    if arguments.json:
        report = {"bytes_before": done.bytes, "bytes": size, "quantization": dict(done.quantized)}
        print_json({"source": arguments.source, "into": arguments.into, **report})
        return
    print(arguments.into)
    note(f"{done.bytes / 1e6:,.1f} MB became {size / 1e6:,.1f} MB:")
    for part, precision in done.quantized.items():
        note(f"  {part}: {precision}")


def _convert(arguments: argparse.Namespace) -> None:
    from tutti import checkpoints

    layout = checkpoints.foreign_layout(Path(arguments.source).expanduser())
    if layout is None and not arguments.source.endswith(".pth"):
        raise InputError(
            f"{arguments.source} is no .pth, no .gguf and no folder of another layout than a checkpoint's; give "
            "--quantize int8 or int4 to write a smaller folder of a checkpoint."
        )
    done = _converted(arguments, arguments.into)
    if arguments.json:
        print_json({"file": arguments.source, "into": arguments.into, **done})
    else:
        print(arguments.into)
        digests = done["sha256"]
        said = (
            digests if isinstance(digests, str) else ", ".join(f"{digest} ({name})" for name, digest in digests.items())
        )
        note(f"{done['parameters'] / 1e6:,.1f} M parameters of {arguments.source}, SHA-256 {said}.")
    if done["vocabulary"] is None:
        note(
            "No vocabulary was found beside the file, so the folder embeds media but reads no text; convert again with "
            "--vocabulary, or copy a CLIP checkpoint's tokenizer.json into it."
        )


def _converted(arguments: argparse.Namespace, into: str) -> dict[str, Any]:
    from tutti import checkpoints

    return checkpoints.convert(
        arguments.source,
        into,
        vocabulary=arguments.vocabulary,
        config=arguments.config,
        vision_tower=arguments.vision_tower,
        told=told_of_loading(),
    )
