"""The light in a photograph, estimated and taken out: by a white sheet where one is seen, else from the ground's mean.

A white sheet gives colour and brightness of the light, and how it falls off (a plane in the logarithm).
Without one, the ground is taken to be grey on average (grey world: Buchsbaum 1980), but cameras have balanced their
pictures already: of the cast only what a camera would not have left is taken out. What remains is stated, as measured
by `benchmarks/shopping.py` on simulated photographs.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.search.looks.planes import Plane, Region, local_mean, parts_of

Estimate = Literal["white sheet", "grey world", "as photographed"]
PAPER = 0.86
"""Reflectance of white paper (L* 94)."""
REMAINS: dict[Estimate, float] = {"white sheet": 2.5, "grey world": 12.0, "as photographed": 15.0}
"""ΔE (CIEDE2000) below which nine of ten colours lie after correction."""
_GREY, _GREY_SHARE, _LEFT_CAST = 0.2, 0.9, 0.35
"""Mean reflectance of what surrounds us, how much of the grey world's brightness is believed, and the cast, as a
natural logarithm, that is left to the camera's own balance and to the scene."""
_SHEET_SHARE, _SHEET_LIGHT = 0.08, 2.0
"""A sheet takes at least so much of the picture, and is at least so many times as bright as what is no sheet."""
_TOLD_SHARE, _TOLD_LIGHT, _TOLD_RED, _TOLD_CAST = 0.04, 1.4, 1.6, 4.0
"""The same where a person has said that there is one."""
_ROUGH = 0.06
"""Relative roughness above which a surface is not a sheet."""
_RED_OVER_GREEN, _CAST = 1.25, 1.5
"""A sheet is not redder than that under lamps that cameras have balanced in part; skin is."""
_CLIPPED = 0.98
_STEEPEST = 0.8
"""Most that the light falls off over the picture, as a natural logarithm."""


class Light(NamedTuple):
    """What the light was taken to be."""

    estimate: Estimate
    gains: tuple[float, float, float]
    """What linear red, green and blue in the middle of the picture are multiplied by."""
    slope: tuple[float, float]
    """How the logarithm of the light changes from left to right and from top to bottom."""
    remains: float
    """ΔE below which nine of ten colours lie after correction."""


def light_of(rgb: NDArray[np.float64], thing: Region, on_sheet: bool | None = None) -> Light:
    """Estimate the light.

    Args:
        rgb: (H, W, 3) linear.
        thing: (H, W), where the thing is.
        on_sheet: Whether a person has said that a white sheet is in the picture, or that none is.
    """
    sheet = sheet_of(rgb, thing, bool(on_sheet)) if on_sheet is not False else None
    if sheet is not None:
        return _by_sheet(rgb, sheet)
    rest = ~thing & (rgb.max(2) < _CLIPPED)
    if rest.mean() < 0.1:
        return Light("as photographed", (1.0, 1.0, 1.0), (0.0, 0.0), REMAINS["as photographed"])
    mean = np.log(np.maximum(rgb[rest].mean(0), 1e-4))
    brightness = float(np.log(_GREY) - mean @ _LUMINANCE) * _GREY_SHARE
    cast = mean - mean @ _LUMINANCE
    cast = np.sign(cast) * np.maximum(abs(cast) - _LEFT_CAST, 0)
    red, green, blue = np.exp(brightness - cast).tolist()
    return Light("grey world", (red, green, blue), (0.0, 0.0), REMAINS["grey world"])


_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def corrected(rgb: NDArray[np.float64], light: Light) -> NDArray[np.float64]:
    """Take the light out. Shapes: (H, W, 3) linear → the same."""
    height, width = rgb.shape[:2]
    x, y = _places(height, width)
    fall = np.exp(-(light.slope[0] * x + light.slope[1] * y))
    return np.asarray(rgb * fall[..., None] * np.array(light.gains))


def sheet_of(rgb: NDArray[np.float64], thing: Region, told: bool = False) -> Region | None:
    """The white sheet, where one is seen: a large part that is bright, even and nearly neutral. Shapes: (H, W, 3)."""
    luminance = rgb @ _LUMINANCE
    smooth = local_mean(luminance, 2)
    rough = np.sqrt(np.maximum(local_mean(luminance**2, 2) - smooth**2, 0)) / np.maximum(smooth, 1e-3)
    red, green, blue = np.moveaxis(np.maximum(rgb, 1e-3), 2, 0)
    most_red, most_cast = (_TOLD_RED, _TOLD_CAST) if told else (_RED_OVER_GREEN, _CAST)
    neutral = (red < most_red * green) & (np.maximum(red, blue) < most_cast * np.minimum(red, blue))
    even = (rough < _ROUGH) & neutral & (smooth > 0.55 * np.quantile(smooth, 0.98)) & ~thing
    numbers = parts_of(even)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    share, brighter = (_TOLD_SHARE, _TOLD_LIGHT) if told else (_SHEET_SHARE, _SHEET_LIGHT)
    if len(sizes) < 2 or sizes.max() < share * even.size:
        return None
    sheet = np.asarray(numbers == int(sizes.argmax()))
    if smooth[sheet].mean() < brighter * smooth[~sheet].mean():
        return None
    usable = sheet & (rgb.max(2) < _CLIPPED)
    return usable if usable.sum() >= 0.3 * sheet.sum() else None


def _by_sheet(rgb: NDArray[np.float64], sheet: Region) -> Light:
    height, width = sheet.shape
    x, y = _places(height, width)
    logs = np.log(np.maximum(rgb[sheet], 1e-4))
    table = np.stack([np.ones(int(sheet.sum())), x[sheet], y[sheet]], axis=1)
    spread = table[:, 1:].std(0)
    (_, across, down), *_ = np.linalg.lstsq(table, logs.mean(1), rcond=None)
    slope = np.clip([across, down], -_STEEPEST, _STEEPEST) * (spread > 0.1)
    flat = logs - (table[:, 1:] @ slope)[:, None]
    red, green, blue = (PAPER / np.exp(np.median(flat, axis=0))).tolist()
    return Light("white sheet", (red, green, blue), (float(slope[0]), float(slope[1])), REMAINS["white sheet"])


def _places(height: int, width: int) -> tuple[Plane, Plane]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return 2 * x / max(1, width - 1) - 1, 2 * y / max(1, height - 1) - 1
