"""Whisper folders as CTranslate2 writes them, written here from its format, to be read back.

Names and types were compared with what CTranslate2 4.8.5's own `ct2-transformers-converter` makes of the same tiny
checkpoints, in each of its precisions.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration as HFModel

from tests.parity.tiny_whisper import Saved

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4, "bfloat16": 5}
Variables = dict[str, np.ndarray]


def name(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(key: str, values: np.ndarray, kind: int | None = None) -> bytes:
    head = name(key) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
    number = TYPES[values.dtype.name] if kind is None else kind
    return head + struct.pack("<BI", number, values.nbytes) + values.tobytes()


def content(variables: Variables, aliases: dict[str, str], specification: str = "WhisperSpec") -> bytes:
    """A whole `model.bin`."""
    body = b"".join(variable(key, values) for key, values in variables.items())
    also = b"".join(name(alias) + name(key) for alias, key in aliases.items())
    head = struct.pack("<I", 6) + name(specification) + struct.pack("<II", 3, len(variables))
    return head + body + struct.pack("<I", len(aliases)) + also


def variables_of(model: HFModel) -> tuple[Variables, dict[str, str]]:
    """The weights of a Whisper by CTranslate2's names, in float32."""
    state = {key: value.detach().float().numpy() for key, value in model.state_dict().items()}
    made: Variables = {}

    def put(target: str, *sources: str, kinds: tuple[tuple[str, str], ...]) -> None:
        for theirs, ours in kinds:
            made[f"{target}/{ours}"] = np.concatenate(
                [
                    state.get(f"model.{source}.{theirs}", np.zeros(len(state[f"model.{source}.weight"]), np.float32))
                    for source in sources
                ]
            )

    linear, norm = (("weight", "weight"), ("bias", "bias")), (("weight", "gamma"), ("bias", "beta"))
    for part in ("encoder", "decoder"):
        config = model.config
        made[f"{part}/num_heads"] = np.array(getattr(config, f"{part}_attention_heads"), np.int16)
        made[f"{part}/position_encodings/encodings"] = state[f"model.{part}.embed_positions.weight"]
        put(f"{part}/layer_norm", f"{part}.layer_norm", kinds=norm)
        for index in range(getattr(config, f"{part}_layers")):
            ours, theirs = f"{part}/layer_{index}", f"{part}.layers.{index}"
            attention = f"{theirs}.self_attn"
            put(f"{ours}/self_attention/layer_norm", f"{theirs}.self_attn_layer_norm", kinds=norm)
            fused = [f"{attention}.{kind}_proj" for kind in "qkv"]
            put(f"{ours}/self_attention/linear_0", *fused, kinds=linear)
            put(f"{ours}/self_attention/linear_1", f"{attention}.out_proj", kinds=linear)
            put(f"{ours}/ffn/layer_norm", f"{theirs}.final_layer_norm", kinds=norm)
            put(f"{ours}/ffn/linear_0", f"{theirs}.fc1", kinds=linear)
            put(f"{ours}/ffn/linear_1", f"{theirs}.fc2", kinds=linear)
            if part == "decoder":
                looking = f"{theirs}.encoder_attn"
                put(f"{ours}/attention/layer_norm", f"{theirs}.encoder_attn_layer_norm", kinds=norm)
                put(f"{ours}/attention/linear_0", f"{looking}.q_proj", kinds=linear)
                put(f"{ours}/attention/linear_1", f"{looking}.k_proj", f"{looking}.v_proj", kinds=linear)
                put(f"{ours}/attention/linear_2", f"{looking}.out_proj", kinds=linear)
    for layer in ("conv1", "conv2"):
        put(f"encoder/{layer}", f"encoder.{layer}", kinds=linear)
    put("decoder/embeddings", "decoder.embed_tokens", kinds=(("weight", "weight"),))
    flags = {"activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0, "start_from_zero_embedding": 0}
    made |= {f"decoder/{key}": np.array(value, np.int8) for key, value in flags.items()}
    made["decoder/alignment_layer"] = np.array(-1, np.int16)
    if model.config.tie_word_embeddings:
        return made, {"decoder/projection/weight": "decoder/embeddings/weight"}
    made["decoder/projection/weight"] = state["proj_out.weight"]
    return made, {}


def stored_as(variables: Variables, precision: str) -> Variables:
    """The weights in a precision of CTranslate2's: whole numbers with a scale a row (int8) or one for all (int16)."""
    made: Variables = {}
    for key, values in variables.items():
        if values.dtype != np.float32:
            made[key] = values
        elif precision.startswith("int") and key.endswith("/weight"):
            whole = "int16" if precision == "int16" else "int8"
            rows = np.abs(values.reshape(len(values), -1)).max(1)
            scale = (127 / rows if whole == "int8" else np.array(2**10 / rows.max())).astype(np.float32)
            spread = scale.reshape(-1, *[1] * (values.ndim - 1)) if whole == "int8" else scale
            made[key] = np.rint(values * spread).astype(whole)
            made[f"{key}_scale"] = scale
        else:
            made[key] = values.astype(np.float16) if precision.endswith("float16") else values
    return made


def save_ct2(saved: Saved, folder: Path, precision: str = "float16") -> Path:
    """The folder that CTranslate2's converter would make of a checkpoint, its `tokenizer.json` copied beside."""
    folder.mkdir()
    variables, aliases = variables_of(saved.model)
    (folder / "model.bin").write_bytes(content(stored_as(variables, precision), aliases))
    generation = saved.model.generation_config
    languages = getattr(generation, "lang_to_id", {})
    settings = {
        "alignment_heads": generation.alignment_heads,
        "lang_ids": sorted(languages.values()),
        "suppress_ids": generation.suppress_tokens,
        "suppress_ids_begin": generation.begin_suppress_tokens,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    for file in ("tokenizer.json", "preprocessor_config.json"):
        shutil.copy(saved.folder / file, folder)
    return folder


def worst(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """The largest difference of a weight, as a share of the largest of its tensor."""
    return max(
        float((ours[key] - value).abs().max() / value.abs().max().clamp_min(1e-9)) for key, value in theirs.items()
    )
