"""What a checkpoint is, from its headers and configuration. Imports neither torch nor numpy and reads no weight."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from tutti.checkpoints.families import find_family
from tutti.checkpoints.family import Facts, Family, read_config, take_quantization
from tutti.checkpoints.headers import DTYPE_BYTES, Entry, read_folder
from tutti.checkpoints.model_paths import find_folder
from tutti.errors import CheckpointError
from tutti.models.schemes import GROUPS, Policy, Scheme, bytes_in_memory, stored_shapes

_CHUNK_BYTES = 1 << 20
_CARD_CHARACTERS = 64_000


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """What a checkpoint is. Plain values, ready for JSON."""

    path: str
    family: str
    """`model_type` of `config.json`."""
    supported: bool
    """Whether `load` knows the family and its configuration."""
    reason: str | None
    """Why it does not, as a sentence."""
    parameters: int
    """Values of the weights, buffers included, however many bits each is stored in."""
    parts: Mapping[str, int]
    """First components of the weights' names → their values."""
    bytes: int
    """Bytes of all tensors as they are stored."""
    dtype_bytes: Mapping[str, int]
    """Type in which tensors are stored → bytes."""
    memory_bytes: Mapping[str, int]
    """Precision → bytes of the loaded weights; "int8" and "int4" as `load` quantizes, if the family has a decoder. Of a
    quantized folder "as stored" only, the one way in which it can be loaded; nothing if it is quantized by others."""
    quantization: Mapping[str, str]
    """Part → what `quantize="int4"` makes of its linear layers, or, of a folder that is quantized, what it holds."""
    context_length: int | None
    """In tokens."""
    kv_bytes_per_token: int | None
    """Bytes of keys and values that a token of context takes in float32."""
    tasks: tuple[str, ...]
    """What the model can do."""
    media_tokens: Mapping[str, Mapping[str, float]]
    """Modality → unit ("picture", "frame", "second", "recording") → tokens it takes in the decoder, or in its own
    trunk where there is none."""
    media_kv_bytes: Mapping[str, Mapping[str, int]]
    """The same → bytes of keys and values in float32 beside the context, where text looks at media."""
    adapter: bool
    """Whether the folder holds an adapter, which `load` puts beside the weights."""
    licence: str | None
    """From the model card's front matter, or the first line of LICENSE."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights, in hexadecimal.

        Over every tensor in order of its name: name, type, shape and bytes; so it does not depend on how the weights
        are cut into files. Computed when first asked for, since it reads all of them.

        Raises:
            CheckpointError: A file has gone or changed.
        """
        return _digest(read_folder(Path(self.path)).values())


def inspect(path: str | PathLike[str]) -> CheckpointInfo:
    """Read a checkpoint's headers and configuration.

    A family that is not known is described as far as its headers go; `reason` then says what `load` would.

    Args:
        path: A folder, a built-in name or a hub id.

    Raises:
        CheckpointError: There is no such checkpoint, or a header or `config.json` is broken.
        UnsafeCheckpoint: It would need code or a pickle to be executed.
    """
    folder = find_folder(path)
    values = read_config(folder)
    return describe(folder, values, read_folder(folder))


def describe(folder: Path, values: Mapping[str, Any], entries: Mapping[str, Entry]) -> CheckpointInfo:
    """What is known from `config.json` and the headers."""
    reason, facts = None, None
    plain = dict(values)
    counted: Collection[Entry] = entries.values()
    memory = {} if "quantization_config" in values else _plain_memory(counted)
    held: Mapping[str, Scheme] = {}
    try:
        stored = take_quantization(plain)
        family = find_family(plain)
        facts = family.facts(family.config(plain), folder)
        layers = {family.name_in_model(entry.name): entry for entry in entries.values()}
        outputs = _tied_outputs(layers, family)
        if stored:
            held = _stored_plan(layers)
            layers = _unpacked(layers, held)
            # Quantized, outputs that are the table of words have no values of their own.
            counted = [entry for name, entry in layers.items() if not (facts.tied and name in outputs)]
            table = family.words if held.get(family.words) == "int8" else None
            held |= dict.fromkeys(family.outputs, "int8") if table else {}
            memory = {"as stored": _quantized_memory({**outputs, **layers} if table else layers, held, table)}
        else:
            layers = {**outputs, **layers}
            for scheme in ("int8", "int4"):
                held, memory[scheme] = _foretold(layers, scheme, family, facts.tied)
            if not held:
                memory = _plain_memory(counted)
    except CheckpointError as error:
        reason, facts = str(error), None
    return CheckpointInfo(
        path=str(folder),
        family=str(values.get("model_type")),
        supported=facts is not None,
        reason=reason,
        parameters=sum(entry.values for entry in counted),
        parts=_sum((_part(entry.name), entry.values) for entry in counted),
        bytes=sum(entry.stored_bytes for entry in entries.values()),
        dtype_bytes=_sum((part.dtype, part.end - part.start) for part in _flat(entries.values())),
        memory_bytes=memory,
        quantization=by_part(held),
        adapter=(folder / "adapter_config.json").is_file(),
        licence=_licence(folder),
        **_fields(facts),
    )


def by_part(layers: Mapping[str, str]) -> dict[str, str]:
    """Part of a model → precision of its linear layers."""
    if not layers:
        return {}
    # Layers of odd sizes are int8 among others of int4.
    ordered = sorted(layers.items(), key=lambda item: item[1], reverse=True)
    parts = {_part(f"{name}.weight"): scheme for name, scheme in ordered}
    return {**parts, "everything else": "kept"}


def _tied_outputs(layers: Mapping[str, Entry], family: Family) -> dict[str, Entry]:
    """What outputs are if they share the table of words: quantized, they have weights of their own."""
    table = layers.get(f"{family.words}.weight")
    return {} if table is None else {f"{layer}.weight": table for layer in family.outputs}


def _unpacked(layers: Mapping[str, Entry], held: Mapping[str, Scheme]) -> dict[str, Entry]:
    """The weights of a quantized folder in the shapes that they stand for, without the scales and grids of codes."""
    found = {}
    for name, entry in layers.items():
        layer, _, part = name.rpartition(".")
        if layer not in held or part not in stored_shapes(held[layer], 0, GROUPS[-1]):
            found[name] = entry
        elif part == "weight":
            found[name] = _unpacked_codes(entry) if held[layer] == "int4" else entry
    return found


def _unpacked_codes(entry: Entry) -> Entry:
    """A matrix of int4, two of which are stored in a byte."""
    rows, width = entry.shape[0], 2 * entry.shape[1]
    if width % GROUPS[-1]:
        raise CheckpointError(f"{entry.name} is stored as int4, which its {width} columns do not allow; it is damaged.")
    return replace(entry, shape=(rows, width))


def _plan(layers: Mapping[str, Entry], text: str, family: Family) -> dict[str, Scheme]:
    """Layers → precision: of what lies in the folder as a matrix of numbers."""
    policy, found = Policy.parse(text), {}
    for name, entry in layers.items():
        layer, _, attribute = name.rpartition(".")
        if attribute == "weight" and len(entry.shape) == 2 and entry.floating:
            scheme = policy.scheme(layer, entry.shape, family.decoder_blocks, family.outputs)
            if scheme:
                found[layer] = scheme
    return found


def _foretold(layers: Mapping[str, Entry], scheme: str, family: Family, tied: bool) -> tuple[dict[str, Scheme], int]:
    """Layers → precision, the table of words included where it shares codes; and the bytes in memory."""
    plan = _plan(layers, scheme, family)
    own = any(
        f"{output}.weight" in layers and layers[f"{output}.weight"] is not layers.get(f"{family.words}.weight")
        for output in family.outputs
    )
    table = None if own else family.shared_table(tied, plan)
    if table is not None:
        plan[table] = "int8"
    return plan, _quantized_memory(layers, plan, table, family.words)


def _stored_plan(layers: Mapping[str, Entry]) -> dict[str, Scheme]:
    types: Mapping[str, Scheme] = {"I8": "int8", "U8": "int4"}
    matrices = {name.removesuffix(".weight"): entry for name, entry in layers.items() if name.endswith(".weight")}
    fitting = {layer: entry for layer, entry in matrices.items() if entry.dtype in types and len(entry.shape) == 2}
    return {layer: types[entry.dtype] for layer, entry in fitting.items()}


def _quantized_memory(
    layers: Mapping[str, Entry], plan: Mapping[str, Scheme], table: str | None, narrowed: str = ""
) -> int:
    """Bytes of the weights when they are loaded so: kept layers and tables stay in 16 bits, others become float32.

    Args:
        layers: Names → entries.
        plan: Layers that become codes.
        table: The table of words if it is codes, which lie as they are beside those of its outputs.
        narrowed: The table of words that is held in 16 bits in any case, if it is no codes.
    """
    total = 0
    for name, entry in layers.items():
        layer, _, attribute = name.rpartition(".")
        matrix = attribute == "weight" and len(entry.shape) == 2
        if matrix and layer == table:
            total += entry.values + 4 * entry.shape[0]
        elif matrix and layer == narrowed and entry.dtype == "F32":
            total += 2 * entry.values
        elif matrix and layer in plan:
            total += bytes_in_memory(plan[layer], entry.shape)
        elif entry.floating and not (matrix and DTYPE_BYTES[entry.dtype] == 2):
            total += 4 * entry.values
        else:
            total += entry.end - entry.start
    return total


def _fields(facts: Facts | None) -> dict[str, Any]:
    return {
        "tasks": facts.tasks if facts else (),
        "context_length": facts.context_length if facts else None,
        "kv_bytes_per_token": facts.kv_bytes_per_token if facts else None,
        "media_tokens": facts.media_tokens if facts else {},
        "media_kv_bytes": facts.media_kv_bytes if facts else {},
    }


def _sum(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, value in pairs:
        sums[name] += value
    return dict(sums)


def _part(name: str) -> str:
    """`model.layers.0.mlp.up_proj.weight` → `model.layers`; `lm_head.weight` → `lm_head`."""
    components = name.split(".")
    return ".".join(components[: max(1, min(2, len(components) - 1))])


def _plain_memory(entries: Collection[Entry]) -> dict[str, int]:
    kept = sum(entry.end - entry.start for entry in entries if not entry.floating)
    values = sum(entry.values for entry in entries if entry.floating)
    return {"float32": kept + 4 * values, "float16": kept + 2 * values}


def _licence(folder: Path) -> str | None:
    card = folder / "README.md"
    if card.is_file():
        with card.open(encoding="utf-8", errors="replace") as stream:
            front = re.match(r"---\s*\n(.*?)\n---", stream.read(_CARD_CHARACTERS), re.DOTALL)
        if front and (found := re.search(r"^license:[ \t]*[\"']?([^\s\"'#]+)", front[1], re.MULTILINE)):
            return found[1]
    for file in sorted(folder.glob("LICENSE*")):
        with file.open(encoding="utf-8", errors="replace") as stream:
            if lines := stream.read(_CARD_CHARACTERS).split("\n"):
                return next((line.strip() for line in lines if line.strip()), None)
    return None


def _flat(entries: Iterable[Entry]) -> Iterator[Entry]:
    """What lies in the files: a packed weight is two tensors."""
    for entry in entries:
        yield entry
        if entry.scale is not None:
            yield entry.scale


def _digest(entries: Iterable[Entry]) -> str:
    digest = hashlib.sha256()
    for entry in sorted(_flat(entries), key=lambda entry: entry.name):
        for part in (entry.name, entry.dtype, str(entry.shape)):
            content = part.encode(errors="surrogatepass")
            digest.update(len(content).to_bytes(8, "little") + content)
        with entry.file.open("rb") as stream:
            stream.seek(entry.start)
            for start in range(entry.start, entry.end, _CHUNK_BYTES):
                digest.update(stream.read(min(_CHUNK_BYTES, entry.end - start)))
    return digest.hexdigest()
