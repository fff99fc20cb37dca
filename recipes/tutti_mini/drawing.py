"""Shapes, words, backgrounds and how they come together on a canvas; numpy and Pillow only.

A sprite is uint8 (h, w, 4) with colours already multiplied by alpha, so that laying it down is one sum.
"""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "ring", "diamond")
COLOURS: dict[str, tuple[float, float, float, float, float, float]] = {
    "red": (-8, 8, 0.8, 1, 0.72, 1),
    "orange": (22, 34, 0.85, 1, 0.92, 1),
    "yellow": (50, 58, 0.75, 1, 0.9, 1),
    "green": (95, 145, 0.55, 1, 0.45, 0.85),
    "blue": (205, 235, 0.65, 1, 0.55, 1),
    "purple": (266, 286, 0.5, 0.9, 0.5, 0.85),
    "pink": (325, 345, 0.3, 0.6, 0.93, 1),
    "brown": (18, 28, 0.6, 0.8, 0.35, 0.52),
    "black": (0, 360, 0, 0.2, 0, 0.12),
    "white": (0, 360, 0, 0.03, 0.96, 1),
    "grey": (0, 360, 0, 0.05, 0.42, 0.65),
}
"""Name → ranges of hue in degrees, saturation and value within which nobody would call it otherwise."""

_FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf",
    "STIXGeneralBol.ttf", "cmss10.ttf", "cmtt10.ttf", "cmb10.ttf",
)  # fmt: skip
_MASK_SIDE = 96


def shade(rng: np.random.Generator, name: str) -> Colour:
    """One of the many colours called so."""
    low_h, high_h, low_s, high_s, low_v, high_v = COLOURS[name]
    u, v, w = rng.random(3).tolist()
    hue = (low_h + u * (high_h - low_h)) % 360 / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, low_s + v * (high_s - low_s), low_v + w * (high_v - low_v))
    return round(red * 255), round(green * 255), round(blue * 255)


def any_colour(rng: np.random.Generator) -> Colour:
    """Any colour; pale and white ones more often than a fair draw would give."""
    red, green, blue = rng.integers(0, 256, 3).tolist()
    kind = rng.random()
    if kind < 0.25:
        return 255, 255, 255
    if kind < 0.6:
        return 170 + red // 3, 170 + green // 3, 170 + blue // 3
    return red, green, blue


def distance(one: Colour, other: Colour) -> float:
    """How different two colours look, 0 to about 765 (weighted Euclid)."""
    mean_red = (one[0] + other[0]) / 2
    red, green, blue = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    return float(((2 + mean_red / 256) * red**2 + 4 * green**2 + (2 + (255 - mean_red) / 256) * blue**2) ** 0.5)


@cache
def shape_mask(name: str) -> Image.Image:
    """A shape as a mask of 96 x 96."""
    side = _MASK_SIDE * 4
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    if name in ("circle", "ring"):
        draw.ellipse((0, 0, side - 1, side - 1), fill=255)
        if name == "ring":
            draw.ellipse((side * 0.26, side * 0.26, side * 0.74, side * 0.74), fill=0)
    elif name == "heart":
        draw.ellipse((0, 0.04 * side, 0.53 * side, 0.55 * side), fill=255)
        draw.ellipse((0.47 * side, 0.04 * side, side - 1, 0.55 * side), fill=255)
        draw.polygon([(0.04 * side, 0.42 * side), (0.96 * side, 0.42 * side), (0.5 * side, 0.98 * side)], fill=255)
    else:
        draw.polygon([(x * (side - 1), y * (side - 1)) for x, y in _outline(name)], fill=255)
    return mask.resize((_MASK_SIDE, _MASK_SIDE), Image.Resampling.LANCZOS)


def _outline(name: str) -> list[tuple[float, float]]:
    if name == "square":
        return [(0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)]
    if name == "triangle":
        return [(0.5, 0.04), (1, 0.94), (0, 0.94)]
    if name == "diamond":
        return [(0.5, 0), (0.88, 0.5), (0.5, 1), (0.12, 0.5)]
    if name == "cross":
        a, b = 0.34, 0.66
        return [(a, 0), (b, 0), (b, a), (1, a), (1, b), (b, b), (b, 1), (a, 1), (a, b), (0, b), (0, a), (a, a)]
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 0.52, 0.22)
    return [(0.5 + r * np.cos(t), 0.52 + r * np.sin(t)) for r, t in zip(radii, angles, strict=True)]


@cache
def _font(index: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{_FONTS[index % len(_FONTS)]}", 40)


@cache
def text_mask(text: str, font: int) -> Image.Image:
    """A word as a mask, cut to its ink."""
    left, top, right, bottom = _font(font).getbbox(text)
    mask = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(mask).text((2 - left, 2 - top), text, fill=255, font=_font(font))
    return mask.crop(mask.getbbox())


def fonts() -> int:
    """How many fonts there are."""
    return len(_FONTS)


def tinted(mask: Image.Image, colour: Colour, width: int, height: int, degrees: float = 0) -> Pixels:
    """A mask in a colour. Shape (height, width, 4)."""
    if degrees:
        mask = mask.rotate(degrees, Image.Resampling.BILINEAR)
    alpha = np.asarray(
        mask.resize((width, height), Image.Resampling.BOX if width < mask.width else Image.Resampling.BILINEAR)
    )
    out = np.empty((height, width, 4), np.uint8)
    wide = alpha.astype(np.uint16)
    for channel, value in enumerate(colour):
        out[..., channel] = wide * value // 255
    out[..., 3] = alpha
    return out


def scaled(sprite: Pixels, side: int, *, mirrored: bool = False, degrees: float = 0) -> Pixels:
    """A square sprite in another size. Shapes: (h, h, 4) → (side, side, 4)."""
    image = Image.frombuffer("RGBa", sprite.shape[1::-1], sprite.tobytes(), "raw", "RGBa", 0, 1)
    if degrees:
        image = image.rotate(degrees, Image.Resampling.BILINEAR)
    if side != sprite.shape[0]:
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    out = np.asarray(image)
    return out[:, ::-1] if mirrored else out


def lay(canvas: Pixels, sprite: Pixels, left: int, top: int) -> None:
    """Lay a sprite on the canvas, in place; what lies outside is cut off."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + sprite.shape[1], width), min(top + sprite.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    under = canvas[y0:y1, x0:x1]
    rest = (255 - part[..., 3:]).astype(np.uint16)
    canvas[y0:y1, x0:x1] = (under * rest // 255 + part[..., :3]).astype(np.uint8)


def background(rng: np.random.Generator, side: int, textures: NDArray[np.uint8], avoid: list[Colour]) -> Pixels:
    """Plain, shaded, noisy, or a blurred piece of a photo; far from the colours that must be seen on it.

    Args:
        rng: The source of chance.
        side: Height and width in pixels.
        textures: (n, h, w, 3) photos to cut from.
        avoid: Colours that will be drawn on it.
    """
    first = _far_colour(rng, avoid)
    kind = rng.random()
    canvas = np.empty((side, side, 3), np.uint8)
    if kind >= 0.8 and len(textures):
        blurred = _blurred_piece(rng, side, textures)
        if all(distance(tuple(blurred.mean((0, 1)).tolist()), colour) > 200 for colour in avoid):
            return blurred
    if kind < 0.45 or kind >= 0.8:
        canvas[:] = first
        return canvas
    if kind < 0.65:
        second = _far_colour(rng, avoid)
        ramp = np.linspace(0, 1, side, dtype=np.float32)[:, None]
        line = (np.float32(first) * (1 - ramp) + np.float32(second) * ramp).astype(np.uint8)
        if rng.random() < 0.5:
            line = line[::-1]
        canvas[:] = line[:, None] if rng.random() < 0.5 else line[None]
        return canvas
    coarse = int(rng.choice((8, 16, 32)))
    noise = rng.integers(-22, 23, (coarse, coarse, 1)) + np.array(first)
    tile = np.clip(noise, 0, 255).astype(np.uint8)
    return tile.repeat(side // coarse, 0).repeat(side // coarse, 1)


def _blurred_piece(rng: np.random.Generator, side: int, textures: Pixels) -> Pixels:
    photo = textures[rng.integers(len(textures))]
    top, left = rng.integers(0, photo.shape[0] - 20, 2).tolist()
    piece = Image.fromarray(photo[top : top + 20, left : left + 20]).resize((6, 6), Image.Resampling.BOX)
    return np.array(piece.resize((side, side), Image.Resampling.BILINEAR))


def _far_colour(rng: np.random.Generator, avoid: list[Colour]) -> Colour:
    best, best_distance = (255, 255, 255), -1.0
    for _ in range(12):
        colour = any_colour(rng)
        nearest = min((distance(colour, other) for other in avoid), default=999.0)
        if nearest > 230:
            return colour
        if nearest > best_distance:
            best, best_distance = colour, nearest
    return best
