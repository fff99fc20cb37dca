"""A simulator of photographs: a swatch on skin before a ground, under light that falls off, through a camera.

Light: Planck's and daylight's locus from 2,700 to 7,500 K, falling off over the picture. Camera: white balance that
takes most of the cast away, exposure by the mean, a matrix that is not quite the identity, a tone curve, noise, JPEG.
Skin by the individual typology angle (Chardon 1991). All of it is drawn from a seed; the truth is known.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image as pillow
from PIL import ImageDraw, ImageFilter

from tutti.search.looks.planes import gamma, linear
from tutti.search.query.colours import to_lab

SIDE = 240
_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class Photograph(NamedTuple):
    """A photograph and the truth of it."""

    pixels: np.ndarray
    """(H, W, 3) uint8."""
    thing: np.ndarray
    """(H, W) bool."""
    lab: np.ndarray
    """(3,): the thing's colour under neutral light."""


def rgb_of(code: str) -> np.ndarray:
    """(3,) uint8 of #rrggbb."""
    return np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)


def light_at(kelvin: float) -> np.ndarray:
    """(3,) linear sRGB of a black body's or daylight's light, green 1 (Kang et al. 2002; CIE D series)."""
    t = kelvin
    if t < 4000:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        x = -4.6070e9 / t**3 + 2.9678e6 / t**2 + 0.09911e3 / t + 0.244063
        y = -3.0 * x**2 + 2.87 * x - 0.275
    rgb = _TO_RGB @ np.array([x / y, 1.0, (1 - x - y) / y])
    return np.maximum(rgb, 0.02) / rgb[1]


def skin_tone(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear reflectance of skin, from very light to very dark."""
    angle = np.radians(rng.uniform(-45, 60))
    b = rng.uniform(14, 21)
    lightness, a = 50 + b * np.tan(angle), rng.uniform(8, 15)
    return from_lab(np.array([np.clip(lightness, 25, 78), a, b]))


def from_lab(lab: np.ndarray) -> np.ndarray:
    """(3,) linear sRGB of a colour."""
    f = (lab[0] + 16) / 116 + np.array([lab[1] / 500, 0, -lab[2] / 200])
    ratio = np.where(f > 6 / 29, f**3, (116 * f - 16) / 903.3)
    return np.clip(_TO_RGB @ (ratio * np.array([0.95047, 1.0, 1.08883])), 0.004, 1)


def scene(colour: np.ndarray, rng: np.random.Generator, *, sheet: bool) -> tuple[np.ndarray, np.ndarray]:
    """Reflectances of a scene and where the thing is. Shapes: (3,) linear → (H, W, 3), (H, W)."""
    flat = np.zeros((SIDE, SIDE, 3))
    count = int(rng.integers(5, 14))
    seeds = rng.uniform(0, SIDE, (count, 2))
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    nearest = ((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2).argmin(-1)
    tones = [
        from_lab(np.array([rng.uniform(20, 85), *(rng.normal(0, 12, 2) + np.array([1, 4]))])) for _ in range(count)
    ]
    flat[:] = np.array(tones)[nearest]
    if sheet:
        _paint(flat, _band(rng, SIDE * rng.uniform(0.22, 0.4)), np.full(3, rng.uniform(0.82, 0.9)))
    _paint(flat, _arm(rng), skin_tone(rng))
    thing = _smear(rng)
    _paint(flat, thing, colour)
    grain = 1 + 0.015 * rng.normal(size=(SIDE, SIDE, 1))
    return np.clip(flat * grain, 0, 1), thing


def photographed(reflectance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through light and camera. Shapes: (H, W, 3) → (H, W, 3) uint8."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    fall = np.exp(rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y)
    light = light_at(rng.uniform(2700, 7500))
    balance = light ** -rng.uniform(0.75, 1.0) * np.exp(rng.normal(0, 0.03, 3))
    matrix = np.eye(3) + rng.normal(0, 0.012, (3, 3))
    matrix /= matrix.sum(1, keepdims=True)
    seen = (reflectance * fall[..., None] * light * balance) @ matrix.T
    seen = np.maximum(seen, 0)
    seen *= 0.18 * np.exp(rng.normal(0, 0.2)) / (seen @ _LUMINANCE).mean()
    seen *= min(1.0, 0.95 / np.quantile(seen.max(2), 0.97))
    seen = np.maximum(seen, 0) ** np.clip(rng.normal(1.0, 0.02), 0.94, 1.06)
    seen += rng.normal(0, 0.004, seen.shape) + rng.normal(0, 0.02, seen.shape) * np.sqrt(np.maximum(seen, 0)) * 0.3
    out = io.BytesIO()
    pillow.fromarray(gamma(seen)).filter(ImageFilter.GaussianBlur(0.7)).save(
        out, "JPEG", quality=int(rng.integers(75, 96))
    )
    return np.asarray(pillow.open(out))


def photograph(code: str, seed: int, *, sheet: bool) -> Photograph:
    """A photograph of a swatch of the colour #rrggbb."""
    rng = np.random.default_rng(seed)
    reflectance, thing = scene(linear(rgb_of(code)), rng, sheet=sheet)
    return Photograph(photographed(reflectance, rng), thing, to_lab(rgb_of(code)))


def _paint(flat: np.ndarray, where: np.ndarray, colour: np.ndarray) -> None:
    flat[where] = colour


def _drawn(points: list[tuple[float, float]], width: float = 0) -> np.ndarray:
    image = pillow.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    if width:
        draw.line(points, fill=255, width=round(width), joint="curve")
        for px, py in points:
            draw.ellipse((px - width / 2, py - width / 2, px + width / 2, py + width / 2), fill=255)
    else:
        draw.polygon(points, fill=255)
    return np.asarray(image) > 127


def _band(rng: np.random.Generator, width: float) -> np.ndarray:
    side, y, x = int(rng.integers(4)), *np.mgrid[0:SIDE, 0:SIDE]
    tilted = [x, SIDE - x, y, SIDE - y][side] + rng.uniform(-0.1, 0.1) * [y, y, x, x][side]
    return tilted < width


def _arm(rng: np.random.Generator) -> np.ndarray:
    angle, middle = rng.uniform(0, np.pi), SIDE / 2
    ends = [(middle + sign * SIDE * np.cos(angle), middle + sign * SIDE * np.sin(angle)) for sign in (-1, 1)]
    return _drawn(ends, SIDE * rng.uniform(0.34, 0.46))


def _smear(rng: np.random.Generator) -> np.ndarray:
    middle, angle = SIDE / 2 + rng.normal(0, 6, 2), rng.uniform(0, np.pi)
    length, width = SIDE * rng.uniform(0.1, 0.16), SIDE * rng.uniform(0.13, 0.2)
    points = [(middle[0] + t * length * np.cos(angle), middle[1] + t * length * np.sin(angle)) for t in (-1, 0, 1)]
    return _drawn(points, width)
