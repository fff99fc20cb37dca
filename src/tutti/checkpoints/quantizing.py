"""Layers of int8 and int4 weights in the place of plain ones, a tensor at a time, so that little memory is needed.

A quantized folder keeps codes, scales and grids (`tutti.models.layers.codes`) under the names of the layers, and says
`"quantization_config": {"quant_method": "tutti"}` in its `config.json`.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from tutti.checkpoints.family import QUANTIZED, Family
from tutti.checkpoints.headers import Entry
from tutti.errors import CheckpointError, InputError, UnsupportedTask
from tutti.models.layers.codes import Codes, quantize
from tutti.models.layers.linear import HeldEmbedding, HeldLinear, QuantizedEmbedding, QuantizedLinear
from tutti.models.schemes import Policy, Scheme, stored_shapes

STORED: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
"""Types of tensors in files that are read."""

_HELD = ("F16", "BF16")


def plan(model: nn.Module, text: str, family: Family) -> dict[str, Scheme]:
    """Layers to quantize → precision.

    Raises:
        InputError: `text` is not a choice.
        UnsupportedTask: The family has nothing that would be quantized.
    """
    policy = Policy.parse(text)
    found = {
        name: scheme
        for name, layer in _linears(model)
        if (scheme := policy.scheme(name, layer.weight.shape, family.decoder_blocks, family.outputs))
    }
    if not found:
        raise UnsupportedTask(
            f"The model has no decoder, and {text} takes the layers of decoders only; "
            "use int8+trunks, or leave it as it is."
        )
    return found


def stored_plan(model: nn.Module, entries: Mapping[str, Entry], family: Family) -> dict[str, Scheme]:
    """Layers that a quantized folder holds as codes → precision, by the type of their weights.

    Outputs that share the codes of the table of words have none of their own.
    """
    types: Mapping[str, Scheme] = {"I8": "int8", "U8": "int4"}
    found: dict[str, Scheme] = {}
    for name, _ in _linears(model):
        entry = entries.get(f"{name}.weight")
        if entry is not None and entry.dtype in types:
            found[name] = types[entry.dtype]
    table = entries.get(f"{family.words}.weight")
    if table is not None and table.dtype == "I8":
        found |= {name: "int8" for name in family.outputs if f"{name}.weight" not in entries}
    return found


def shared_codes(
    model: nn.Module, layers: Mapping[str, Scheme], entries: Mapping[str, Entry], family: Family, stored: bool
) -> str | None:
    """The table of words that becomes int8 codes together with the outputs that it is; None if it stays.

    A folder in which the outputs have codes of their own, as older ones, stays as it is.
    """
    tied: Mapping[str, str] = getattr(model, "tied", {})
    name = family.shared_table(f"{family.words}.weight" in tied.values(), layers)
    if name is None or type(model.get_submodule(name)) is not nn.Embedding:
        return None
    own = any(f"{output}.weight" in entries for output in family.outputs)
    is_codes = entries[f"{name}.weight"].dtype == "I8" if f"{name}.weight" in entries else False
    return name if (is_codes and not own if stored else not own) else None


def stored_weights(model: nn.Module, layers: Mapping[str, Scheme], table: str | None) -> dict[str, Tensor]:
    """What a quantized folder must hold: the model's state on `meta`, with codes in the place of weights.

    Outputs that share the codes of a table are not among it.
    """
    expected: dict[str, Tensor] = dict(model.state_dict())
    held = dict(layers)
    if table is not None:
        for name in _outputs_of(model, table):
            expected.pop(f"{name}.weight")
            held.pop(name)
        held[table] = "int8"
    for name, scheme in held.items():
        rows, width = expected.pop(f"{name}.weight").shape
        if scheme == "int4" and width % 32:
            raise CheckpointError(f"{name} is stored as int4, which its {width} columns do not allow; it is damaged.")
        for part, (shape, kind) in stored_shapes(scheme, rows, width).items():
            expected[f"{name}.{part}"] = torch.empty(shape, dtype=STORED[kind], device="meta")
    return expected


def hold(model: nn.Module, entries: Mapping[str, Entry], layers: Collection[str]) -> set[str]:
    """Let what is kept in 16 bits stay so: layers and tables that the plan leaves out; the names of their weights.

    A table that is more than one says what it becomes (`held`).
    """
    held = set()
    for name, module in list(model.named_modules()):
        entry = entries.get(f"{name}.weight")
        if name in layers or entry is None or entry.dtype not in _HELD:
            continue
        make: Callable[[], nn.Module] | None = getattr(module, "held", None)
        if make is not None:
            new = make()
        elif _is_linear(module):
            new = HeldLinear(module.in_features, module.out_features, module.bias is not None, device="meta")
        elif type(module) is nn.Embedding:
            # From a weight that is there: to draw one on `meta`, torch imports its compiler, which takes a second.
            new = HeldEmbedding(module.num_embeddings, module.embedding_dim, _weight=module.weight)
        else:
            continue
        model.set_submodule(name, new)
        held.add(f"{name}.weight")
    return held


def fill(
    model: nn.Module,
    layers: Mapping[str, Scheme],
    entries: Mapping[str, Entry],
    tied: Mapping[str, str],
    stored: bool,
    table: str | None,
    told_and_put: tuple[Callable[[Entry], None], torch.device],
) -> None:
    """Put quantized layers in place, on a device, in the order in which their weights lie in the files; tell of each.

    Raises:
        CheckpointError: A file cannot be read, or a weight is not finite.
    """
    read_so, device = told_and_put
    sources = {}
    for name in layers:
        weight = f"{name}.weight"
        sources[name] = entries[weight] if weight in entries else entries[tied[weight]]
    for name in sorted(layers, key=lambda name: (sources[name].file, sources[name].start)):
        bias = read(entries[f"{name}.bias"]).float() if f"{name}.bias" in entries else None
        if stored:
            parts = stored_shapes(layers[name], 0, 32)
            holder = sources[name].name if f"{name}.weight" in entries else f"{table}.weight"
            tensors = {part: read(entries[holder.removesuffix("weight") + part]) for part in parts}
            # What is read lies in the file: what stays must be copied out of it.
            codes = Codes.from_tensors({part: tensor.clone() for part, tensor in tensors.items()})
        else:
            plain = read(sources[name])
            # A GPU takes seconds for what takes a CPU minutes.
            codes = quantize(plain.to(device) if device.type == "cuda" else plain, layers[name])
        if not torch.isfinite(codes.scale).all():
            raise CheckpointError(f"{sources[name].name} holds values that are not finite; it cannot be quantized.")
        if device.type != "cpu":
            codes, bias = codes.to(device), None if bias is None else bias.to(device)
        make: Callable[[Codes, Tensor | None], nn.Module]
        make = getattr(model.get_submodule(name), "quantized", QuantizedLinear)
        model.set_submodule(name, make(codes, bias))
        if table is not None and tied.get(f"{name}.weight") == f"{table}.weight":
            model.set_submodule(table, QuantizedEmbedding(codes))
        read_so(sources[name])


def unpack(codes: Tensor, scale: Tensor) -> Tensor:
    """A packed weight as floating-point numbers. Shapes: (N, …) int8 and (N,) → (N, …)."""
    return codes.float() * scale.view(-1, *(1,) * (codes.dim() - 1))


def pack(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `unpack`, each row in steps of 1/127 of its largest value. Shapes: (N, …) → (N, …) and (N,)."""
    flat = weight.detach().float().flatten(1)
    scale = (flat.abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
    return (flat / scale[:, None]).round().to(torch.int8).view(weight.shape), scale


def read(entry: Entry) -> Tensor:
    """A tensor of a file, mapped: its pages are given back when the tensor goes. A packed one is unpacked.

    Raises:
        CheckpointError: The file cannot be read.
    """
    start = entry.start // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    try:
        with entry.file.open("rb") as stream:
            pages = mmap.mmap(stream.fileno(), entry.end - start, access=mmap.ACCESS_COPY, offset=start)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{entry.file.name} cannot be read: {error}.") from None
    flat = torch.frombuffer(pages, dtype=STORED[entry.dtype], count=entry.values, offset=entry.start - start)
    return flat.view(entry.shape) if entry.scale is None else unpack(flat.view(entry.shape), read(entry.scale))


def quantization_config(model: nn.Module) -> dict[str, Any]:
    """What `config.json` must say of a model's weights: nothing unless some are quantized."""
    if not any(isinstance(module, QuantizedLinear) for module in model.modules()):
        return {}
    return {"quantization_config": dict(QUANTIZED)}


def weight_bytes(model: nn.Module) -> int:
    """Bytes that a model's weights take in memory, shared ones once."""
    seen = {tensor.data_ptr(): tensor.nbytes for tensor in [*model.parameters(), *model.buffers()]}
    kernels = (module.kernel.nbytes for module in model.modules() if isinstance(module, QuantizedLinear))
    return sum(seen.values()) + sum(kernels)


def check_quantize(quantize: str | None, quantized: bool, dtype: str, new_weights: tuple[str, ...]) -> None:
    """Refuse what cannot be combined; `quantized` says that the folder holds codes already.

    Raises:
        InputError: Quantizing twice, or codes in another precision than float32, or beside weights that start afresh.
    """
    if quantize is not None:
        Policy.parse(quantize)
        if quantized:
            raise InputError("The checkpoint is quantized already; load it without quantize.")
    if quantize is None and not quantized:
        return
    if dtype != "float32":
        raise InputError(f"dtype is {dtype!r}; quantized layers compute in float32: leave dtype out.")
    if new_weights:
        raise InputError("Quantized weights cannot be trained, so none can start afresh; use the plain checkpoint.")


def _outputs_of(model: nn.Module, table: str) -> list[str]:
    """Layers whose weight is that of a table."""
    tied: Mapping[str, str] = getattr(model, "tied", {})
    return [name.removesuffix(".weight") for name, source in tied.items() if source == f"{table}.weight"]


def narrow(model: nn.Module, words: str, entries: Mapping[str, Entry]) -> set[str]:
    """Hold a table of words that comes in float32 in 16 bits beside quantized layers; the name of its weight.

    Its rows are only looked up, and quantized layers keep eight bits of them at most. bfloat16 is for a table that
    float16 does not reach.
    """
    entry = entries.get(f"{words}.weight")
    if entry is None or entry.dtype != "F32":
        return set()
    plain = model.get_submodule(words)
    make: Callable[[], nn.Module] | None = getattr(plain, "held", None)
    if make is None and type(plain) is not nn.Embedding:
        return set()
    wide = read(entry)
    rows = wide.half()
    rows = rows if rows.isfinite().all() else wide.bfloat16()
    new = HeldEmbedding(entry.shape[0], entry.shape[1], _weight=rows) if make is None else make()
    new.weight = nn.Parameter(rows, requires_grad=False)
    model.set_submodule(words, new)
    return {f"{words}.weight"}


def _linears(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Layers that can be quantized: plain ones, and those that say what they become (`quantized`)."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and (_is_linear(module) or hasattr(module, "quantized")):
            yield name, module


def _is_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether it computes what a linear layer does; one that was made to do more cannot be replaced."""
    return isinstance(module, nn.Linear) and type(module).forward is nn.Linear.forward
