"""Several adapters beside one model, so that requests of all of them share its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from tutti.checkpoints.adapter_base import check_base
from tutti.checkpoints.adapters import Adapter, check_adapter, check_copies, choose_adapter, read_adapter
from tutti.checkpoints.family import Family
from tutti.checkpoints.headers import Entry
from tutti.errors import CheckpointError
from tutti.models.layers.adapted import AdaptedLinear, AdapterRows, LowRank


def shares_steps(adapter: Adapter, family: Family) -> bool:
    """Whether an adapter changes the decoder's blocks only, where each row of a step can go a way of its own.

    Trunks, connectors, tables and outputs run over other rows, and what trunks make is kept for all.
    """
    blocks = tuple(f"{block}." for block in family.decoder_blocks)
    return bool(blocks) and all(layer.startswith(blocks) for layer in adapter.layers)


def read_adapters(
    chosen: str | PathLike[str] | Sequence[str | PathLike[str]] | None,
    own: Path | None,
    family: Family,
    model: nn.Module,
    entries: Mapping[str, Entry],
    named: tuple[str, bool],
) -> tuple[Adapter | None, list[Adapter]]:
    """Read adapters that fit a model, while all its layers are plain on `meta`.

    Args:
        chosen: A folder or hub id, or several for requests that choose among them.
        own: The checkpoint's folder, if an adapter in it counts.
        family: The model's.
        model: On `meta`.
        entries: The checkpoint's weights by the model's names.
        named: What the model is called, and whether it is held as codes.

    Returns:
        The one that goes beside the model for all, or those that are chosen among.

    Raises:
        CheckpointError: There is no such adapter, or it is of another model.
        InputError: The checkpoint's folder holds one, and another was chosen.
    """

    def read(path: str | PathLike[str]) -> Adapter:
        found = read_adapter(path, family)
        check_adapter(found, model)
        check_base(found.folder, named[0], entries, codes=named[1])
        check_copies(found, entries, getattr(model, "tied", {}))
        return found

    if chosen is None or isinstance(chosen, str | PathLike):
        one = chosen if own is None else choose_adapter(own, chosen)
        return (None if one is None else read(one)), []
    return None, [read(one if own is None else choose_adapter(own, one) or one) for one in chosen]


def attach_adapters(model: nn.Module, adapters: Sequence[Adapter], dtype: torch.dtype = torch.float32) -> AdapterRows:
    """Put adapters beside the layers of a model that they change; `check_adapter` and `shares_steps` come first.

    Args:
        model: Changed in place.
        adapters: Their places are their numbers.
        dtype: Precision of their weights.

    Returns:
        What says which row of a step goes through which.

    Raises:
        CheckpointError: Weights cannot be read, or are not finite: others' rows would meet them.
    """
    rows = AdapterRows()
    read = [_read(adapter, dtype) for adapter in adapters]
    for layer in sorted({layer for adapter in adapters for layer in adapter.layers}):
        parent, _, attribute = layer.rpartition(".")
        changes = [changed.get(layer) for changed in read]
        setattr(model.get_submodule(parent), attribute, AdaptedLinear(model.get_submodule(layer), changes, rows))
    return rows


def _read(adapter: Adapter, dtype: torch.dtype) -> dict[str, LowRank]:
    """Layer → what the adapter adds to it, its scale within."""
    found: dict[str, LowRank] = {}
    file = next(iter(adapter.layers.values()))[0].file
    try:
        with safe_open(file, framework="pt") as tensors:
            for layer, entries in adapter.layers.items():
                down, up = (tensors.get_tensor(entry.name).to(dtype) for entry in entries)
                found[layer] = LowRank(adapter.config.scale * down, up)
                if not all(bool(torch.isfinite(part).all()) for part in found[layer]):
                    raise CheckpointError(
                        f"{adapter.folder} holds weights of {layer} that are not finite; train it again."
                    )
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file.name} cannot be read: {error}.") from None
    return found
