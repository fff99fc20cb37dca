"""Headers of safetensors files and their index, read with the standard library and believed in nothing.

Source: the format as described by `safetensors` (README, "Format"): eight bytes of header length, little-endian; the
header in JSON; then the tensors, which cover the rest of the file without holes or overlaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutti.errors import CheckpointError, UnsafeCheckpoint

DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Type of a tensor → bytes a value takes."""

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of files that may run code when they are read."""

PACKED = "_packed_scale"
"""Ending of the name under which the factors of a packed weight are stored."""

_MAX_HEADER_BYTES = 100_000_000
_MAX_JSON_BYTES = 64_000_000
_LENGTH_BYTES = 8
_MAX_AXES = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What a header says of a tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    """First byte in the file."""
    end: int
    """Byte after the last."""
    scale: Entry | None = None
    """Of a packed weight, which is whole numbers times a factor a row: the factors."""

    @property
    def values(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point numbers, packed or not."""
        return "F" in self.dtype or self.scale is not None

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes in the file."""
        return self.end - self.start + (self.scale.stored_bytes if self.scale else 0)


def read_folder(folder: Path) -> dict[str, Entry]:
    """Entries of all weights in a checkpoint folder, by name.

    Raises:
        CheckpointError: The folder has no weights, or a header or the index is broken.
        UnsafeCheckpoint: The weights are there as a pickle only.
    """
    if (folder / INDEX).is_file():
        return _join_packed(_read_shards(folder))
    if (folder / SINGLE).is_file():
        return _join_packed(read_header(folder / SINGLE))
    if pickles := sorted(file.name for file in folder.iterdir() if file.suffix.lower() in PICKLES):
        raise UnsafeCheckpoint(
            f"{folder} holds its weights as a pickle ({pickles[0]}), which can run code when it is read; "
            "expected model.safetensors: ask its author for that form or convert it where you trust it."
        )
    raise CheckpointError(f"{folder} has no weights; expected {SINGLE} or {INDEX}.")


def _join_packed(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Packed weights with their factors, which are then no entries of their own."""
    joined = {name: entry for name, entry in entries.items() if not name.endswith(PACKED)}
    for name, scale in entries.items():
        if not name.endswith(PACKED):
            continue
        codes = entries.get(name.removesuffix(PACKED))
        if codes is None or codes.dtype != "I8" or scale.shape != codes.shape[:1] or scale.dtype != "F32":
            raise CheckpointError(f"{name} is {scale.dtype} {list(scale.shape)}, which fits no packed weight.")
        joined[codes.name] = replace(codes, scale=scale)
    return joined


def read_header(file: Path) -> dict[str, Entry]:
    """Entries of one safetensors file, by name.

    Raises:
        CheckpointError: The file cannot be read, is cut off, or its header contradicts itself.
    """
    name = file.name
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
            if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
                raise CheckpointError(
                    f"{name} claims a header of {length:,} bytes but has {size:,} bytes in all; "
                    "it is cut off or not a safetensors file: fetch it again."
                )
            if length > _MAX_HEADER_BYTES:
                raise CheckpointError(
                    f"{name} claims a header of {length:,} bytes; at most {_MAX_HEADER_BYTES:,} are read."
                )
            values = _parse(stream.read(length), name)
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}.") from None
    data = _LENGTH_BYTES + length
    entries = {key: _entry(key, value, file, data) for key, value in values.items() if key != "__metadata__"}
    _check_cover(name, entries, data, size)
    return entries


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a checkpoint.

    Raises:
        CheckpointError: The file cannot be read, is too large or is not a JSON object.
    """
    try:
        if file.stat().st_size > _MAX_JSON_BYTES:
            raise CheckpointError(f"{file.name} is larger than {_MAX_JSON_BYTES:,} bytes; expected a configuration.")
        return _parse(file.read_bytes(), file.name)
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror}.") from None


def _parse(content: bytes, name: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in pairs:
            if key in values:
                raise CheckpointError(f"{name} names {key!r} twice.")
            values[key] = value
        return values

    try:
        values = json.loads(content.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{name} holds no valid JSON where it should; it is damaged: fetch it again.") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{name} holds a JSON {type(values).__name__}; expected an object.")
    return values


def _entry(key: str, value: Any, file: Path, data: int) -> Entry:
    """Check one tensor's line of the header; `data` is where the tensors begin."""
    where = f"{file.name} describes {key!r}"
    if not isinstance(value, Mapping) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where} without exactly a dtype, a shape and data_offsets.")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise CheckpointError(f"{where} with the unknown dtype {dtype!r}.")
    if not _whole_numbers(shape) or not _whole_numbers(offsets) or len(offsets) != 2:
        raise CheckpointError(f"{where} with a shape or data_offsets that are not whole numbers.")
    taken, needed = offsets[1] - offsets[0], math.prod(shape) * DTYPE_BYTES[dtype]
    if taken != needed:
        raise CheckpointError(f"{where} as {dtype} of shape {shape}, which takes {needed:,} bytes, in {taken:,} bytes.")
    return Entry(key, dtype, tuple(shape), file, data + offsets[0], data + offsets[1])


def _whole_numbers(value: Any) -> bool:
    few = isinstance(value, list) and len(value) <= _MAX_AXES
    return few and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _check_cover(name: str, entries: Mapping[str, Entry], data: int, size: int) -> None:
    """The tensors must cover the rest of the file: an overlap would read one tensor as another, a hole hides bytes."""
    end = data
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.end)):
        if entry.start != end:
            fault = "overlaps the one before it" if entry.start < end else "leaves a hole before it"
            raise CheckpointError(f"{name} is damaged: the place of {entry.name!r} {fault}.")
        end = entry.end
    if end != size:
        raise CheckpointError(f"{name} has {size:,} bytes, but its header describes {end:,}; it is cut off or damaged.")


def _read_shards(folder: Path) -> dict[str, Entry]:
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{INDEX} has no weight_map.")
    for shard in weight_map.values():
        # A name with folders in it could point anywhere on the disk.
        if (
            not isinstance(shard, str)
            or Path(shard).name != shard
            or "\\" in shard
            or not shard.endswith(".safetensors")
        ):
            raise UnsafeCheckpoint(f"{INDEX} names the shard {shard!r}; expected the plain name of a safetensors file.")
    entries: dict[str, Entry] = {}
    for shard in sorted(set(weight_map.values())):
        if not (folder / shard).is_file():
            raise CheckpointError(f"{INDEX} names {shard}, which is not in the folder: fetch it.")
        for name, entry in read_header(folder / shard).items():
            if weight_map.get(name) != shard:
                raise CheckpointError(f"{shard} holds {name!r}, but {INDEX} places it in {weight_map.get(name)!r}.")
            entries[name] = entry
    if absent := sorted(set(weight_map) - set(entries)):
        raise CheckpointError(f"{INDEX} places {absent[0]!r} in {weight_map[absent[0]]}, which does not hold it.")
    return entries
