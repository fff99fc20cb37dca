"""Turn the official ImageBind .pth into a safetensors folder."""

from __future__ import annotations

import argparse

from tutti.cli.options import add_json, note, print_json

_EPILOG = """examples:
  tutti convert imagebind_huge.pth --into imagebind --vocabulary bpe_simple_vocab_16e6.txt.gz
  tutti embed "a dog barking" bark.wav --model imagebind

Tensors only are read; a file that asks to run code is refused. The digest of the file is kept in config.json.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="imagebind_huge.pth")
    parser.add_argument("--into", required=True, metavar="FOLDER", help="where to; a checkpoint there is replaced")
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="bpe_simple_vocab_16e6.txt.gz of the official code, or a CLIP checkpoint's tokenizer.json "
        "(default: the one beside FILE)",
    )
    parser.add_argument("--config", metavar="FILE", help="a config.json, for a file of other sizes than the published")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Convert and print what was done.

    Raises:
        CheckpointError: The file is not the official ImageBind checkpoint, or holds more than tensors.
    """
    from tutti import checkpoints

    done = checkpoints.convert(arguments.file, arguments.into, vocabulary=arguments.vocabulary, config=arguments.config)
    if arguments.json:
        print_json({"file": arguments.file, "into": arguments.into, **done})
    else:
        print(arguments.into)
        note(f"{done['parameters'] / 1e6:,.1f} M parameters of {arguments.file}, SHA-256 {done['sha256']}.")
    if done["vocabulary"] is None:
        note(
            "No vocabulary was found beside the file, so the folder embeds media but reads no text; convert again with "
            "--vocabulary, or copy a CLIP checkpoint's tokenizer.json into it."
        )
