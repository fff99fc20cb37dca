"""Separate things on a plain ground: how many there are, where they lie and which colours they have.

Only pictures whose edge has one colour are measured so; of photographs nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.search.query.colours import to_lab
from tutti.trust.pieces import Box

_SIDE = 160
"""A picture is looked at in so many pixels along its long side."""
_APART = 14.0
"""CIELAB distance from the ground from which a pixel belongs to a thing."""
_PLAIN = 0.97
"""Share of the edge's pixels that have one colour, in a picture with a plain ground."""
_LEAST_AREA = 0.0015
_MOST_COVERED = 0.6


@dataclass(frozen=True, slots=True)
class Blob:
    """One connected thing."""

    box: Box
    """In pixels of the picture."""
    share: float
    """Of the picture's area."""

    @property
    def centre(self) -> tuple[float, float]:
        """Across and down, in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def blobs_of(pixels: NDArray[np.uint8]) -> list[Blob] | None:
    """The things on a plain ground, the largest first; None where the ground is not plain."""
    scale = _SIDE / max(pixels.shape[:2])
    size = max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale))
    small = np.asarray(pillow.fromarray(pixels).resize(size, pillow.Resampling.BOX))
    lab = to_lab(small)
    ground = _ground(lab)
    if ground is None:
        return None
    mask = np.linalg.norm(lab - ground, axis=2) >= _APART
    if mask.mean() > _MOST_COVERED:
        return None
    labels = labelled(mask)
    found = []
    for number in range(1, int(labels.max()) + 1):
        rows, columns = np.nonzero(labels == number)
        share = len(rows) / labels.size
        if share >= _LEAST_AREA:
            box = columns.min() / scale, rows.min() / scale, (columns.max() + 1) / scale, (rows.max() + 1) / scale
            found.append(Blob((float(box[0]), float(box[1]), float(box[2]), float(box[3])), share))
    return sorted(found, key=lambda blob: -blob.share)


def ground_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The colour of a plain ground, (1, 1, 3) uint8; None where the edge of a picture has several colours."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if _ground(to_lab(pixels[:: max(1, len(pixels) // _SIDE), :: max(1, pixels.shape[1] // _SIDE)])) is None:
        return None
    return np.asarray(np.median(edge, axis=0), np.uint8).reshape(1, 1, 3)


def _ground(lab: NDArray[np.float32]) -> NDArray[np.float32] | None:
    edge = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    ground = np.asarray(np.median(edge, axis=0), np.float32)
    return ground if (np.linalg.norm(edge - ground, axis=1) < _APART).mean() >= _PLAIN else None


def alike(blobs: list[Blob]) -> bool:
    """Whether things are of about one size, as things that are counted together mostly are."""
    return bool(blobs) and blobs[-1].share >= 0.35 * blobs[0].share


def labelled(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected pixels (of eight neighbours) under one number from 1; 0 is the rest.

    The largest number of the neighbours is taken over until nothing changes (Haralick 1981), then numbers are packed.
    """
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(labels, 1)
        height, width = mask.shape
        shifted = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
        grown = np.where(mask, np.max(shifted, axis=0), 0)
        # Along runs, a number spreads at once.
        for axis in (0, 1):
            for way in (1, -1):
                grown = _swept(grown, mask, axis, way)
        if np.array_equal(grown, labels):
            break
        labels = grown
    _, packed = np.unique(labels, return_inverse=True)
    numbers = packed.reshape(mask.shape)
    return np.asarray(numbers if not mask.all() else numbers + 1, np.int64)


def _swept(labels: NDArray[np.int64], mask: NDArray[np.bool_], axis: int, way: int) -> NDArray[np.int64]:
    """Each run of the mask along an axis filled with the largest number so far in one direction."""
    ahead = np.moveaxis(labels, axis, 0)[::way].copy()
    inside = np.moveaxis(mask, axis, 0)[::way]
    for row in range(1, len(ahead)):
        ahead[row] = np.where(inside[row], np.maximum(ahead[row], np.where(inside[row - 1], ahead[row - 1], 0)), 0)
    return np.moveaxis(ahead[::way], 0, axis)
