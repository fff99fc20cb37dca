"""A checkpoint folder to a model: strict in both directions, shard by shard, nothing executed.

The model is built on torch's `meta` device, which takes no memory, and its weights are then put in place. Weights that
need no cast stay mapped to the file, so that loading costs no copy.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from os import PathLike
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tutti.checkpoints.adapter_bank import attach_adapters, read_adapters
from tutti.checkpoints.adapters import Adapter, attach_adapter
from tutti.checkpoints.devices import find_device, find_dtype, within_memory
from tutti.checkpoints.families import find_family
from tutti.checkpoints.family import Family, read_config, take_quantization
from tutti.checkpoints.headers import Entry, read_folder
from tutti.checkpoints.hollow import Hollow as _Hollow
from tutti.checkpoints.inspection import CheckpointInfo, by_part, describe
from tutti.checkpoints.model_paths import find_folder
from tutti.checkpoints.quantizing import (
    STORED,
    check_quantize,
    fill,
    hold,
    narrow,
    plan,
    read,
    shared_codes,
    stored_plan,
    stored_weights,
    unpack,
    weight_bytes,
)
from tutti.errors import CheckpointError, InputError, MissingWeights, ShapeMismatch, UnexpectedWeights
from tutti.models.schemes import Scheme
from tutti.processing.prompt import Processor

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""Precisions that a model can be loaded or saved in."""

LoadProgress = Callable[[int, int], None]
"""Who wants to know how far loading is: bytes of weights that were read, and of all."""

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What loading did."""

    loaded: int
    """Tensors read from the checkpoint."""
    cast: Mapping[str, int]
    """"float16 → float32" → how many tensors were cast so."""
    newly_initialized: tuple[str, ...]
    """Weights that the checkpoint lacks and the caller allowed to start afresh."""
    ignored: tuple[str, ...]
    """Tensors of the checkpoint that the model computes by itself, as its family lists them (`computed`)."""
    adapted: tuple[str, ...]
    """Layers that an adapter changes."""
    adapter: str | None
    """Folder of the adapter; the checkpoint's own where it lies in there and none was named."""
    unread: tuple[str, ...]
    """Unknown keys of `config.json` that change nothing: notes of tools, and what is null or empty."""
    seconds: float
    """Wall time."""
    bytes: int
    """Bytes of the tensors in the files."""
    quantized: Mapping[str, str]
    """Part of the model → precision of its linear layers; empty unless the weights are quantized."""
    memory_bytes: int
    """Bytes of the weights as they are loaded; those that needed no cast lie in the file's own pages."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with what makes its inputs."""

    model: nn.Module
    """In evaluation mode."""
    processor: Processor
    """The family's processor, e.g. `tutti.processing.omni.OmniProcessor`."""
    report: LoadReport
    info: CheckpointInfo


def load(
    path: str | PathLike[str],
    *,
    dtype: str = "float32",
    device: str = "cpu",
    quantize: str | None = None,
    adapter: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    own_adapter: bool = True,
    new_weights: tuple[str, ...] = (),
    told: LoadProgress | None = None,
) -> Loaded:
    """Load a checkpoint.

    Args:
        path: A folder, a built-in name or a hub id.
        dtype: Precision of the floating-point weights: float32, float16 or bfloat16. Whole numbers keep their type.
            auto is bfloat16 on a GPU that computes in it, unless the weights are codes, and float32 otherwise.
        device: Where the model is put, weight by weight as they are read: cpu, cuda, cuda:N, or auto, which is the
            first GPU where there is one.
        quantize: Precision of the decoder's weights, "int8" or "int4", for inference; with "+trunks" behind it, those
            of trunks become int8, too, and with "+trunks4" those of their MLPs int4 (`tutti.models.schemes`). None
            keeps what the folder holds.
        adapter: A folder or hub id of a LoRA adapter in the PEFT layout, to put beside the layers that it changes. None
            is the one that lies in the checkpoint's own folder, if there is one, as in the reference.
            Several are for requests that choose among them, by their places here; the model stays as it is for those
            that choose none (`tutti.checkpoints.adapter_bank`).
        own_adapter: Whether that of its own folder counts.
        new_weights: Names of weights, or of modules, that start afresh where the checkpoint lacks them. The model is
            then built a second time in memory, to draw their first values as its constructor does.
        told: Called as weights come in, in the end with all of them.

    Raises:
        CheckpointError: There is no such checkpoint, or it is damaged.
        MissingWeights: The model has weights that the checkpoint lacks.
        UnexpectedWeights: The checkpoint has weights that the model lacks.
        ShapeMismatch: A weight has another shape than in the model.
        UnsafeCheckpoint: It would need code or a pickle to be executed.
        UnsupportedConfig: The family or its configuration is not known.
        InputError: An argument is not what is expected, or the tokenizer is broken.
        UnsupportedTask: The model has nothing that `quantize` applies to.
        CapacityError: The weights do not fit into the memory of the GPU.
    """
    begun = time.perf_counter()
    place = _place(device, dtype)
    folder = find_folder(path)
    written = read_config(folder)
    values = dict(written)
    quantized = take_quantization(values)
    dtype = find_dtype(dtype, place, quantized or quantize is not None)
    check_quantize(quantize, quantized, dtype, new_weights)
    family = find_family(values)
    config = family.config(values)
    stored = read_folder(folder)
    with torch.device("meta"), _Hollow():
        model = family.model(config)
    tied: Mapping[str, str] = getattr(model, "tied", {})
    computed: Collection[str] = getattr(model, "computed", ())
    named = _name(stored, family)
    entries = {name: entry for name, entry in named.items() if name not in computed}
    named_so = (str(path), quantized)
    lora, bank = read_adapters(adapter, folder if own_adapter else None, family, model, entries, named_so)
    layers = _schemes(model, entries, family, quantize, quantized)
    table = shared_codes(model, layers, entries, family, quantized) if layers else None
    expected = stored_weights(model, layers, table) if quantized else model.state_dict()
    fresh = _check_weights(expected, entries, tied, new_weights)
    processor = family.processor(config, folder)
    casts: Counter[str] = Counter()
    held = hold(model, entries, [*layers, *filter(None, [table])]) if layers else set()
    narrowed = narrow(model, family.words, entries) if quantize and table is None and family.words else set()
    plain = _plain(entries, {*layers, table}, narrowed)
    meter = _Meter(entries, told)
    with within_memory():
        for shard in _read_shards(plain, (DTYPES[dtype], place), held, casts, meter.read):
            model.load_state_dict(shard, strict=False, assign=True)
        fill(model, layers, entries, tied, quantized, table, (meter.read, place))
        _draw(model, fresh, lambda: family.model(config).to(DTYPES[dtype]))
        _tie(model, tied, entries, layers)
        _complete(model, lora, bank, (DTYPES[dtype], place))
    meter.end()
    report = LoadReport(
        loaded=len(entries),
        cast=dict(casts),
        newly_initialized=fresh,
        ignored=tuple(entry.name for name, entry in named.items() if name in computed),
        **_told_of(lora, config),
        seconds=time.perf_counter() - begun,
        bytes=meter.bytes,
        quantized=by_part({**layers, **({table: "int8"} if table else {})}),
        memory_bytes=weight_bytes(model),
    )
    return Loaded(model.eval(), processor, report, describe(folder, written, stored))


def _place(device: str, dtype: str) -> torch.device:
    """Where the model goes, if its precision is known, too."""
    if dtype not in (*DTYPES, "auto"):
        raise InputError(f"dtype is {dtype!r}; expected one of auto, {', '.join(DTYPES)}.")
    return find_device(device)


def _complete(
    model: nn.Module, lora: Adapter | None, bank: Sequence[Adapter], target: tuple[torch.dtype, torch.device]
) -> None:
    """See that no weight is missing, put adapters beside them, and bring along what came some other way."""
    _check_filled(model)
    if lora is not None:
        attach_adapter(model, lora, target[0])
    if bank:
        attach_adapters(model, bank, target[0])
    if target[1].type != "cpu":
        model.to(target[1])


def _schemes(
    model: nn.Module, entries: Mapping[str, Entry], family: Family, quantize: str | None, quantized: bool
) -> Mapping[str, Scheme]:
    """Layers → precision, as the folder holds them or as they are asked for; nothing if they stay plain."""
    if quantized:
        return stored_plan(model, entries, family)
    return plan(model, quantize, family) if quantize else {}


def _plain(entries: Mapping[str, Entry], codes: Collection[str | None], narrowed: Collection[str]) -> dict[str, Entry]:
    """What is read as it is: neither layers of codes nor what was narrowed already."""
    kept = (name for name in entries if name.rpartition(".")[0] not in codes and name not in narrowed)
    return {name: entries[name] for name in kept}


def _told_of(lora: Adapter | None, config: Any) -> dict[str, Any]:
    """What the report says of an adapter, and of what the configuration leaves unread."""
    adapted, adapter = (tuple(lora.layers), str(lora.folder)) if lora else ((), None)
    return {"adapted": adapted, "adapter": adapter, "unread": getattr(config, "unread", ())}


class _Meter:
    """Counts the bytes of weights that were read, for whoever wants to know."""

    def __init__(self, entries: Mapping[str, Entry], told: LoadProgress | None) -> None:
        self.bytes = sum(entry.stored_bytes for entry in entries.values())
        self._read, self._told = 0, told

    def read(self, entry: Entry) -> None:
        """One more."""
        self._read += entry.stored_bytes
        if self._told and self._read < self.bytes:
            self._told(self._read, self.bytes)

    def end(self) -> None:
        """All, whatever small parts of layers were not counted by themselves."""
        if self._told:
            self._told(self.bytes, self.bytes)


def _draw(model: nn.Module, fresh: tuple[str, ...], build: Callable[[], nn.Module]) -> None:
    """Give weights that start afresh, if there are any, the first values of another model of the kind."""
    if not fresh:
        return
    values = build().state_dict()
    model.load_state_dict({name: values[name] for name in fresh}, strict=False, assign=True)


def _name(stored: Mapping[str, Entry], family: Family) -> dict[str, Entry]:
    """The entries by the model's names."""
    named: dict[str, Entry] = {}
    for name, entry in stored.items():
        ours = family.name_in_model(name)
        if ours in named:
            raise CheckpointError(f"The checkpoint has {ours} twice, as {named[ours].name} and as {name}.")
        named[ours] = entry
    return named


def _check_weights(
    expected: Mapping[str, Tensor], entries: Mapping[str, Entry], tied: Mapping[str, str], new_weights: tuple[str, ...]
) -> tuple[str, ...]:
    """Compare names, shapes and kinds before any weight is read; the weights that start afresh."""
    for name in new_weights:
        if not any(_within(weight, name) for weight in expected):
            raise InputError(f"new_weights names {name!r}, but the model has no weight or module of that name.")
    absent = [name for name in expected if name not in entries and name not in tied]
    if missing := [name for name in absent if not any(_within(name, new) for new in new_weights)]:
        raise MissingWeights(
            f"The checkpoint lacks {_count(missing)} of the model ({_some(missing)}); "
            "it is incomplete or of another model."
        )
    if extra := [name for name in entries if name not in expected]:
        raise UnexpectedWeights(
            f"The checkpoint has {_count(extra)} that the model lacks ({_some(extra)}); "
            "its config.json is of another model."
        )
    misshapen = [name for name, entry in entries.items() if tuple(expected[name].shape) != entry.shape]
    if misshapen:
        shown = (f"{name} {list(entries[name].shape)} for {list(expected[name].shape)}" for name in misshapen)
        raise ShapeMismatch(
            f"The checkpoint has {_count(misshapen)} of another shape than the model ({_some(shown)}); "
            "its config.json is of another model."
        )
    for name, entry in entries.items():
        _check_kind(entry, expected[name].dtype)
    return tuple(absent)


def _check_kind(entry: Entry, expected: torch.dtype) -> None:
    found = torch.float32 if entry.scale else STORED.get(entry.dtype)
    fits = found is not None and (found == expected or (found.is_floating_point and expected.is_floating_point))
    if not fits:
        raise CheckpointError(
            f"{entry.name} is stored as {entry.dtype}, but the model needs it as {_word(expected)}; "
            "the checkpoint is quantized in a way that is not known here."
        )


def _read_shards(
    entries: Mapping[str, Entry],
    target: tuple[torch.dtype, torch.device],
    held: Collection[str],
    casts: Counter[str],
    read_so: Callable[[Entry], None],
) -> Iterator[dict[str, Tensor]]:
    """Tensors file by file, on a device, floating-point ones in a precision but for those that are held as they are."""
    dtype, device = target
    by_file = sorted(entries.items(), key=lambda item: item[1].file)
    for file, some in groupby(by_file, key=lambda item: item[1].file):
        shard: dict[str, Tensor] = {}
        try:
            with safe_open(file, framework="pt") as tensors:
                for name, entry in some:
                    tensor: Tensor = tensors.get_tensor(entry.name)
                    if entry.scale is not None:
                        tensor = unpack(tensor, read(entry.scale))
                    if tensor.is_floating_point() and tensor.dtype != dtype and name not in held:
                        casts[f"{_word(tensor.dtype)} → {_word(dtype)}"] += 1
                        tensor = tensor.to(dtype)
                    shard[name] = tensor if device.type == "cpu" else tensor.to(device)
                    read_so(entry)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file.name} cannot be read: {error}.") from None
        yield shard


def _tie(model: nn.Module, tied: Mapping[str, str], entries: Mapping[str, Entry], layers: Mapping[str, Scheme]) -> None:
    """Make tied weights one tensor again. A checkpoint may hold both, if they are the same.

    A quantized one stays by itself: a table of words and a product need their weights in different forms.
    """
    for name, source in tied.items():
        module, _, attribute = name.rpartition(".")
        both = name in entries and entries[name].floating
        if both and not torch.equal(read(entries[name]).float(), read(entries[source]).float()):
            raise CheckpointError(f"{name} differs from {source}, but config.json says that they are one weight.")
        if module not in layers:
            setattr(model.get_submodule(module), attribute, model.get_parameter(source))


def _check_filled(model: nn.Module) -> None:
    """A buffer that is not stored keeps no value on `meta`: a family must compute such things, not keep them."""
    everything = [*model.named_parameters(), *model.named_buffers()]
    if empty := [name for name, tensor in everything if tensor.is_meta]:
        raise CheckpointError(
            f"{_count(empty)} of the model got no value ({_some(empty)}); its family cannot be loaded."
        )


def _within(weight: str, module: str) -> bool:
    return weight == module or weight.startswith(f"{module}.")


def _count(names: list[str]) -> str:
    return f"{len(names)} weight{'s' * (len(names) != 1)}"


def _some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
