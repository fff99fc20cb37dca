"""A GGUF file of llama.cpp's, as quantized language models are published, to a folder in the Hugging Face layout.

Source: `gguf` (the library of llama.cpp) for the types and for multiplying quantized values out; llama.cpp,
`convert_hf_to_gguf.py`, for the names and for the order of rows of q and k, which this undoes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutti.checkpoints.family import Family
from tutti.checkpoints.foreign import file_digest, put_in
from tutti.checkpoints.gguf_config import config_of_gguf
from tutti.checkpoints.gguf_header import GGUFHeader, GGUFTensor, read_gguf
from tutti.checkpoints.saving import save
from tutti.errors import CheckpointError, MissingExtra, UnsupportedConfig
from tutti.processing.chat import ChatTemplate
from tutti.processing.gguf_vocabulary import special_tokens, tokenizer_of_gguf
from tutti.processing.tokenizer import Tokenizer

NAMES: Mapping[str, str] = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk.{}.attn_norm": "model.layers.{}.input_layernorm",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.ffn_norm": "model.layers.{}.post_attention_layernorm",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj",
}
"""A layer in GGUF → in the Hugging Face layout; `{}` is the block's number. The same table serves both ways."""
FREQUENCIES = "rope_freqs.weight"
"""By what Llama 3's rotary frequencies are divided; `config.json` says it in four numbers."""
_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "</s>")
"""Tokens that end an answer wherever a vocabulary marks them as its own; a template's turn may end in another than the
text."""
_CHUNK_VALUES = 16_777_216
"""Values that are multiplied out at a time."""
_CARD = """---
license: {licence}
---
# {name}, converted

Weights of `{file}` (SHA-256 {digest}), a GGUF file of llama.cpp's ({kinds}), multiplied out to floating-point numbers
and written in the Hugging Face layout by `tutti convert`. The licence is the one that the file names; where it names
none, it is that of the model that the file was made from.
"""


def convert_gguf(
    file: Path,
    into: str | PathLike[str],
    *,
    vocabulary: str | PathLike[str] | None = None,
    told: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Convert a GGUF file. Arguments, result and errors as for `tutti.checkpoints.convert`.

    Raises:
        MissingExtra: The library `gguf` is not installed.
        CapacityError: The header is larger than any known one.
    """
    library = _library()
    header = read_gguf(file)
    config = config_of_gguf(header, file.name, _frequencies(library, header, file))
    tokenizer = _tokenizer(header, vocabulary, file.name)
    files = _files(header, tokenizer, file.name)
    family = _family(config)
    with torch.device("meta"):
        model = family.model(family.config(config))
    weights = dict(_weights(library, header, file, config, told))
    put_in(model, weights, file.name, "it is incomplete or of another model")
    digest, said = file_digest(file), header.metadata
    files["README.md"] = _CARD.format(
        licence=str(said.get("general.license", "other")),
        name=str(said.get("general.name", file.stem)),
        file=file.name,
        digest=digest,
        kinds=", ".join(sorted({_kind(library, one, file.name).name for one in header.tensors.values()})),
    )
    save(model, into, config, files)
    return {
        "sha256": digest,
        "parameters": sum(tensor.numel() for tensor in weights.values()),
        "vocabulary": str(vocabulary or file),
    }


def theirs(name: str) -> str:
    """What GGUF calls a weight of the Hugging Face layout.

    Raises:
        UnsupportedConfig: It has no name for it.
    """
    return _renamed(name, {ours: gguf for gguf, ours in NAMES.items()})


def _library() -> ModuleType:
    try:
        import gguf
    except ImportError:
        raise MissingExtra("Reading GGUF files", "gguf") from None
    return gguf


def _family(config: Mapping[str, Any]) -> Family:
    from tutti.checkpoints.families import find_family

    return find_family(config)


def _renamed(name: str, table: Mapping[str, str]) -> str:
    layer, _, kind = name.rpartition(".")
    number = next((part for part in layer.split(".") if part.isdecimal()), "")
    found = table.get(layer.replace(f".{number}.", ".{}.", 1) if number else layer)
    if found is None or kind not in ("weight", "bias"):
        raise UnsupportedConfig(f"{name} is a tensor that no model of the families llama, mistral and qwen2 has.")
    return f"{found.format(number)}.{kind}"


def _weights(
    library: ModuleType,
    header: GGUFHeader,
    file: Path,
    config: Mapping[str, Any],
    told: Callable[[int, int], None] | None,
) -> Iterator[tuple[str, Tensor]]:
    """The weights by the names of the Hugging Face layout: matrices as float16, vectors as float32."""
    total = sum(math.prod(tensor.shape) for tensor in header.tensors.values())
    done = 0
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for tensor in header.tensors.values():
        if tensor.name == FREQUENCIES:
            continue
        name = _renamed(tensor.name, NAMES)
        values = _values(library, header, file, tensor)
        layer = name.split(".")[-2]
        if config["model_type"] != "qwen2" and layer in heads:
            values = _unpaired(values, heads[layer], tensor.name)
        done += math.prod(tensor.shape)
        if told is not None:
            told(2 * done, 2 * total)
        yield name, values


def _unpaired(values: Tensor, heads: int, name: str) -> Tensor:
    """Rows of a head from pairs that lie side by side to first halves before second ones, as rotation takes them."""
    if values.shape[0] % (2 * heads):
        raise CheckpointError(f"{name} has {values.shape[0]} rows, which {heads} heads cannot share; it is damaged.")
    rows = values.view(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return rows.transpose(1, 2).reshape(values.shape).contiguous()


def _values(library: ModuleType, header: GGUFHeader, file: Path, tensor: GGUFTensor) -> Tensor:
    """The values of a tensor, multiplied out some rows at a time.

    Raises:
        CheckpointError: The file ends before them, or they are no numbers.
        UnsupportedConfig: Their type is not known to the library.
    """
    kind = _kind(library, tensor, file.name)
    block, block_bytes = library.GGML_QUANT_SIZES[kind]
    columns, rows = tensor.shape[-1], math.prod(tensor.shape[:-1])
    if columns % block:
        raise CheckpointError(f"{tensor.name} has rows of {columns} values in blocks of {block}; the file is damaged.")
    row_bytes = columns // block * block_bytes
    if tensor.start + rows * row_bytes > header.file_bytes:
        raise CheckpointError(
            f"{file.name} has {header.file_bytes:,} bytes and should have {tensor.start + rows * row_bytes:,} for "
            f"{tensor.name}; it is cut off: fetch it again."
        )
    stored = np.memmap(file, np.uint8, "r", tensor.start, (rows, row_bytes))
    dtype = np.float16 if len(tensor.shape) > 1 else np.float32
    out: NDArray[Any] = np.empty((rows, columns), dtype)
    step = max(1, _CHUNK_VALUES // columns)
    for begin in range(0, rows, step):
        try:
            some = library.dequantize(np.ascontiguousarray(stored[begin : begin + step]), kind)
        except (NotImplementedError, ValueError) as error:
            raise UnsupportedConfig(f"{tensor.name} is of type {kind.name}, which is not read: {error}.") from None
        if not np.isfinite(some).all():
            raise CheckpointError(f"{tensor.name} holds values that are no numbers; the file is damaged.")
        largest = float(np.abs(some).max(initial=0.0))
        if dtype is np.float16 and largest > np.finfo(np.float16).max:
            raise CheckpointError(f"{tensor.name} holds {largest:g}, which no model's weight is; the file is damaged.")
        out[begin : begin + step] = some.reshape(-1, columns)
    return torch.from_numpy(out.reshape(tensor.shape))


def _kind(library: ModuleType, tensor: GGUFTensor, name: str) -> Any:
    try:
        return library.GGMLQuantizationType(tensor.kind)
    except ValueError:
        raise UnsupportedConfig(
            f"{name} holds {tensor.name} in the type {tensor.kind}, which this release of the library gguf does not "
            "know; update it, or take a file in another precision."
        ) from None


def _frequencies(library: ModuleType, header: GGUFHeader, file: Path) -> list[float] | None:
    """By what rotary frequencies are divided, if the file says so."""
    tensor = header.tensors.get(FREQUENCIES)
    return None if tensor is None else _values(library, header, file, tensor).double().tolist()


def _tokenizer(header: GGUFHeader, vocabulary: str | PathLike[str] | None, name: str) -> Tokenizer:
    if vocabulary is not None:
        return Tokenizer.from_file(vocabulary)
    return tokenizer_of_gguf(header.metadata, name)


def _files(header: GGUFHeader, tokenizer: Tokenizer, name: str) -> dict[str, bytes | str]:
    """The files beside weights and configuration.

    Raises:
        CheckpointError: The chat template or the end of an answer is not what a file may say.
    """
    said = header.metadata
    tokens = said.get("tokenizer.ggml.tokens")
    tokens = tokens if isinstance(tokens, list) else []
    special = special_tokens(said, tokens)
    ends = {said.get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot", "eom")} - {None}
    if not all(type(end) is int and 0 <= end < len(tokens) for end in ends):
        raise CheckpointError(f"{name} ends answers by {sorted(map(str, ends))}, which are no tokens; it is damaged.")
    ends |= {tokenizer.token_id(token) for token in _ENDS if token in tokenizer.special_tokens}
    files: dict[str, bytes | str] = {
        "tokenizer.json": tokenizer.to_json(),
        "tokenizer_config.json": json.dumps(special, indent=1, ensure_ascii=False) + "\n",
        "generation_config.json": json.dumps({"eos_token_id": sorted(ends)}, indent=1) + "\n",
    }
    template = said.get("tokenizer.chat_template")
    if template is not None:
        if not isinstance(template, str):
            raise CheckpointError(f"{name} has a chat template that is no text; it is damaged.")
        ChatTemplate(template, special)  # which refuses what cannot be read, before anything is written
        files["chat_template.jinja"] = template
    return files
