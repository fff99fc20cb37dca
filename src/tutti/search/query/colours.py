"""Colours as people see them: CIELAB, differences by CIEDE2000, dominant colours of a picture, and their names.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (L*a*b* under D65), Sharma, Wu and Dalal 2005 (CIEDE2000), Berlin and Kay 1969
(the eleven basic colour terms).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

Lab = NDArray[np.float32]

_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_SIDE = 40
"""A picture is looked at in so many pixels a side."""
_CELL = 10.0
"""Side of the cells of L*a*b* that pixels are gathered in."""
_SAME = 12.0
"""Dominant colours nearer than this are one."""
_BACKGROUND_SHARE, _BACKGROUND_WEIGHT = 0.5, 0.05
_FOCI = {
    "black": ("#000000", "#1c1c1e"),
    "white": ("#ffffff", "#f2f0ee"),
    "grey": ("#808080", "#a9a9ab", "#55565a", "#cccccc"),
    "red": ("#e0201b", "#b01020", "#7a1420", "#d83a3a"),
    "orange": ("#f57c00", "#ff9a3c", "#d2601a"),
    "yellow": ("#ffe000", "#f2c830", "#f7e98e"),
    "green": ("#1f9d3a", "#0b5d2a", "#6b8e23", "#8fd18f", "#a4c639", "#3f5d45"),
    "blue": ("#1f4fd0", "#10206a", "#5b9bd5", "#a3cdf0", "#2f4f7f", "#1c2a44"),
    "purple": ("#7b2fa0", "#4b1a6b", "#b48ad6"),
    "pink": ("#f48fb1", "#ff69b4", "#f7c9d3", "#d6608a"),
    "brown": ("#6b3e1f", "#8b5a2b", "#4a2c1a", "#a9744f", "#c8a27a"),
}
_SYNONYMS = {
    "gray": "grey",
    "silver": "grey",
    "violet": "purple",
    "lilac": "purple",
    "maroon": "red",
    "crimson": "red",
    "scarlet": "red",
    "golden": "yellow",
    "rose": "pink",
    "magenta": "pink",
}
_SHADES = {
    "navy": "#10206a",
    "beige": "#d9c7a0",
    "turquoise": "#30c5c0",
    "teal": "#0f7a7a",
    "olive": "#6b6b1f",
    "khaki": "#b0a070",
    "burgundy": "#6a1428",
    "cream": "#f7efd8",
    "cyan": "#20c8e0",
}
"""Words for one shade; their basic term is the nearest."""
_THINGS = {"cream", "olive", "orange", "silver", "violet", "lilac"}
"""Colours that are things as well: things where no noun comes after them."""
_BEFORE_COLOURS = {"", "in", "but", "and", "or"}
_AFTER_THINGS = {"", "and", "or", "with", "on", "in", "under", "beside", "from"}


class Palette(NamedTuple):
    """The dominant colours of a picture, the largest first."""

    shares: NDArray[np.float32]
    """(C,) float32, of the picture without its background, together at most one."""
    lab: Lab
    """(C, 3) float32: L*, a*, b*."""


def packed(palette: Palette) -> list[float]:
    """A palette as share, L*, a*, b* of each colour in turn."""
    return [float(value) for value in np.column_stack([palette.shares, palette.lab]).ravel()]


def unpacked(values: list[float]) -> Palette:
    """The palette of such a list."""
    table = np.array(values, np.float32).reshape(-1, 4)
    return Palette(table[:, 0], table[:, 1:])


class ColourWish(NamedTuple):
    """A colour that a query names."""

    word: str
    term: str
    """Its basic colour term."""
    lab: Lab
    """(F, 3) float32: what counts as it."""


def to_lab(rgb: NDArray[np.uint8]) -> Lab:
    """SRGB to CIELAB under D65. Shapes: (..., 3) uint8 → (..., 3) float32."""
    value = rgb.astype(np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE_D65
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    return lab.astype(np.float32)


def difference(one: Lab, other: Lab) -> NDArray[np.float64]:
    """CIEDE2000 between colours, broadcast. Shapes: (..., 3) and (..., 3) → (...)."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (one, other))
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    turn = np.where(~grey & (h2 - h1 == 180), 180.0, turn)
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    mean_h = np.where(grey, h1 + h2, np.where(np.abs(h1 - h2) <= 180, (h1 + h2) / 2, ((h1 + h2 + 360) / 2) % 360))
    return _weighted(l2 - l1, c2 - c1, d_h, (l1 + l2) / 2, (c1 + c2) / 2, mean_h)


def _weighted(
    d_l: NDArray[np.float64],
    d_c: NDArray[np.float64],
    d_h: NDArray[np.float64],
    mean_l: NDArray[np.float64],
    mean_c: NDArray[np.float64],
    mean_h: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Equations 15 to 22 of Sharma, Wu and Dalal."""

    def cosine(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.cos(np.radians(degrees)))

    t = 1 - 0.17 * cosine(mean_h - 30) + 0.24 * cosine(2 * mean_h) + 0.32 * cosine(3 * mean_h + 6)
    t = t - 0.20 * cosine(4 * mean_h - 63)
    turn = 30 * np.exp(-(((mean_h - 275) / 25) ** 2))
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    r = -np.sin(np.radians(2 * turn)) * 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    squared = (d_l / s_l) ** 2 + (d_c / s_c) ** 2 + (d_h / s_h) ** 2 + r * (d_c / s_c) * (d_h / s_h)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


def dominant(picture: NDArray[np.uint8], most: int = 4) -> Palette:
    """The dominant colours of a picture; its middle counts more, and a background of one colour hardly at all.

    Shapes: (H, W, 3) uint8.
    """
    small = np.asarray(pillow.fromarray(picture).resize((_SIDE, _SIDE), pillow.Resampling.BOX, reducing_gap=2.0))
    lab = to_lab(small).reshape(-1, 3)
    weights = _MIDDLE * _foreground(lab)
    return gathered(lab, weights, most)


def gathered(lab: Lab, weights: NDArray[np.float64], most: int = 4) -> Palette:
    """The colours of some pixels, the largest first: in cells of L*a*b*, neighbouring cells joined.

    Shapes: (N, 3) and (N,).
    """
    _, place = np.unique(np.floor(lab / _CELL).astype(np.int64) @ np.array([1, 1000, 1000_000]), return_inverse=True)
    mass = np.bincount(place, weights)
    means = np.stack([np.bincount(place, weights * lab[:, axis]) for axis in range(3)], axis=1) / mass[:, None]
    order = np.argsort(-mass, kind="stable")[:24]
    shares: list[float] = []
    colours: list[Lab] = []
    for cell in order:
        colour, share = means[cell].astype(np.float32), float(mass[cell] / mass.sum())
        apart = difference(np.array(colours), colour) if colours else np.array([np.inf])
        if apart.min() < _SAME:
            near = int(apart.argmin())
            together = shares[near] + share
            colours[near] = (colours[near] * shares[near] + colour * share) / together
            shares[near] = together
        else:
            shares.append(share)
            colours.append(colour)
    best = sorted(range(len(shares)), key=lambda index: -shares[index])[:most]
    return Palette(np.array([shares[i] for i in best], np.float32), np.array([colours[i] for i in best], np.float32))


def _foreground(lab: Lab) -> NDArray[np.float64]:
    """Weights that take away what has the colour of the edge, where the edge has one colour."""
    ring = lab[_RING]
    edge = np.median(ring, axis=0)
    if (np.linalg.norm(ring - edge, axis=1) < _SAME).mean() < _BACKGROUND_SHARE:
        return np.ones(len(lab))
    same = np.linalg.norm(lab - edge, axis=1) < _SAME
    return np.where(same, _BACKGROUND_WEIGHT, 1.0)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1) * 2 - 1
    return np.exp(-(x**2 + y**2)).ravel(), (np.maximum(np.abs(x), np.abs(y)) > 0.93).ravel()


_MIDDLE, _RING = _grid()


def _of_hex(*codes: str) -> Lab:
    return to_lab(np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in codes], np.uint8))


_TERMS = [term for term, codes in _FOCI.items() for _ in codes]
_FOCAL = _of_hex(*(code for codes in _FOCI.values() for code in codes))


BASIC = frozenset((*_FOCI, *_SYNONYMS))
"""Words for basic colour terms; others name one shade."""


GREYS = ("black", "white", "grey")
"""Basic colour terms without hue."""


def lab_of_word(word: str) -> tuple[float, float, float]:
    """The colour of a word for one shade, such as navy; of a basic term, its focus."""
    lightness, a, b = _of_hex(_SHADES.get(word) or _FOCI[_SYNONYMS.get(word, word)][0])[0].tolist()
    return lightness, a, b


def names_of(palette: Palette, least: float = 0.2) -> list[str]:
    """The basic colour terms of the colours that take at least a share of the picture, the largest first."""
    nearest = difference(palette.lab[:, None], _FOCAL).argmin(1)
    return list(dict.fromkeys(_TERMS[n] for n, share in zip(nearest, palette.shares, strict=True) if share >= least))


def share_of_term(picture: NDArray[np.uint8], term: str) -> float:
    """The share of a picture's pixels whose nearest basic colour term is this one. Shapes: (H, W, 3) uint8."""
    step = max(1, max(picture.shape[:2]) // 96)
    colours = to_lab(picture[::step, ::step]).reshape(-1, 3)
    nearest = difference(colours[:, None], _FOCAL).argmin(1)
    return float(np.mean([_TERMS[place] == term for place in nearest]))


def nearest_terms(lab: Lab) -> list[str]:
    """The basic colour term of each colour. Shapes: (N, 3)."""
    places = [difference(lab[at : at + 4096, None], _FOCAL).argmin(1) for at in range(0, len(lab), 4096)]
    return [_TERMS[place] for place in np.concatenate(places)] if places else []


def wishes(text: str) -> list[ColourWish]:
    """The colours that a text names, in order: that of "a cream jacket" and "in orange", none of "sour cream"."""
    found = []
    words = re.findall(r"[a-z]+", text.lower())
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in _THINGS and before not in _BEFORE_COLOURS and after in _AFTER_THINGS:
            continue
        term = _SYNONYMS.get(word, word)
        if word in _SHADES:
            lab = _of_hex(_SHADES[word])
            found.append(ColourWish(word, _TERMS[int(difference(_FOCAL, lab).argmin())], lab))
        elif term in _FOCI:
            found.append(ColourWish(word, term, _of_hex(*_FOCI[term])))
    return found


def closeness(palette: Palette, wish: ColourWish) -> float:
    """How much of a picture has a colour, 0 to 1: shares, weighted by how near (CIEDE2000) each colour is to it."""
    apart = difference(palette.lab[:, None], wish.lab).min(axis=1)
    return float((palette.shares * np.exp(-((apart / 15.0) ** 2))).sum())
