"""An adapter merged into its model: a plain checkpoint, that needs no adapter any more."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from tutti.checkpoints.adapter_base import check_base
from tutti.checkpoints.adapters import (
    attach_adapter,
    check_adapter,
    check_copies,
    choose_adapter,
    merge_adapter,
    read_adapter,
)
from tutti.checkpoints.families import find_family
from tutti.checkpoints.family import read_config, take_quantization
from tutti.checkpoints.folders import other_files
from tutti.checkpoints.headers import read_folder
from tutti.checkpoints.inspection import inspect
from tutti.checkpoints.loading import load
from tutti.checkpoints.saving import PACK, save
from tutti.errors import InputError

_PRECISIONS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float32"}


def merge(model: str | PathLike[str], adapter: str | PathLike[str], into: str | PathLike[str]) -> int:
    """Write a checkpoint of a model with an adapter merged into its weights, in the precision that it is stored in.

    Args:
        model: A folder, a built-in name or a hub id.
        adapter: A folder or hub id in the PEFT layout.
        into: The folder to be written; a checkpoint that is there is replaced.

    Returns:
        How many layers changed.

    Raises:
        CheckpointError: The model or the adapter is not what it claims to be, they do not fit one another, or there is
            something else in the place.
        InputError: The model is quantized, a layer cannot be merged into, or `into` is the model itself.
    """
    info = inspect(model)
    folder = Path(info.path)
    if Path(into).resolve() == folder.resolve():
        raise InputError(f"{into} is the model itself; write the merged checkpoint into another folder.")
    values = read_config(folder)
    if take_quantization(dict(values)):
        raise InputError(
            f"{model} is quantized, and codes take up no change; merge into the plain checkpoint and then run "
            "`tutti convert --quantize` on that, or ask with --adapter beside the quantized one."
        )
    choose_adapter(folder, adapter)
    family = find_family(values)
    lora = read_adapter(adapter, family)
    stored = {family.name_in_model(name): entry for name, entry in read_folder(folder).items()}
    packed = any(entry.scale is not None for entry in stored.values())
    plain = load(model, dtype="float32" if packed else _precision(info.dtype_bytes), own_adapter=False).model
    check_adapter(lora, plain)
    computed = getattr(plain, "computed", ())
    check_base(lora.folder, str(model), {name: entry for name, entry in stored.items() if name not in computed})
    check_copies(lora, stored, getattr(plain, "tied", {}))
    attach_adapter(plain, lora)  # in float32, so that the sum is rounded once
    changed = merge_adapter(plain)
    save(plain, into, values, other_files(folder), dtype=PACK if packed else None)
    return changed


def _precision(dtype_bytes: Mapping[str, int]) -> str:
    """What most of the floating-point weights are stored in."""
    floats = {_PRECISIONS[name]: size for name, size in dtype_bytes.items() if name in _PRECISIONS}
    return max(floats, key=lambda name: floats[name], default="float32")
