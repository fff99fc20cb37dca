"""A perceptual hash of pictures, 256 bits, that stays where a picture is scaled, recompressed, mirrored or cropped.

As PDQ (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm") the bits come from
16 x 16 low frequencies of the luminance. We differ in the filter (box averages to 128 x 128), in the
threshold (zero for the median, so that the mirrored picture's hash follows exactly), in crops (what is listed holds a
hash for each of 100 windows, so that a cropped copy meets one of them) and in the distance: the picture that asks knows
how firm each of its bits is, and bits count by the square root of that.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

SIDE, KEPT = 128, 16
"""Pixels of the square to which pictures are averaged; frequencies that are kept a side, without the constant."""
BITS = KEPT * KEPT
CLOSE = 0.81
"""Agreement from which on a picture is taken for the listed one."""
LEAST_DETAIL = 0.5
"""Root mean square of the frequencies, in grey values, below which a picture has no hash: blank ones are alike."""
_STEPS = 4
CROPS = tuple((before / 30, after / 30) for before in range(_STEPS) for after in range(_STEPS - before))
"""Shares of a side that windows leave out before and after them: up to a tenth together, the first one nothing."""

Query: TypeAlias = NDArray[np.float32]
"""(256,) what a picture asks a list with: the sign of each frequency times its weight; weights sum to one."""


class HashMatch(NamedTuple):
    """How near a picture is to one that is listed."""

    agreement: float
    """1 where all bits agree, about 0 for pictures that have nothing in common."""
    mirrored: bool
    window: int
    """Which of the 100; 0 is the whole picture."""


def picture_query(pixels: NDArray[np.uint8]) -> Query | None:
    """What a picture asks a list with: bits, and how firm each is. Shapes: (H, W, 3) uint8 → (256,).

    None for pictures without detail.
    """
    values = _coefficients(pixels, crops=1)
    if values is None:
        return None
    weights = np.sqrt(np.abs(values[0]))
    query: Query = (np.sign(values[0]) * weights / weights.sum()).astype(np.float32)
    return query


def listed_hashes(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Hashes of the picture and of its windows, (100, 256). Shapes: (H, W, 3) uint8. None for those without detail."""
    values = _coefficients(pixels, crops=len(CROPS))
    return None if values is None else values > 0


def mirrored(query: Query) -> Query:
    """What the mirrored picture asks with: odd horizontal frequencies change their sign. Shapes: (…, 256)."""
    return query * np.where(np.tile(np.arange(1, KEPT + 1) % 2 == 1, KEPT), np.float32(-1), np.float32(1))


def nearest(query: Query, listed: NDArray[np.bool_]) -> HashMatch:
    """The nearest of the hashes of one listed picture. Shapes: (256,), (W, 256)."""
    signs = listed.astype(np.float32) * 2 - 1
    straight, turned = signs @ query, signs @ mirrored(query)
    turn = bool(turned.max() > straight.max())
    agreements = turned if turn else straight
    return HashMatch(float(agreements.max()), turn, int(agreements.argmax()))


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


def _coefficients(pixels: NDArray[np.uint8], crops: int) -> NDArray[np.float32] | None:
    square = pillow.fromarray(pixels).convert("L").resize((SIDE, SIDE), pillow.Resampling.BOX)
    light = np.asarray(square, np.float32)
    bases = _bases()[: crops * KEPT]
    grid = (bases @ light @ bases.T).reshape(crops, KEPT, crops, KEPT).transpose(0, 2, 1, 3)
    values = grid.reshape(crops * crops, BITS).astype(np.float32, copy=False)
    detail = float(np.sqrt(np.mean(values[0] ** 2))) / (SIDE * SIDE / 4)
    return None if detail < LEAST_DETAIL else values


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
