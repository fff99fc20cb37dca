"""Small operations on pictures of one value a pixel: connected parts, erosion, local means, Otsu's threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
"""(H, W): one value a pixel."""
Region = NDArray[np.bool_]
"""(H, W): whether a pixel belongs to it."""


def linear(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SRGB to linear light (IEC 61966-2-1). Shapes: (..., 3) uint8 → (..., 3) in [0, 1]."""
    value = rgb.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def gamma(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Linear light to sRGB, what is out of range clipped. Shapes: (..., 3) → (..., 3) uint8."""
    value = np.clip(light, 0, 1)
    value = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return (value * 255 + 0.5).astype(np.uint8)


def parts_of(region: Region, most_rounds: int = 200) -> NDArray[np.int64]:
    """Numbers of connected parts (4-neighbours), from 1; 0 outside. Shapes: (H, W) → (H, W).

    Each pixel takes the largest place of its neighbours, then the place that stands there: as many rounds as the
    logarithm of the longest way, for most shapes.
    """
    numbers = np.where(region, np.arange(1, region.size + 1).reshape(region.shape), 0)
    for _ in range(most_rounds):
        padded = np.pad(numbers, 1)
        spread = np.maximum.reduce([numbers, padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
        spread = np.where(region, spread, 0)
        for _ in range(3):
            spread = np.where(region, spread.ravel()[spread - 1], 0)
        if np.array_equal(spread, numbers):
            break
        numbers = spread
    own = np.unique(numbers[region])
    return np.where(region, np.searchsorted(own, numbers) + 1, 0)


def eroded(region: Region, times: int = 1) -> Region:
    """The region without its outermost pixels."""
    for _ in range(times):
        padded = np.pad(region, 1)
        region = region & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return region


def local_mean(plane: Plane, radius: int) -> Plane:
    """The mean over squares of 2 * radius + 1 a side; at the edge over what lies inside."""
    out = plane
    for axis in (0, 1):
        moved = np.moveaxis(out, axis, 0)
        sums = np.concatenate([np.zeros_like(moved[:1]), np.cumsum(moved, axis=0)])
        at = np.arange(len(moved))
        low, high = np.maximum(at - radius, 0), np.minimum(at + radius + 1, len(moved))
        out = np.moveaxis((sums[high] - sums[low]) / (high - low).reshape(-1, *[1] * (moved.ndim - 1)), 0, axis)
    return out


def otsu(values: NDArray[np.float64], bins: int = 128) -> tuple[float, float]:
    """The threshold between two classes, and the share of the variance that lies between them (Otsu 1979)."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        return high, 0.0
    counts, edges = np.histogram(values, bins, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2 / below[-1] ** 2
    between = np.nan_to_num(between)
    best = int(between.argmax())
    variance = float(values.var())
    return float(edges[best + 1]), float(between[best] / variance) if variance else 0.0


def centres_of(
    points: NDArray[np.float64], most: int, apart: float, rounds: int = 4
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the colours of some pixels, and their shares: k-means from points that are farthest apart.

    Shapes: (N, 3) → (K, 3) and (K,) with K <= most; no centre starts nearer to another than `apart`.
    """
    centres = [np.median(points, axis=0)]
    while len(centres) < most:
        distance = np.min([np.linalg.norm(points - centre, axis=1) for centre in centres], axis=0)
        farthest = int(np.argsort(distance)[int(0.98 * (len(distance) - 1))])  # noise lies beyond
        if distance[farthest] < apart:
            break
        centres.append(points[farthest])
    found = np.array(centres)
    for _ in range(rounds):
        nearest = np.linalg.norm(points[:, None] - found, axis=2).argmin(1)
        found = np.array(
            [points[nearest == k].mean(0) if (nearest == k).any() else found[k] for k in range(len(found))]
        )
    nearest = np.linalg.norm(points[:, None] - found, axis=2).argmin(1)
    return found, np.bincount(nearest, minlength=len(found)) / len(points)
