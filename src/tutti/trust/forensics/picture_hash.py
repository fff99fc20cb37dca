"""A perceptual hash of pictures, 256 bits, that stays where a picture is scaled, recompressed, mirrored or cropped.

As PDQ (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm") the bits come from
16 x 16 low frequencies of the luminance. We differ in the filter (box averages to 128 x 128), in the threshold (zero
for the median, so that the mirrored picture's hash follows exactly) and in crops: what is listed holds a hash for each
of 36 windows, so that a cropped copy meets one of them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

SIDE, KEPT = 128, 16
"""Pixels of the square to which pictures are averaged; frequencies that are kept a side, without the constant."""
BITS = KEPT * KEPT
CLOSE = 46
"""Bits that a copy may differ in."""
LEAST_DETAIL = 0.5
"""Root mean square of the frequencies, in grey values, below which a picture has no hash: blank ones are alike."""
CROPS = ((0.0, 0.0), (0.0, 0.05), (0.05, 0.0), (0.0, 0.1), (0.05, 0.05), (0.1, 0.0))
"""Shares of a side that windows leave out before and after them."""


class HashMatch(NamedTuple):
    """How near a picture is to one that is listed."""

    distance: int
    """Bits, of 256."""
    mirrored: bool
    window: int
    """Which of the 36; 0 is the whole picture."""


def picture_hash(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The hash of the whole picture: (256,). Shapes: (H, W, 3) uint8. None for pictures without detail."""
    found = _coefficients(pixels, crops=1)
    return None if found is None else found[0]


def listed_hashes(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Hashes of the picture and of its windows, (36, 256). Shapes: (H, W, 3) uint8. None for those without detail."""
    return _coefficients(pixels, crops=len(CROPS))


def mirrored(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The hash that the mirrored picture has: odd horizontal frequencies change their sign. Shapes: (…, 256)."""
    return bits ^ _odd_columns()


def nearest(bits: NDArray[np.bool_], listed: NDArray[np.bool_]) -> HashMatch:
    """The nearest of the hashes of one listed picture. Shapes: (256,), (W, 256)."""
    straight = np.count_nonzero(listed != bits, axis=1)
    turned = np.count_nonzero(listed != mirrored(bits), axis=1)
    turn = bool(turned.min() < straight.min())
    distances = turned if turn else straight
    return HashMatch(int(distances.min()), turn, int(distances.argmin()))


def to_hex(bits: NDArray[np.bool_]) -> str:
    """64 hexadecimal digits."""
    return np.packbits(bits).tobytes().hex()


def from_hex(text: str) -> NDArray[np.bool_]:
    """The bits again.

    Raises:
        ValueError: They are not 64 hexadecimal digits.
    """
    content = bytes.fromhex(text)
    if len(content) * 8 != BITS:
        raise ValueError(f"{len(content) * 8} bits; expected {BITS}")
    return np.unpackbits(np.frombuffer(content, np.uint8)).astype(bool)


def _coefficients(pixels: NDArray[np.uint8], crops: int) -> NDArray[np.bool_] | None:
    square = pillow.fromarray(pixels).convert("L").resize((SIDE, SIDE), pillow.Resampling.BOX)
    light = np.asarray(square, np.float32)
    bases = _bases()[: crops * KEPT]
    grid = (bases @ light @ bases.T).reshape(crops, KEPT, crops, KEPT).transpose(0, 2, 1, 3)
    values = grid.reshape(crops * crops, BITS)
    detail = float(np.sqrt(np.mean(values[0] ** 2))) / (SIDE * SIDE / 4)
    return None if detail < LEAST_DETAIL else values > 0


@cache
def _odd_columns() -> NDArray[np.bool_]:
    """Bits that change in the mirror: an odd frequency's coefficient changes its sign."""
    return np.tile(np.arange(1, KEPT + 1) % 2 == 1, KEPT)


@cache
def _bases() -> NDArray[np.float32]:
    """Cosines of each window, one under the other: (windows x 16, 128), zero outside of the window."""
    places = (np.arange(SIDE) + 0.5) / SIDE
    rows = []
    for before, after in CROPS:
        inside = (places >= before) & (places <= 1 - after)
        within = (places - before) / (1 - before - after)
        waves = np.cos(np.pi * np.arange(1, KEPT + 1)[:, None] * within[None])
        rows.append(np.where(inside[None], waves, 0.0))
    return np.concatenate(rows).astype(np.float32)
