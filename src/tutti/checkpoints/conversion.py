"""Checkpoints in other layouts to folders in the Hugging Face layout, told apart by what lies in them."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from tutti.checkpoints.converting_ctranslate2 import convert_ctranslate2
from tutti.checkpoints.converting_gguf import convert_gguf
from tutti.checkpoints.converting_imagebind import convert_imagebind
from tutti.checkpoints.converting_llava import convert_llava
from tutti.checkpoints.layouts import foreign_layout
from tutti.errors import CheckpointError, InputError


def convert(
    source: str | PathLike[str],
    into: str | PathLike[str],
    *,
    vocabulary: str | PathLike[str] | None = None,
    config: str | PathLike[str] | None = None,
    vision_tower: str | PathLike[str] | None = None,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Convert a checkpoint of another layout. Nothing in it is executed.

    Args:
        source: `imagebind_huge.pth`, or another file of tensors only with ImageBind's official names; a folder of
            Whisper as CTranslate2 writes it (`model.bin`), which faster-whisper reads; or one of LLaVA-1.5 as its
            authors publish it, in shards of tensors only (`pytorch_model-*.bin`); or a GGUF file of llama.cpp's, of
            the architectures llama, mistral and qwen2.
        into: The folder to be written; a checkpoint that is there is replaced.
        vocabulary: Of ImageBind `bpe_simple_vocab_16e6.txt.gz` of the official repository, or a CLIP checkpoint's
            `tokenizer.json`; of Whisper and GGUF its `tokenizer.json`; of LLaVA that, or `tokenizer.model`. Without it
            the one that lies beside the weights is taken; ImageBind reads no text if there is none.
        config: A `config.json` of `model_type` "imagebind", for a file of other sizes than the published.
        vision_tower: Of LLaVA: the folder of the CLIP checkpoint that it sees through.
        told: Of a GGUF file: called with the bytes of weights that were written out and of all.

    Returns:
        {"sha256": digest of the weights' file, or of LLaVA's several by their names, "parameters": stored values,
        "vocabulary": its path or None}.

    Raises:
        UnsafeCheckpoint: A pickle holds more than tensors.
        CheckpointError: The source is missing, damaged, or of no layout that is converted, or there is something else
            in the place.
        InputError: The vocabulary cannot be read, or an option was given that does not apply.
    """
    path = Path(source).expanduser()
    layout = foreign_layout(path)
    if config is not None and layout in ("ctranslate2", "llava", "gguf"):
        raise InputError("A config.json is for ImageBind's file, and this layout has its own; leave it out.")
    if vision_tower is not None and layout != "llava":
        raise InputError("A picture tower is for a LLaVA of its authors; leave it out.")
    if layout == "ctranslate2":
        return convert_ctranslate2(path, into, vocabulary=vocabulary)
    if layout == "llava":
        return convert_llava(path, into, vocabulary=vocabulary, vision_tower=vision_tower)
    if layout == "gguf":
        return convert_gguf(path, into, vocabulary=vocabulary, told=told)
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a folder of no layout that is converted; expected CTranslate2's (model.bin) or that of LLaVA's "
            "authors. A folder in the Hugging Face layout is loaded as it is, or quantized."
        )
    return convert_imagebind(path, into, vocabulary=vocabulary, config=config)
