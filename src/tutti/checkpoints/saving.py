"""A model to a checkpoint folder, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tutti.checkpoints.folders import replace_folder
from tutti.checkpoints.headers import INDEX, PACKED, PICKLES, SINGLE
from tutti.checkpoints.loading import DTYPES
from tutti.checkpoints.quantizing import pack, quantization_config
from tutti.errors import InputError
from tutti.models.layers.adapted import AdaptedLinear
from tutti.models.layers.linear import QuantizedEmbedding
from tutti.models.layers.lora import LoRALinear

PACK = "packed"
"""The `dtype` that stores wide weights as int8."""
_PACKED_COLUMNS = 64
_METADATA = {"format": "pt"}


def save(
    model: nn.Module,
    path: str | PathLike[str],
    config: Mapping[str, Any],
    files: Mapping[str, bytes | str],
    *,
    dtype: str | None = None,
    max_shard_bytes: int = 5_000_000_000,
) -> None:
    """Write a checkpoint folder.

    It is written beside its place and then moved there, so that no half-written folder is ever seen; a checkpoint that
    was there is replaced as a whole, a folder of anything else is left alone.

    Args:
        model: Its weights and stored buffers are written, tied weights once, quantized ones as codes.
        path: The folder.
        config: `config.json`, with `model_type`.
        files: Name → content of the other files, e.g. `tokenizer.json`, `preprocessor_config.json`, `README.md`.
        dtype: Precision in which floating-point weights are stored: float32, float16 or bfloat16; None keeps theirs.
            "packed" stores those of at least 64 columns as int8 with a factor a row, the others as float16; they load
            as floating-point weights again. Whole numbers keep their type.
        max_shard_bytes: Size from which the weights are cut into several files.

    Raises:
        InputError: An argument is not what is expected, or a weight does not fit `dtype`.
        CheckpointError: There is a folder of something else in the place.
    """
    _check_arguments(config, files, dtype)
    if any(isinstance(module, LoRALinear | AdaptedLinear) for module in model.modules()):
        raise InputError("An adapter is attached to the model; merge it, or save the adapter alone.")
    with replace_folder(Path(path), "config.json") as folder:
        tensors = _packed(_tensors(model, None)) if dtype == PACK else _tensors(model, DTYPES[dtype] if dtype else None)
        _write_weights(folder, tensors, max_shard_bytes)
        written = {**config, **quantization_config(model)}
        (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _check_arguments(config: Mapping[str, Any], files: Mapping[str, bytes | str], dtype: str | None) -> None:
    if dtype not in (None, PACK, *DTYPES):
        raise InputError(f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}, or {PACK}.")
    if not isinstance(config.get("model_type"), str):
        raise InputError("The configuration has no model_type; without it the checkpoint could not be loaded.")
    for name in files:
        taken = name in ("config.json", INDEX) or name.endswith((".safetensors", *PICKLES))
        if taken or name in ("", "..") or Path(name).name != name:
            raise InputError(f"A checkpoint cannot hold a further file named {name!r}; expected e.g. tokenizer.json.")


def _packed(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Weights of at least 64 columns as int8 with a factor a row, the others as float16."""
    for name, tensor in tensors:
        if tensor.is_floating_point() and tensor.dim() > 1 and tensor[0].numel() >= _PACKED_COLUMNS:
            codes, scale = pack(tensor)
            yield name, codes
            yield f"{name}{PACKED}", scale
        else:
            yield name, tensor.half() if tensor.is_floating_point() else tensor


def _tensors(model: nn.Module, dtype: torch.dtype | None) -> Iterator[tuple[str, Tensor]]:
    """Weights as they are stored: on the CPU, contiguous, none sharing memory with another."""
    tied: Mapping[str, str] = getattr(model, "tied", {})
    seen: set[int] = set()
    for name, tensor in _state(model):
        if _is_tied(model, tied, name, tensor):
            continue
        stored = tensor.detach().cpu()
        if dtype is not None and stored.is_floating_point() and not name.endswith(".weight_scale"):
            stored = stored.to(dtype)
            if torch.isfinite(tensor).all() and not torch.isfinite(stored).all():
                raise InputError(f"{name} holds numbers that are too large for {dtype}; store it in another precision.")
        stored = stored.contiguous()
        place = stored.untyped_storage().data_ptr()
        yield name, stored.clone() if place in seen else stored
        seen.add(place)


def _is_tied(model: nn.Module, tied: Mapping[str, str], name: str, tensor: Tensor) -> bool:
    """Whether it is written under another name: the same weight, or the codes and scales that a table shares."""
    module, _, attribute = name.rpartition(".")
    source = tied.get(f"{module}.weight")
    if source is None:
        return False
    table = model.get_submodule(source.rpartition(".")[0])
    if isinstance(table, QuantizedEmbedding):
        return attribute in ("weight", "weight_scale")
    return attribute == "weight" and table.get_parameter("weight").data_ptr() == tensor.data_ptr()


def _state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What `state_dict` holds, a module at a time: codes are made when they are asked for, and may go again."""
    for name, module in model.named_modules(remove_duplicate=False):
        own: dict[str, Tensor] = {}
        module._save_to_state_dict(own, f"{name}." if name else "", keep_vars=False)  # noqa: SLF001 - torch's door
        yield from own.items()


def _write_weights(folder: Path, tensors: Iterable[tuple[str, Tensor]], max_shard_bytes: int) -> None:
    """One file, or several, each written before the next is made."""
    files: list[list[str]] = []
    total = 0
    for shard in _shards(tensors, max_shard_bytes):
        _write_file(folder / f"{len(files)}", shard)
        files.append(list(shard))
        total += sum(tensor.nbytes for tensor in shard.values())
        del shard  # or the loop would keep it while the next is made
    if len(files) == 1:
        (folder / "0").rename(folder / SINGLE)
        return
    weight_map: dict[str, str] = {}
    for index, names in enumerate(files):
        name = f"model-{index + 1:05}-of-{len(files):05}.safetensors"
        (folder / f"{index}").rename(folder / name)
        weight_map |= dict.fromkeys(names, name)
    index_json = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / INDEX).write_text(json.dumps(index_json, indent=1) + "\n", encoding="utf-8")


def _shards(tensors: Iterable[tuple[str, Tensor]], most_bytes: int) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        if shard and size + tensor.nbytes > most_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard


def _write_file(file: Path, tensors: dict[str, Tensor]) -> None:
    file.touch()
    mode = file.stat().st_mode
    save_file(tensors, file, metadata=_METADATA)
    file.chmod(mode)  # the library closes its files to everyone else
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
