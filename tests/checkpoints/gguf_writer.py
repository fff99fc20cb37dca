"""Writes tiny GGUF files of checkpoints, by llama.cpp's own library and in its own order of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from tutti.checkpoints.converting_gguf import theirs

PIECES = [
    "<unk>",
    "<s>",
    "</s>",
    *(f"<0x{byte:02X}>" for byte in range(256)),
    "\u2581",
    "a",
    "b",
    "\u2581a",
    "ab",
    "[INST]",
]
"""Of SentencePiece, with bytes for what is left."""
KINDS = [2, 3, 3, *[6] * 256, 1, 1, 1, 1, 1, 4]
BYTE_LEVEL = ["a", "b", "c", "\u0120", "\u0120a", "ab", "<|im_end|>", "<tool_call>", "[PAD]"]
MERGES = ["\u0120 a", "a b"]


def scored() -> dict[str, Any]:
    """Entries of a vocabulary of SentencePiece's."""
    return {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": PIECES, "tokenizer.ggml.token_type": KINDS,
        "tokenizer.ggml.scores": [-float(place) for place in range(len(PIECES))],
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
    }  # fmt: skip


def byte_level(pre: str = "qwen2") -> dict[str, Any]:
    """Entries of a vocabulary of pairs of bytes."""
    return {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": BYTE_LEVEL,
        "tokenizer.ggml.token_type": [1, 1, 1, 1, 1, 1, 3, 4, 5], "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.eos_token_id": 6,
    }  # fmt: skip


def write(
    file: Path,
    architecture: str,
    config: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    entries: Mapping[str, Any],
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    further: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a checkpoint as llama.cpp's converter does.

    Args:
        file: Where to.
        architecture: "llama" or "qwen2".
        config: `config.json`.
        weights: By the names of the Hugging Face layout.
        entries: What is said beside the sizes.
        kind: In which matrices are stored.
        further: More tensors, as they are.
    """
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    for key, value in entries.items():
        _add(writer, key, value)
    for name, tensor in weights.items():
        values = tensor.detach().float().numpy()
        if architecture == "llama" and name.split(".")[-2] in ("q_proj", "k_proj"):
            heads = config["num_attention_heads" if ".q_proj." in name else "num_key_value_heads"]
            values = (
                values.reshape(heads, 2, len(values) // heads // 2, *values.shape[1:])
                .swapaxes(1, 2)
                .reshape(values.shape)
            )
        stored = gguf.quantize(values, kind) if values.ndim > 1 else values
        raw = kind if values.ndim > 1 and kind != gguf.GGMLQuantizationType.F32 else None
        writer.add_tensor(theirs(name), np.ascontiguousarray(stored), raw_dtype=raw)
    for name, values in (further or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        writer.add_array(key, list(value))
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_string(key, value)
