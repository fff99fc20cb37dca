"""A checkpoint to a folder of int8 and int4 codes, which then loads without being quantized anew."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from tutti.checkpoints.adapters import choose_adapter
from tutti.checkpoints.family import read_config, take_quantization
from tutti.checkpoints.folders import check_replaceable, other_files
from tutti.checkpoints.loading import DTYPES, LoadProgress, LoadReport, load
from tutti.checkpoints.model_paths import find_folder
from tutti.checkpoints.quantizing import STORED
from tutti.checkpoints.saving import save
from tutti.errors import InputError

_SHARD_BYTES = 250_000_000
"""A shard is held in memory beside the model while it is written, and malloc keeps as much again of those before."""


def shrink(
    model: str | PathLike[str], into: str | PathLike[str], quantize: str, *, told: LoadProgress | None = None
) -> LoadReport:
    """Write a quantized folder of a checkpoint, in the form that `tutti.checkpoints.load` reads.

    Args:
        model: A folder, a built-in name or a hub id; plain weights.
        into: The folder to be written; a checkpoint that is there is replaced.
        quantize: As for `load`.
        told: As for `load`.

    Returns:
        What loading did: the precision of each part, and the bytes before and in memory.

    Raises:
        CheckpointError: The model is not what it claims to be, or there is something else in the place.
        InputError: `quantize` is not a choice, the model is quantized already, or `into` is the model itself.
        UnsupportedTask: The model has nothing that would be quantized.
    """
    folder = find_folder(model)
    if Path(into).resolve() == folder.resolve():
        raise InputError(f"{into} is the model itself; write the quantized checkpoint into another folder.")
    if choose_adapter(folder, None):
        raise InputError(f"{model} holds an adapter, and codes take up no change; merge it first (`tutti merge`).")
    check_replaceable(Path(into), "config.json")  # before the minutes of loading
    config = read_config(folder)
    if take_quantization(dict(config)):
        raise InputError(f"{model} is quantized already; convert the checkpoint that it was made from.")
    loaded = load(folder, quantize=quantize, told=told)
    kept = _one_precision(loaded.info.dtype_bytes)
    save(loaded.model, into, config, other_files(folder), dtype=kept, max_shard_bytes=_SHARD_BYTES)
    return loaded.report


def _one_precision(dtype_bytes: Mapping[str, int]) -> str | None:
    """The 16 bits that all floating-point weights are stored in, so that what is kept goes back as it came.

    None if they differ, or are wider: then each goes as it is held, a table of words in 16 bits.
    """
    found = {STORED[name] for name in dtype_bytes if name in STORED and STORED[name].is_floating_point}
    return next((name for name, dtype in DTYPES.items() if found == {dtype} and dtype.itemsize == 2), None)
