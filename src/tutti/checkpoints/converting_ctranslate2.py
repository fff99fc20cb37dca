"""A Whisper folder of CTranslate2, as faster-whisper reads it, to a folder in the Hugging Face layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutti.checkpoints.ctranslate2 import Contents, read_contents
from tutti.checkpoints.family import read_if_there
from tutti.checkpoints.foreign import file_digest, put_in, stored_dtype
from tutti.checkpoints.headers import Entry, read_json
from tutti.checkpoints.layouts import CTRANSLATE2_MODEL as MODEL
from tutti.checkpoints.quantizing import read
from tutti.checkpoints.saving import save
from tutti.errors import CheckpointError, UnsupportedConfig
from tutti.models.whisper.config import WhisperConfig
from tutti.models.whisper.model import WhisperForConditionalGeneration
from tutti.processing.tokenizer import Tokenizer

_FEED_FORWARD = {"ffn/layer_norm": ("final_layer_norm",), "ffn/linear_0": ("fc1",), "ffn/linear_1": ("fc2",)}
_LAYER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "encoder": {
        "self_attention/layer_norm": ("self_attn_layer_norm",),
        "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention/linear_1": ("self_attn.out_proj",),
        **_FEED_FORWARD,
    },
    "decoder": {
        "self_attention/layer_norm": ("self_attn_layer_norm",),
        "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention/linear_1": ("self_attn.out_proj",),
        "attention/layer_norm": ("encoder_attn_layer_norm",),
        "attention/linear_0": ("encoder_attn.q_proj",),
        "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
        "attention/linear_2": ("encoder_attn.out_proj",),
        **_FEED_FORWARD,
    },
}
"""Part of a block → the layers of the reference whose rows lie in it, one below the other."""
_OUTSIDE: Mapping[str, str] = {
    "encoder/conv1": "model.encoder.conv1",
    "encoder/conv2": "model.encoder.conv2",
    "encoder/layer_norm": "model.encoder.layer_norm",
    "decoder/embeddings": "model.decoder.embed_tokens",
    "decoder/layer_norm": "model.decoder.layer_norm",
    "decoder/projection": "proj_out",
}
_POSITIONS = {f"{part}/position_encodings/encodings": f"model.{part}.embed_positions.weight" for part in _LAYER}
_KINDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
_FLAGS: Mapping[str, int] = {
    "decoder/activation": 3,
    "encoder/activation": 3,
    "decoder/alibi": 0,
    "decoder/pre_norm": 1,
    "encoder/pre_norm": 1,
    "decoder/scale_embeddings": 0,
    "encoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
}
"""What would change the computation, and the one value that is computed: GELU, norms first, nothing scaled."""
_IGNORED = frozenset(
    {
        "decoder/alibi_use_positive_positions",
        "decoder/alignment_heads",
        "decoder/alignment_layer",
        "decoder/num_heads",
        "decoder/scale_alibi",
        "encoder/num_heads",
    }
)
_FIRST_TIME_STEPS = 50
"""Steps of 0.02 s within which the first words begin, as in all published checkpoints."""
_CARD = """---
license: {licence}
---
# Whisper, converted

Weights of `model.bin` (SHA-256 {digest}), a CTranslate2 folder of Whisper, written in the Hugging Face layout by
`tutti convert`. {numbers}
"""


def convert_ctranslate2(
    folder: Path, into: str | PathLike[str], *, vocabulary: str | PathLike[str] | None = None
) -> dict[str, Any]:
    """Convert a Whisper folder of CTranslate2. Arguments, result and errors as for `tutti.checkpoints.convert`."""
    contents = read_contents(folder / MODEL)
    if contents.specification != "WhisperSpec":
        raise UnsupportedConfig(
            f"{folder / MODEL} is a {contents.specification} of CTranslate2; expected a Whisper model (WhisperSpec), "
            "the only one of CTranslate2's that is converted."
        )
    words = _tokenizer_file(folder, vocabulary)
    tokenizer = Tokenizer.from_file(words)
    weights = dict(_weights(contents))
    config = {"model_type": "whisper", **_sizes(contents, weights)}
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(WhisperConfig.from_hf(config))
    put_in(model, weights, MODEL, "it is incomplete or of another model")
    digest = file_digest(folder / MODEL)
    quantized = any(entry.dtype in ("I8", "I16") for entry in contents.variables.values() if len(entry.shape) > 1)
    files: dict[str, bytes | str] = {
        "generation_config.json": json.dumps(_generation(folder, tokenizer, config), indent=1) + "\n",
        "preprocessor_config.json": json.dumps(_preprocessor(folder, config), indent=1) + "\n",
        "tokenizer.json": words.read_bytes(),
        "README.md": _CARD.format(digest=digest, licence="mit", numbers=_NUMBERS[quantized]),
    }
    save(model, into, config, files, dtype=stored_dtype(weights))
    return {"sha256": digest, "parameters": model.config.parameters(), "vocabulary": str(words)}


_NUMBERS = {
    False: "The numbers are unchanged.",
    True: "Its whole numbers were multiplied out to floating-point numbers.",
}


def _tokenizer_file(folder: Path, vocabulary: str | PathLike[str] | None) -> Path:
    file = folder / "tokenizer.json" if vocabulary is None else Path(vocabulary)
    if not file.is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json, and CTranslate2's vocabulary does not say how words are split; give the "
            "tokenizer.json of the same model with --vocabulary, such as that of openai/whisper-base."
        )
    return file


def _weights(contents: Contents) -> Iterator[tuple[str, Tensor]]:
    """The weights by the reference's names, each a view or a copy of the file's.

    Raises:
        UnsupportedConfig: There is a variable that is not known, or one with a value that is not computed here.
    """
    found: dict[str, Entry] = dict(contents.variables)
    found |= {alias: contents.variables[name] for alias, name in contents.aliases.items()}
    for name, entry in found.items():
        if name in _FLAGS and (value := _scalar(entry)) != _FLAGS[name]:
            raise UnsupportedConfig(f"{MODEL} has {name} {value}; this model computes {_FLAGS[name]} only.")
        if name in _FLAGS or name in _IGNORED or name.endswith("weight_scale"):
            continue
        if name == "decoder/projection/weight" and contents.aliases.get(name) == "decoder/embeddings/weight":
            continue  # one weight, as config.json will say
        yield from _renamed(name, _values(name, found))


def _renamed(name: str, values: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A variable as one or several weights of the reference."""
    layer, _, kind = name.rpartition("/")
    if name in _POSITIONS:
        yield _POSITIONS[name], values
        return
    if layer in _OUTSIDE and kind in _KINDS:
        yield f"{_OUTSIDE[layer]}.{_KINDS[kind]}", values
        return
    part, _, rest = layer.partition("/layer_")
    index, _, inside = rest.partition("/")
    targets = _LAYER.get(part, {}).get(inside, ())
    if not (targets and kind in _KINDS and index.isdecimal()) or values.shape[0] % len(targets):
        raise UnsupportedConfig(
            f"{MODEL} has the variable {name}, which Whisper as it is computed here has no use for."
        )
    for target, rows in zip(targets, values.chunk(len(targets)), strict=True):
        if target.endswith("k_proj") and kind == "bias":
            if rows.any():
                raise UnsupportedConfig(f"{MODEL} has a bias of keys in {name}; Whisper has none.")
            continue
        yield f"model.{part}.layers.{index}.{target}.{_KINDS[kind]}", rows


def _values(name: str, found: Mapping[str, Entry]) -> Tensor:
    """Floating-point values; whole ones are divided by their scale, one a row (int8) or one for all (int16)."""
    values = read(found[name])
    if values.is_floating_point():
        return values
    scale = found.get(f"{name}_scale")
    if scale is None or scale.shape not in ((), values.shape[:1]) or not scale.floating:
        raise CheckpointError(f"{MODEL} holds {name} as {found[name].dtype} without a scale that fits; it is damaged.")
    divisor = read(scale).float()
    if not (divisor.isfinite() & (divisor > 0)).all():
        raise CheckpointError(f"{MODEL} has a scale of {name} that is not a positive number; it is damaged.")
    return values / divisor.view(-1, *[1] * (values.dim() - 1))


def _scalar(entry: Entry) -> int:
    """A setting that is kept as a variable.

    Raises:
        CheckpointError: It is not one number.
    """
    if entry.values != 1 or entry.floating:
        raise CheckpointError(f"{MODEL} has {entry.name} as {entry.dtype} {list(entry.shape)}; expected one number.")
    return int(read(entry))


def _sizes(contents: Contents, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """What `config.json` says of sizes, as the shapes of the weights have it.

    Raises:
        CheckpointError: A weight or the number of heads is missing.
    """

    def size(name: str, axis: int) -> int:
        if name not in weights or weights[name].dim() <= axis:
            raise CheckpointError(f"{MODEL} lacks {name} of Whisper; it is incomplete or of another model.")
        return weights[name].shape[axis]

    def heads(part: str) -> int:
        if (entry := contents.variables.get(f"{part}/num_heads")) is None:
            raise CheckpointError(
                f"{MODEL} lacks {part}/num_heads; convert the checkpoint with CTranslate2 3 or later."
            )
        return _scalar(entry)

    sizes: dict[str, Any] = {
        "vocab_size": size("model.decoder.embed_tokens.weight", 0),
        "d_model": size("model.decoder.embed_tokens.weight", 1),
        "num_mel_bins": size("model.encoder.conv1.weight", 1),
        "max_source_positions": size("model.encoder.embed_positions.weight", 0),
        "max_target_positions": size("model.decoder.embed_positions.weight", 0),
        "tie_word_embeddings": "proj_out.weight" not in weights,
    }
    for part in _LAYER:
        sizes |= {
            f"{part}_attention_heads": heads(part),
            f"{part}_ffn_dim": size(f"model.{part}.layers.0.fc1.weight", 0),
            f"{part}_layers": sum(
                name.startswith(f"model.{part}.") and name.endswith(".fc1.weight") for name in weights
            ),
        }
    return sizes


def _preprocessor(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """`preprocessor_config.json`: that of the folder, or what all of Whisper's have in common."""
    if settings := read_if_there(folder / "preprocessor_config.json"):
        return settings
    seconds = config["max_source_positions"] // 50
    return {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": config["num_mel_bins"]} | {
        "sampling_rate": 16_000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": seconds,
    }


def _generation(folder: Path, tokenizer: Tokenizer, config: Mapping[str, Any]) -> dict[str, Any]:
    """`generation_config.json` from CTranslate2's settings and the tokens of the vocabulary.

    Raises:
        CheckpointError: The settings name something that is no list of token ids.
        InputError: The vocabulary lacks a token of Whisper's.
    """
    settings = read_json(folder / "config.json")
    lists: dict[str, list[int]] = {}
    for key in ("lang_ids", "suppress_ids", "suppress_ids_begin"):
        found = settings.get(key) or []
        if not isinstance(found, list) or not all(type(i) is int and 0 <= i < config["vocab_size"] for i in found):
            raise CheckpointError(f"config.json has {key} {str(found)[:40]!r}; expected token ids of the vocabulary.")
        lists[key] = found
    many = {}
    if lists["lang_ids"]:
        many = {
            "lang_to_id": {tokenizer.token(number): number for number in lists["lang_ids"]},
            "task_to_id": {task: tokenizer.token_id(f"<|{task}|>") for task in ("transcribe", "translate")},
        }
    return {
        "begin_suppress_tokens": lists["suppress_ids_begin"],
        "decoder_start_token_id": tokenizer.token_id("<|startoftranscript|>"),
        "eos_token_id": tokenizer.token_id("<|endoftext|>"),
        "is_multilingual": bool(many),
        "max_initial_timestamp_index": _FIRST_TIME_STEPS,
        "max_length": config["max_target_positions"],
        "no_timestamps_token_id": tokenizer.token_id("<|notimestamps|>"),
        "prev_sot_token_id": tokenizer.token_id("<|startofprev|>"),
        "suppress_tokens": lists["suppress_ids"],
        **many,
    }
