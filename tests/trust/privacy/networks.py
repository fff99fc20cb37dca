"""A network of four outputs as an old ONNX file has it: for one size of picture, with weights among the inputs."""

from __future__ import annotations

import numpy as np


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def block(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def value_info(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(block(1, number(1, side)) for side in shape)
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, dims)))


def tensor(name: str, value: np.ndarray) -> bytes:
    dims = b"".join(number(1, side) for side in value.shape)
    return dims + number(2, 1) + block(8, name) + block(9, value.astype("<f4").tobytes())


def integers(name: str, values: tuple[int, ...]) -> bytes:
    return block(5, block(1, name) + b"".join(number(8, one) for one in values) + number(20, 7))


def face_network(score: float = 1 / 255) -> bytes:
    """Of cells of 4 x 4 pixels: the mean of red times `score`, sizes of e cells, no offset, no landmarks."""
    heat = np.zeros((1, 3, 4, 4), np.float32)
    heat[0, 0] = score / 16
    weights = {"heat": heat, **{name: np.zeros((n, 3, 4, 4), np.float32) for name, n in LATER.items()}}
    biases = {name: np.zeros(len(weight), np.float32) for name, weight in weights.items()}
    biases["scale"][:] = 1
    nodes, constants, inputs = b"", b"", block(11, value_info("picture", (10, 3, 32, 32)))
    for name, weight in weights.items():
        nodes += block(1, block(1, "picture") + block(1, f"{name}.w") + block(1, f"{name}.b") + block(2, name)
                       + block(4, "Conv") + integers("kernel_shape", (4, 4)) + integers("strides", (4, 4)))  # fmt: skip
        for ending, value in ((".w", weight), (".b", biases[name])):
            constants += block(5, tensor(name + ending, value))
            inputs += block(11, value_info(name + ending, value.shape))
    outputs = b"".join(block(12, value_info(name, (10, len(weight), 8, 8))) for name, weight in weights.items())
    return number(1, 3) + block(8, number(2, 9)) + block(7, nodes + block(2, "faces") + constants + inputs + outputs)


LATER = {"scale": 2, "offset": 2, "landmarks": 10}
