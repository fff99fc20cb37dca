"""A region of a picture that was copied to another place of the same picture (copy-move).

Keypoints that are alike are paired within the picture (SIFT, Lowe 2004; the search for several alike ones follows
Amerini et al. 2011, "A SIFT-based forensic method for copy-move attack detection and transformation recovery"), pairs
that share one rotation, scale and shift are a candidate, and a candidate counts only as far as the pixels agree: things
that look alike, as the windows of a house, have noise and light of their own, a copy has those of what it was copied
from. We differ in that last step, which is what keeps repeated patterns apart. Letters and drawn things repeat exactly
and are copies to this measure.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import MissingExtra

LONGEST_SIDE = 1600
"""Pixels; larger pictures are looked at smaller."""
LEAST_SIDE = 64
"""Pixels; smaller pictures are not judged."""
_KEYPOINTS, _RATIO, _ALIKE = 6000, 0.6, 0.35
"""Most keypoints; how much nearer the like must be than the next; distance up to which it is one."""
_APART, _NEAR = 24.0, 3.0
"""Pixels between a region and its copy at least; pixels by which a pair may miss the common movement."""
_LEAST_PAIRS, _MOVEMENTS = 5, 6
_SCALES = (0.5, 2.0)
_WINDOW, _LEAST_SPREAD = 9, 2.0
"""Side of the windows in which pixels are compared; grey values of spread below which a window tells nothing."""
_AGREES, _LEAST_AREA = 0.9, 400
"""Correlation from which a window agrees; pixels of agreement from which a region counts."""

Grey: TypeAlias = NDArray[np.float32]


class CopiedRegion(NamedTuple):
    """What stands twice in a picture."""

    score: float
    """From 0 to 1; how surely it is a copy."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of one of the two, in pixels of the picture."""
    other: tuple[int, int, int, int]
    """Of the other."""
    pixels: int
    """Of agreement, in the scale that was looked at."""
    agreement: float
    """Correlation of the two over these pixels, fine detail alone, from -1 to 1."""


def copied_region(pixels: NDArray[np.uint8]) -> CopiedRegion | None:
    """The most certain copy in a picture, if there is one. Shapes: (H, W, 3) uint8.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    cv2 = _opencv()
    grey, scale = _grey(cv2, pixels)
    if min(grey.shape) < LEAST_SIDE:
        return None
    first, second = _pairs(cv2, grey)
    best: CopiedRegion | None = None
    for _ in range(_MOVEMENTS):
        if len(first) < _LEAST_PAIRS:
            break
        movement, inside = cv2.estimateAffinePartial2D(
            first, second, method=cv2.RANSAC, ransacReprojThreshold=_NEAR, maxIters=3000, confidence=0.995
        )
        if movement is None or int(inside.sum()) < _LEAST_PAIRS:
            break
        member = inside.ravel().astype(bool)
        found = _verified(cv2, grey, movement, first[member], scale)
        if found is not None and (best is None or found.score > best.score):
            best = found
        first, second = first[~member], second[~member]
    return best


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingExtra("Finding regions that were copied", "ocr") from None
    return cv2


def _grey(cv2: Any, pixels: NDArray[np.uint8]) -> tuple[Grey, float]:
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, LONGEST_SIDE / max(grey.shape))
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return grey.astype(np.float32), scale


def _pairs(cv2: Any, grey: Grey) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places that look alike, (P, 2) and (P, 2), each pair once."""
    cv2.setRNGSeed(1)  # RANSAC draws
    sift = cv2.SIFT_create(nfeatures=_KEYPOINTS, contrastThreshold=0.01)
    points, descriptors = sift.detectAndCompute(grey.astype(np.uint8), None)
    empty = np.zeros((0, 2), np.float32)
    if descriptors is None or len(points) < 2 * _LEAST_PAIRS:
        return empty, empty
    places = np.array([point.pt for point in points], np.float32)
    rows = descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6)
    left: list[int] = []
    right: list[int] = []
    for at in range(0, len(rows), 512):
        alike = rows[at : at + 512] @ rows.T
        across = np.abs(places[at : at + 512, 0, None] - places[None, :, 0])
        alike[(across < _APART) & (np.abs(places[at : at + 512, 1, None] - places[None, :, 1]) < _APART)] = -1.0
        nearest, distance = _nearest(alike, 4)
        for rank in range(3):  # a region may have been copied more than once
            fit = (distance[:, rank] < _ALIKE) & (distance[:, rank] < _RATIO * distance[:, rank + 1])
            left += (np.flatnonzero(fit) + at).tolist()
            right += nearest[fit, rank].tolist()
    chosen = {(min(pair), max(pair)) for pair in zip(left, right, strict=True)}
    if not chosen:
        return empty, empty
    # One direction for all pairs, so that a region and its copy share one movement.
    index = np.array(sorted(chosen))
    one, two = places[index[:, 0]], places[index[:, 1]]
    turn = (one[:, 0] > two[:, 0]) | ((one[:, 0] == two[:, 0]) & (one[:, 1] > two[:, 1]))
    one[turn], two[turn] = two[turn], one[turn].copy()
    return one, two


def _nearest(alike: Grey, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Columns of the largest cosines of each row, and their distances as unit vectors; cosines are overwritten."""
    line = np.arange(len(alike))
    columns, distances = [], []
    for _ in range(count):
        best = alike.argmax(1)
        columns.append(best)
        distances.append(np.sqrt(np.maximum(2 - 2 * alike[line, best], 0)))
        alike[line, best] = -1.0
    return np.stack(columns, 1), np.stack(distances, 1)


def _verified(cv2: Any, grey: Grey, movement: Any, places: Any, scale: float) -> CopiedRegion | None:
    """The region over which the picture agrees with itself, moved."""
    size = float(np.hypot(movement[0, 0], movement[1, 0]))
    if not _SCALES[0] <= size <= _SCALES[1]:
        return None
    height, width = grey.shape
    inverse = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    moved = cv2.warpAffine(grey, movement, (width, height), flags=inverse, borderValue=-1e4)
    valid = moved > -1
    moved = np.where(valid, moved, 0).astype(np.float32)
    agree, spread = _correlation(cv2, grey, moved)
    fine, _ = _correlation(cv2, _detail(cv2, grey), _detail(cv2, moved))
    inside = ((agree > _AGREES) & (spread > _LEAST_SPREAD) & valid).astype(np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    at = np.clip(np.rint(places).astype(int), 0, [width - 1, height - 1])
    hit = np.bincount(labels[at[:, 1], at[:, 0]], minlength=len(stats))
    hit[0] = 0
    region = int(np.argmax(np.where(hit >= 2, stats[:, cv2.CC_STAT_AREA], 0)))
    area = int(stats[region, cv2.CC_STAT_AREA])
    if region == 0 or hit[region] < 2 or area < _LEAST_AREA:
        return None
    agreement = float(fine[labels == region].mean())
    left, top, wide, high = (int(value) for value in stats[region, :4])
    box = (left, top, left + wide, top + high)
    corners = np.array([[left, top], [left + wide, top], [left, top + high], [left + wide, top + high]], np.float64)
    there = corners @ np.asarray(movement)[:, :2].T + np.asarray(movement)[:, 2]
    other = (*there.min(0).tolist(), *there.max(0).tolist())
    return CopiedRegion(_score(area, agreement), _scaled(box, scale), _scaled(other, scale), area, agreement)


def _score(area: int, agreement: float) -> float:
    """Area and agreement as one number: 0.63 for 1,500 pixels that agree wholly."""
    return float(np.clip(agreement, 0, 1) * (1 - np.exp(-area / 1500)))


def _detail(cv2: Any, grey: Grey) -> Grey:
    detail: Grey = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    return detail


def _correlation(cv2: Any, one: Grey, two: Grey) -> tuple[Grey, Grey]:
    """Correlation of two pictures in the window around each pixel, and the smaller of their spreads there."""

    def mean(values: Grey) -> Grey:
        found: Grey = cv2.boxFilter(values, cv2.CV_32F, (_WINDOW, _WINDOW))
        return found

    first, second = mean(one), mean(two)
    spread = np.sqrt(np.maximum(mean(one * one) - first * first, 0))
    other = np.sqrt(np.maximum(mean(two * two) - second * second, 0))
    together = mean(one * two) - first * second
    return together / np.maximum(spread * other, 1e-3), np.minimum(spread, other)


def _scaled(box: Any, scale: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(max(0.0, value) / scale) for value in box)
    return left, top, right, bottom
