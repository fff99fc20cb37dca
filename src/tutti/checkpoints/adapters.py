"""LoRA adapters in the PEFT layout: read, attach, merge, save.

Layout: a folder with `adapter_config.json` and `adapter_model.safetensors`, as `peft` writes them. Which layers change
is taken from the names of the weights; `target_modules` has to agree where it is a list. Where it is a pattern it is
not run: one can be written that never ends. Beside A and B, `peft` stores a copy of the weight of an embedding or an
output layer that it changes, or that was resized; a copy may be there if it is equal to the model's weight.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tutti.checkpoints.adapter_config import CONFIG, WEIGHTS, AdapterConfig
from tutti.checkpoints.family import COMPILED, Family
from tutti.checkpoints.folders import replace_folder
from tutti.checkpoints.headers import PICKLES, Entry, read_header, read_json
from tutti.checkpoints.model_paths import find_folder
from tutti.checkpoints.quantizing import read
from tutti.errors import (
    CheckpointError,
    InputError,
    ShapeMismatch,
    UnexpectedWeights,
    UnsafeCheckpoint,
    UnsupportedConfig,
)
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.lora import LoRALinear

_WEIGHT = re.compile(r"base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight")
_COPY = re.compile(r"base_model\.model\.((?!.*\blora_).+?)(?:\.base_layer)?\.(weight|bias)")
_SHOWN = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Adapter:
    """An adapter's folder, its header read and its weights not."""

    folder: Path
    config: AdapterConfig
    layers: Mapping[str, tuple[Entry, Entry]]
    """Name of a layer in the model → A and B."""
    copies: Mapping[str, Entry]
    """Name of a weight in the model → a copy of it that is stored beside them."""


def choose_adapter(folder: Path, adapter: str | PathLike[str] | None) -> Path | None:
    """The folder of the adapter that goes beside a checkpoint: the one that is named, or one within its own folder.

    The reference applies that, too.

    Raises:
        CheckpointError: There is no such adapter.
        InputError: There are both.
    """
    own = folder if (folder / CONFIG).is_file() else None
    if adapter is None:
        return own
    named = adapter_folder(adapter)
    if own is not None and named.resolve() != own.resolve():
        raise InputError(
            f"{folder} holds an adapter of its own, and {adapter} is another; merge the first into the model "
            f"(`tutti merge`), or take {CONFIG} out of the folder."
        )
    return named


def adapter_folder(path: str | PathLike[str]) -> Path:
    """The folder of an adapter: the one that is named, or `adapter` within it, where `tutti tune` puts it.

    Raises:
        CheckpointError: There is no such folder.
    """
    folder = find_folder(path)
    return folder / "adapter" if not (folder / CONFIG).is_file() and (folder / "adapter" / CONFIG).is_file() else folder


def read_adapter(path: str | PathLike[str], family: Family) -> Adapter:
    """Read an adapter's configuration and header.

    Args:
        path: A folder or a hub id.
        family: Of the model that it is for; names of other layouts become those of the model.

    Raises:
        CheckpointError: There is no such adapter, or it is damaged.
        UnsafeCheckpoint: Its weights are a pickle.
        UnsupportedConfig: It is not one of LoRA, or asks for what is not computed here.
    """
    folder = adapter_folder(path)
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder} has no {CONFIG}; expected an adapter in the PEFT layout.")
    config = AdapterConfig.from_peft(read_json(folder / CONFIG))
    if not (folder / WEIGHTS).is_file():
        if pickles := sorted(file.name for file in folder.iterdir() if file.suffix.lower() in PICKLES):
            raise UnsafeCheckpoint(
                f"{folder} holds its weights as a pickle ({pickles[0]}), which can run code when it is read; "
                f"expected {WEIGHTS}."
            )
        raise CheckpointError(f"{folder} has no {WEIGHTS}; expected an adapter in the PEFT layout.")
    found: dict[str, dict[str, Entry]] = {}
    copies: dict[str, Entry] = {}
    theirs: dict[str, str] = {}
    for written, entry in read_header(folder / WEIGHTS).items():
        name = COMPILED.sub("", written)
        if parts := _WEIGHT.fullmatch(name):
            layer = family.name_in_model(f"{parts[1]}.weight").removesuffix(".weight")
            if parts[2] in found.setdefault(layer, {}):
                raise CheckpointError(f"{WEIGHTS} holds {parts[2]} for {layer} twice; it is damaged: fetch it again.")
            found[layer][parts[2]] = entry
            theirs[layer] = parts[1]
        elif parts := _COPY.fullmatch(name):
            copies[family.name_in_model(f"{parts[1]}.{parts[2]}")] = entry
        else:
            raise UnexpectedWeights(f"{WEIGHTS} holds {written!r}; expected LoRA's A and B of linear layers only.")
    if half := [layer for layer, pair in found.items() if len(pair) < 2]:
        raise CheckpointError(f"{WEIGHTS} holds only one of A and B for {half[0]}; it is damaged: fetch it again.")
    _check_targets(config, theirs)
    layers = {layer: (pair["A"], pair["B"]) for layer, pair in found.items()}
    return Adapter(folder=folder, config=config, layers=layers, copies=copies)


def _check_targets(config: AdapterConfig, layers: Mapping[str, str]) -> None:
    """The weights must be those of the layers that the configuration names.

    Args:
        config: What the configuration says.
        layers: Name of a layer in the model → its name in the file; `target_modules` may be either.
    """
    if not layers:
        raise CheckpointError(f"{WEIGHTS} holds no weights.")
    targets = config.target_modules
    if isinstance(targets, str):
        return

    def among(names: Collection[str], layer: str) -> bool:
        return _is_target(layer, names) or _is_target(layers[layer], names)

    for target in targets:
        if not config.excludes and not any(among((target,), layer) for layer in layers):
            raise CheckpointError(f"{CONFIG} names {target!r} in target_modules, but {WEIGHTS} has no weights for it.")
    if others := [layer for layer in layers if not among(targets, layer)]:
        raise CheckpointError(f"{WEIGHTS} has weights for {others[0]}, which target_modules of {CONFIG} does not name.")


def _is_target(layer: str, targets: Collection[str]) -> bool:
    return any(layer == target or layer.endswith(f".{target}") for target in targets)


def check_adapter(adapter: Adapter, model: nn.Module) -> None:
    """Whether an adapter fits a model, which may be on `meta`.

    Raises:
        UnexpectedWeights: The model lacks a layer that it changes.
        ShapeMismatch: A layer has other sizes.
    """
    modules = dict(model.named_modules())
    linear = {name: module for name, module in modules.items() if isinstance(module, nn.Linear)}
    if absent := [layer for layer in adapter.layers if layer not in linear]:
        shown = ", ".join(absent[:_SHOWN]) + (f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else "")
        raise UnexpectedWeights(
            f"The adapter changes {len(absent)} layer{'s' * (len(absent) != 1)} that the model lacks ({shown}); "
            "it was made for another model."
        )
    rank = adapter.config.r
    for layer, (down, up) in adapter.layers.items():
        rows, columns = linear[layer].out_features, linear[layer].in_features
        if down.shape != (rank, columns) or up.shape != (rows, rank):
            raise ShapeMismatch(
                f"The adapter has A {list(down.shape)} and B {list(up.shape)} for {layer}, where rank {rank} and the "
                f"model's {[rows, columns]} need {[rank, columns]} and {[rows, rank]}; it was made for another model."
            )
        if not (down.floating and up.floating):
            raise CheckpointError(f"The adapter stores {layer} as {down.dtype} and {up.dtype}; expected floats.")


def check_copies(adapter: Adapter, entries: Mapping[str, Entry], tied: Mapping[str, str]) -> None:
    """Copies of weights beside an adapter must be equal to the model's own.

    Args:
        adapter: The adapter.
        entries: The checkpoint's weights by the model's names.
        tied: Weights that are others', as the model names them; a checkpoint may leave them out.

    Raises:
        UnexpectedWeights: A copy differs, or is of a weight that the model lacks.
        UnsupportedConfig: The model's weight is stored as codes, with which a copy cannot be compared.
    """
    for name, copy in adapter.copies.items():
        own = entries.get(name) or entries.get(tied.get(name, ""))
        if own is None:
            raise UnexpectedWeights(f"{WEIGHTS} holds {copy.name!r}, which the model lacks; it is for another model.")
        if not own.floating:
            raise UnsupportedConfig(
                f"{WEIGHTS} holds a copy of {name}, which the model stores as codes; attach it to the plain model."
            )
        kept = read(copy)
        # In the precision of the copy: base models are often stored in another one.
        if own.shape != copy.shape or not torch.equal(read(own).to(kept.dtype), kept):
            raise UnexpectedWeights(
                f"{WEIGHTS} holds a copy of {name} that differs from the model's; it was trained or resized, which is "
                "not computed beside a model: merge it with the tool that made it."
            )


def attach_adapter(model: nn.Module, adapter: Adapter, dtype: torch.dtype = torch.float32) -> None:
    """Put an adapter beside the layers of a model that it changes. `check_adapter` comes first.

    Raises:
        CheckpointError: Its weights cannot be read.
    """
    file = next(iter(adapter.layers.values()))[0].file
    try:
        with safe_open(file, framework="pt") as tensors:
            for layer, (down, up) in adapter.layers.items():
                lora = _wrap(model, layer, (up.shape[0], down.shape[1]), adapter.config)
                for part, entry in ((lora.lora_A, down), (lora.lora_B, up)):
                    part.weight = nn.Parameter(tensors.get_tensor(entry.name).to(dtype), requires_grad=False)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file.name} cannot be read: {error}.") from None


def new_adapter(model: nn.Module, config: AdapterConfig) -> list[str]:
    """Put a fresh adapter, which changes nothing yet, beside all linear layers that `target_modules` names.

    Returns:
        The layers. Only the adapter's weights are left to be trained.

    Raises:
        InputError: There is no such layer, or `target_modules` is a pattern.
    """
    if isinstance(config.target_modules, str):
        raise InputError(f"target_modules is {config.target_modules!r}; expected a list of names of layers.")
    chosen = [name for name in linear_layers(model) if _is_target(name, config.target_modules)]
    if not chosen:
        raise InputError(f"The model has no linear layer named {' or '.join(config.target_modules)}.")
    model.requires_grad_(False)
    for name in chosen:
        module = model.get_submodule(name)
        if isinstance(module, QuantizedLinear):
            _wrap(model, name, (module.kernel.rows, module.kernel.width), config)
        elif isinstance(module, nn.Linear):
            lora = _wrap(model, name, (module.out_features, module.in_features), config)
            lora.to(module.weight.device)
    return chosen


def linear_layers(model: nn.Module) -> list[str]:
    """Names of the layers that can have an adapter beside them: linear ones, plain or of codes."""
    kinds = (nn.Linear, QuantizedLinear)
    return [name for name, module in model.named_modules() if isinstance(module, kinds) and ".lora_" not in name]


def _wrap(model: nn.Module, layer: str, shape: tuple[int, int], config: AdapterConfig) -> LoRALinear:
    parent, _, attribute = layer.rpartition(".")
    lora = LoRALinear(model.get_submodule(layer), shape, config.r, config.scale, config.lora_dropout)
    setattr(model.get_submodule(parent), attribute, lora)
    return lora.train(model.training)


def merge_adapter(model: nn.Module) -> int:
    """Add every attached change to its layer's weight, in place; the model is plain again afterwards.

    Returns:
        How many layers changed.

    Raises:
        InputError: A layer is quantized, or its weight is another part's, too.
    """
    tied: Mapping[str, str] = getattr(model, "tied", {})
    changed = {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}
    for name, lora in changed.items():
        if type(lora.base_layer) is not nn.Linear:
            raise InputError(f"{name} is quantized and cannot be merged into; load the model without quantize.")
        if f"{name}.weight" in {*tied, *tied.values()}:
            raise InputError(f"{name} shares its weight with the token table, which merging would change; attach only.")
    for name, lora in changed.items():
        parent, _, attribute = name.rpartition(".")
        base = cast("nn.Linear", lora.base_layer)
        whole = (base.weight.detach().float() + lora.change()).to(base.weight.dtype)
        base.weight = nn.Parameter(whole, requires_grad=base.weight.requires_grad)
        setattr(model.get_submodule(parent), attribute, base)
    return len(changed)


def save_adapter(
    model: nn.Module,
    path: str | PathLike[str],
    config: AdapterConfig,
    family: Family,
    base: Mapping[str, str] | None = None,
) -> None:
    """Write the adapter that is attached to a model, as `peft` would for the model's class in the reference.

    Args:
        model: With the adapter.
        path: The folder to write; an adapter that is there is replaced.
        config: The adapter's.
        family: Of the model.
        base: What `adapter_base.fingerprint` says of the model it was trained on, to be kept with the weights.

    Raises:
        InputError: There is none.
        CheckpointError: There is a folder of something else in the place.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            layer = family.name_elsewhere(f"{name}.weight").removesuffix(".weight")
            for part in ("lora_A", "lora_B"):
                weight = module.get_submodule(part).get_parameter("weight")
                tensors[f"base_model.model.{layer}.{part}.weight"] = weight.detach().cpu().contiguous()
    if not tensors:
        raise InputError("The model has no adapter attached; there is nothing to save.")
    with replace_folder(Path(path), CONFIG) as folder:
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt", **(base or {})})
        (folder / CONFIG).write_text(json.dumps(config.to_peft(), indent=1) + "\n", encoding="utf-8")
