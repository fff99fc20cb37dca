"""ONNX files made ready for a runtime: inputs of any size, and weights that are constants.

Files before version 4 of the format list every weight among the inputs, so that a runtime may not lay it out anew for
the processor; and some name the one size of picture that they were exported with. The form is that of Protocol Buffers:
fields, each a key, and a number or bytes (https://protobuf.dev/programming-guides/encoding; onnx.proto, ONNX 1.16).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_IR_VERSION, _GRAPH = 1, 7
"""Fields of `ModelProto`."""
_INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 5, 11, 12, 13
"""Fields of `GraphProto`."""
_TENSOR_NAME = 8
_NAME, _SHAPE = 1, (2, 1, 2)
"""Of `ValueInfoProto`: its name, and `type.tensor_type.shape`."""
_SEPARATE_WEIGHTS = 4
"""Version of the format from which weights need not be inputs."""
_LONGEST_NUMBER = 10
"""Bytes of a number at most."""


class _Field(NamedTuple):
    number: int
    whole: bytes
    """As it stands, with its key."""
    content: bytes
    """What it holds, where that is bytes."""
    value: int
    """What it holds, where that is a number."""


def ready_for_any_size(content: bytes) -> bytes:
    """An ONNX file whose inputs and outputs have no shape, and whose weights are no inputs.

    Args:
        content: The file.

    Raises:
        ValueError: It is no ONNX file.
    """
    made, version = [], _SEPARATE_WEIGHTS
    found = False
    for field in _fields(content):
        if field.number == _IR_VERSION:
            version = max(version, field.value)
        elif field.number == _GRAPH:
            found = True
            made.append(_written(_GRAPH, _graph(field.content)))
        else:
            made.append(field.whole)
    if not found:
        raise ValueError("no graph")
    return _varint(_IR_VERSION << 3) + _varint(version) + b"".join(made)


def _graph(content: bytes) -> bytes:
    fields = list(_fields(content))
    weights = {_name(one.content, _TENSOR_NAME) for one in fields if one.number == _INITIALIZER}
    made = []
    for one in fields:
        if one.number == _VALUE_INFO or (one.number == _INPUT and _name(one.content, _NAME) in weights):
            continue
        shaped = one.number in (_INPUT, _OUTPUT)
        made.append(_written(one.number, _without(one.content, _SHAPE)) if shaped else one.whole)
    return b"".join(made)


def _without(content: bytes, path: tuple[int, ...]) -> bytes:
    """A message without the field at a path of numbers."""
    made = []
    for one in _fields(content):
        if one.number != path[0]:
            made.append(one.whole)
        elif len(path) > 1:
            made.append(_written(one.number, _without(one.content, path[1:])))
    return b"".join(made)


def _name(content: bytes, number: int) -> bytes:
    return next((one.content for one in _fields(content) if one.number == number), b"")


def _fields(content: bytes) -> Iterator[_Field]:
    place = 0
    while place < len(content):
        start = place
        key, place = _number(content, place)
        kind, body, value = key & 7, b"", 0
        if kind == 0:
            value, place = _number(content, place)
        elif kind == 2:
            length, place = _number(content, place)
            body, place = content[place : place + length], place + length
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if place > len(content):
            raise ValueError("cut off")
        yield _Field(key >> 3, content[start:place], body, value)


def _number(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(content[place : place + _LONGEST_NUMBER]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    raise ValueError("a number that does not end")


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _written(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content
