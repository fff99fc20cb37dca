"""Parts of a picture that were pasted in, or scaled and turned before they were: what earlier steps left behind.

`pasted_region`: JPEG works in blocks of eight by eight pixels and sets many fine frequencies to nothing. In step with
those blocks the decoded picture has nothing there again, one pixel beside them it has something (Fan and de Queiroz
2003, "Identification of bitmap compression history", IEEE Trans. Image Processing 12(2)). A part of another JPEG stands
out of step with the rest (Li, Yuan and Yu 2009, "Passive detection of doctored JPEG image via block artifact grid
extraction", Signal Processing 89(9)).

`resampled_region`: where pixels were interpolated, the second derivative of the light has a rhythm that the scale sets.
Averaged over rows and over columns it is a peak in their spectra (Gallagher 2005, "Detection of digital zooming",
Canadian Conference on Computer and Robot Vision). We differ in that a window is held against the other windows of its
picture, so that what all of it went through does not count, and in that rows and columns have to agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

_Grey = NDArray[np.float32]
_BLOCK = 8
_WINDOW, _STRIDE = 8, 4
"""Blocks of a window, and from one window to the next."""
_FLOOR = 0.15
"""Power that rounding leaves in a frequency that is nothing."""
_CLEAR = 7.0
"""Deviations by which one of 64 places of the blocks stands out where there was a JPEG."""
_MARGIN = 4.0
"""And by which it stands out over the place that the rest of the picture has."""
_SIDE, _HOP, _LEAST_WINDOWS = 96, 32, 12
"""Pixels of a window in which resampling is looked for."""
_LOWEST = 8
"""Frequencies of a window below this belong to what is shown."""
_PEAK_AT = 2.8
"""Logarithm of a peak over the other windows, of rows and columns together, that scores a half: one photograph in
twenty that nobody changed reaches it."""
MOST_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTrace:
    """A part of a picture with another past than the rest."""

    score: float
    """From 0 to 1."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom in pixels; about."""
    reason: str


def pasted_region(pixels: NDArray[np.uint8]) -> PictureTrace | None:
    """The part whose JPEG blocks are out of step with the rest; None where there is none. Shapes: (H, W, 3) uint8.

    The picture is to be as it came: scaling removes what is looked for.
    """
    grey = _grey(pixels)
    if min(grey.shape) < _BLOCK * (_WINDOW + 2):
        return None
    depths = _depths(grey)
    middle = np.median(depths, axis=-1, keepdims=True)
    spread = np.median(np.abs(depths - middle), axis=-1, keepdims=True) * 1.4826 + 0.02
    clear = (depths - middle) / spread
    place = clear.argmax(-1)
    sure = clear.max(-1) >= _CLEAR
    if not sure.any():
        return None
    own = int(np.bincount(place[sure], minlength=64).argmax())
    if float((place[sure] == own).mean()) < 0.5 or float(sure.mean()) < 0.2:
        return None
    margin = clear.max(-1) - clear[..., own]
    foreign = sure & (place != own) & (margin >= _MARGIN)
    region = _largest(foreign, place)
    if region is None:
        return None
    size, (top, left, bottom, right), offset = region
    strength = float(np.median(margin[foreign & (place == offset)]))
    score = float(1 - np.exp(-size * (strength - _MARGIN + 1) / 12))
    step = _BLOCK * _STRIDE
    box = (left * step, top * step, (right - 1) * step + 8 * _WINDOW, (bottom - 1) * step + 8 * _WINDOW)
    down, across = divmod((offset - own) % 64, 8)
    reason = (
        f"about {box[2] - box[0]} by {box[3] - box[1]} pixels at {box[0]}, {box[1]} were in another JPEG: their blocks "
        f"are out of step with the rest ({across} across, {down} down)"
    )
    return PictureTrace(score=score, box=box, reason=reason)


def _depths(grey: _Grey) -> _Grey:
    """How little the fine frequencies hold at each of the 64 places of the blocks, window by window. → (R, C, 64)."""
    rows, columns = (grey.shape[0] - 7) // _BLOCK, (grey.shape[1] - 7) // _BLOCK
    down, across = (rows - _WINDOW) // _STRIDE + 1, (columns - _WINDOW) // _STRIDE + 1
    made = np.zeros((down, across, 64), np.float32)
    for place in range(64):
        y, x = divmod(place, 8)
        part = grey[y : y + rows * 8, x : x + columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
        values = part.reshape(rows * columns, 64) @ _fine()
        power = np.log(values * values + _FLOOR).mean(1).reshape(rows, columns)
        windows = np.lib.stride_tricks.sliding_window_view(power, (_WINDOW, _WINDOW))[::_STRIDE, ::_STRIDE]
        made[..., place] = -windows.mean((2, 3))
    return made


@cache
def _fine() -> _Grey:
    """Twelve fine frequencies of a block, as columns. Shapes: (64, 12)."""
    at = np.arange(8)
    waves = np.cos(np.pi * (2 * at[:, None] + 1) * at[None] / 16) * np.where(at == 0, np.sqrt(1 / 8), 0.5)
    chosen = [(row, column) for row in range(8) for column in range(8) if 7 <= row + column <= 9 and 2 <= row <= 6]
    return np.stack([np.outer(waves[:, row], waves[:, column]).ravel() for row, column in chosen], 1).astype(np.float32)


def _largest(marked: NDArray[np.bool_], place: NDArray[np.intp]) -> tuple[int, tuple[int, int, int, int], int] | None:
    """The largest group of neighbouring windows with one place: how many, top, left, bottom, right, and the place."""
    seen = np.zeros_like(marked)
    best = None
    for first in np.argwhere(marked):
        start = (int(first[0]), int(first[1]))
        if seen[start]:
            continue
        group, waiting = [], [start]
        seen[start] = True
        while waiting:
            row, column = waiting.pop()
            group.append((row, column))
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                inside = 0 <= near[0] < marked.shape[0] and 0 <= near[1] < marked.shape[1]
                if inside and marked[near] and not seen[near] and place[near] == place[start]:
                    seen[near] = True
                    waiting.append(near)
        if best is None or len(group) > best[0]:
            table = np.array(group)
            (top, left), (bottom, right) = table.min(0), table.max(0) + 1
            best = (len(group), (int(top), int(left), int(bottom), int(right)), int(place[start]))
    return best


def resampled_region(pixels: NDArray[np.uint8]) -> PictureTrace | None:
    """The part that was scaled most clearly where the rest was not. Shapes: (H, W, 3) uint8.

    None for pictures of fewer than twelve windows. The picture is to be as it came. Periods of eighths of a pixel are
    left out, which JPEG leaves, too: doubling is not seen.
    """
    grey = _grey(pixels)
    if min(grey.shape) < _SIDE + 2:
        return None
    middle = 2 * grey[1:-1, 1:-1]
    across = np.abs(middle - grey[1:-1, :-2] - grey[1:-1, 2:])
    down = np.abs(middle - grey[:-2, 1:-1] - grey[2:, 1:-1])
    logs = _rhythm(across, 2) + _rhythm(down, 3)
    rows, columns = logs.shape[:2]
    if rows * columns < _LEAST_WINDOWS:
        return None
    peaks = (logs - np.median(logs, axis=(0, 1)))[..., _kept()].max(2)
    row, column = divmod(int(peaks.argmax()), columns)
    box = (column * _HOP, row * _HOP, column * _HOP + _SIDE, row * _HOP + _SIDE)
    peak = float(peaks.max())
    return PictureTrace(
        score=float(peak**8 / (peak**8 + _PEAK_AT**8)),
        box=box,
        reason=(
            f"the part around {box[0] + _SIDE // 2}, {box[1] + _SIDE // 2} was scaled: how the light bends from "
            f"pixel to pixel has a rhythm there, {np.exp(peak / 2):.1f} times as strong as elsewhere"
        ),
    )


def _rhythm(bends: _Grey, along: int) -> _Grey:
    """Spectrum of how much the light bends, averaged over a side of each window: logarithms. → (R, C, F)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.log(bends + 0.5), (_SIDE, _SIDE))[::_HOP, ::_HOP]
    profile = windows.mean(along)
    profile = (profile - profile.mean(-1, keepdims=True)) * np.hanning(_SIDE)
    values = np.abs(np.fft.rfft(profile, axis=-1))[..., _LOWEST:]
    found: _Grey = np.log(values / (np.median(values, axis=-1, keepdims=True) + 1e-9) + 1e-3).astype(np.float32)
    return found


@cache
def _kept() -> NDArray[np.bool_]:
    """Frequencies that are looked at: not those that JPEG leaves."""
    eighths = np.arange(_LOWEST, _SIDE // 2 + 1) * 8 / _SIDE
    return np.asarray(np.abs(eighths - np.rint(eighths)) * _SIDE / 8 > 1.5)


def _grey(pixels: NDArray[np.uint8]) -> _Grey:
    """Luminance as JPEG has it; of very large pictures the middle. Shapes: (H, W, 3) → (H, W)."""
    height, width = pixels.shape[:2]
    if height * width > MOST_PIXELS:
        share = (MOST_PIXELS / (height * width)) ** 0.5
        top, left = (int(each * (1 - share) / 2) // 8 * 8 for each in (height, width))
        pixels = pixels[top : top + int(height * share), left : left + int(width * share)]
    made: _Grey = (pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)
    return made
