"""CLIP's vocabulary as its authors publish it to a `tokenizer.json`.

Reference: `SimpleTokenizer` of github.com/openai/CLIP and of ImageBind: byte pairs with marked ends of words, over
lower-cased text whose spaces are single.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from tutti.errors import InputError

_START, _END = "<|startoftext|>", "<|endoftext|>"
_MERGES = 49152 - 256 - 2
"""Merges that are used; the file holds more."""
_MAX_BYTES = 64_000_000
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PRINTABLE = (range(ord("!"), ord("~") + 1), range(ord("¡"), ord("¬") + 1), range(ord("®"), ord("ÿ") + 1))


def tokenizer_json(file: Path) -> str:
    """The content of a `tokenizer.json` for a vocabulary.

    Args:
        file: `bpe_simple_vocab_16e6.txt.gz`, or a `tokenizer.json`, which is taken as it is.

    Raises:
        InputError: The file cannot be read or is neither.
    """
    try:
        if file.name.endswith(".json"):
            return file.read_text(encoding="utf-8")
        with gzip.open(file) as stream:
            content = stream.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise InputError(f"{file} holds more than {_MAX_BYTES:,} bytes; expected a vocabulary of merges.")
        lines = content.decode("utf-8").split("\n")[1 : _MERGES + 1]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(
            f"The vocabulary {file} cannot be read ({type(error).__name__}); expected bpe_simple_vocab_16e6.txt.gz or "
            "a tokenizer.json."
        ) from None
    pairs = [line.split() for line in lines if line.strip()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise InputError(f"{file} is no vocabulary; expected two pieces a line after the first.")
    return _build([(first, second) for first, second in pairs])


def _build(merges: list[tuple[str, str]]) -> str:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    alphabet = _alphabet()
    pieces = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *map("".join, merges), _START, _END]
    ids = {piece: index for index, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(ids, merges, end_of_word_suffix="</w>", unk_token=_END))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([_START, _END])
    made.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}", special_tokens=[(_START, ids[_START]), (_END, ids[_END])]
    )
    return made.to_str()


def _alphabet() -> list[str]:
    """A printable letter for each byte: itself where it is one, else one from 256 on, in the order of the reference."""
    own = [chr(byte) for block in _PRINTABLE for byte in block]
    return own + [chr(256 + index) for index in range(256 - len(own))]
