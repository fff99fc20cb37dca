"""Signs and labels with known text, rendered and degraded as photographs are: perspective, light, blur, noise, JPEG.

Words and fonts of the test are not those of development. Used by `benchmarks/verification.py`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = {"dev": "DejaVu*.ttf", "test": "Liberation*.ttf"}
WORDS = {
    "dev": (
        "harbour bakery silver garden morning market copper bottle velvet orchard winter lantern meadow kitchen studio "
        "cotton pepper granite island coffee violet timber window marble saffron canyon ribbon basket almond summit"
    ).split(),
    "test": (
        "anchor bridge candle desert engine forest ginger hammer icicle jasmine kettle lemon mirror nectar oyster "
        "pillow quartz rocket spring tunnel umbrella valley walnut yellow zephyr bamboo cherry dragon falcon goblet "
        "hotel indigo jacket lagoon magnet needle orange parrot raven saddle temple turtle village willow barrel castle"
    ).split(),
}
WIDTH, HEIGHT = 560, 400


@dataclass(frozen=True)
class Degradation:
    """How a picture is spoilt."""

    letter_px: float
    """Height of capital letters."""
    blur: float
    """Standard deviation of the blur, as a share of that height."""
    contrast: float
    """Between ink and ground, from 0 to 1."""
    quality: int
    """Of the JPEG."""
    tilt: float
    """By how much the corners of the picture are moved, as a share of its size."""

    @property
    def zone(self) -> str:
        """Legible, illegible or between, by numbers that were fixed before anything was measured."""
        if self.letter_px >= 12 and self.blur <= 0.10 and self.contrast >= 0.25 and self.quality >= 40:
            return "legible"
        if self.letter_px <= 4.5 or self.blur >= 0.45 or self.contrast <= 0.02:
            return "illegible"
        return "between"


@dataclass(frozen=True)
class Scene:
    """A picture and what stands in it."""

    pixels: np.ndarray
    name: str
    price: str
    number: str
    boxes: tuple[tuple[float, float, float, float], ...]
    how: Degradation

    @property
    def lines(self) -> tuple[str, str, str]:
        """What is written, from top to bottom."""
        return self.name, f"Price {self.price} EUR", f"No. {self.number}"


def scene(rng: np.random.Generator, split: str, how: Degradation) -> Scene:
    """A sign with a name, a price and a number."""
    first, second = rng.choice(WORDS[split], 2, replace=False)
    name = f"{first} {second}".upper() if rng.random() < 0.5 else f"{first} {second}".title()
    price = f"{rng.integers(1, 99)}.{rng.integers(0, 99):02d}"
    number = f"{rng.integers(10_000, 999_999)}"
    files = sorted(path for folder in Path("/usr/share/fonts").rglob("*") if (path := folder).match(FONTS[split]))
    font = ImageFont.truetype(str(files[int(rng.integers(len(files)))]), max(3, round(how.letter_px / 0.72)))
    ground = rng.uniform(0.35, 0.95) if rng.random() < 0.7 else rng.uniform(0.05, 0.3)
    ink = ground - how.contrast if ground > 0.5 else ground + how.contrast
    tint = rng.uniform(-0.04, 0.04, 3)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), _colour(ground + tint))
    draw = ImageDraw.Draw(canvas)
    boxes, top = [], float(rng.uniform(40, 90))
    made = (name, f"Price {price} EUR", f"No. {number}")
    for line in made:
        left = float(rng.uniform(30, max(31.0, WIDTH - 40 - draw.textlength(line, font))))
        draw.text((left, top), line, _colour(ink + tint), font)
        boxes.append(draw.textbbox((left, top), line, font))
        top += how.letter_px * 1.6 + rng.uniform(14, 40)
    pixels, boxes = _photographed(np.asarray(canvas), boxes, how, rng)
    return Scene(pixels, name, price, number, tuple(boxes), how)


def _photographed(pixels, boxes, how, rng):
    """The picture tilted, lit from a side, blurred, with noise, as a JPEG."""
    corners = np.float32([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]])
    moved = corners + np.float32(rng.uniform(-how.tilt, how.tilt, (4, 2)) * [WIDTH, HEIGHT])
    warp = cv2.getPerspectiveTransform(corners, moved)
    pixels = cv2.warpPerspective(pixels, warp, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    placed = []
    for left, top, right, bottom in boxes:
        quad = np.float32([[[left, top], [right, top], [right, bottom], [left, bottom]]])
        quad = cv2.perspectiveTransform(quad, warp)[0]
        placed.append((*map(float, quad.min(0)), *map(float, quad.max(0))))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light = 1 + 0.15 * (np.cos(angle) * x + np.sin(angle) * y)
    lit = np.clip(pixels * light[..., None] + rng.normal(0, 2.0, pixels.shape), 0, 255).astype(np.uint8)
    blurred = Image.fromarray(lit).filter(ImageFilter.GaussianBlur(how.blur * how.letter_px))
    stored = io.BytesIO()
    blurred.save(stored, "JPEG", quality=how.quality)
    return np.asarray(Image.open(stored).convert("RGB")), placed


def _colour(values):
    return tuple(int(value) for value in np.clip(np.asarray(values) * 255, 0, 255).round())


def degradation(rng: np.random.Generator, zone: str) -> Degradation:
    """A random strength within a zone."""
    while True:
        found = Degradation(
            letter_px=float(np.exp(rng.uniform(np.log(3.5), np.log(34)))),
            blur=float(rng.choice([0.0, 0.04, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7])),
            contrast=float(rng.choice([0.01, 0.02, 0.06, 0.12, 0.25, 0.4, 0.6])),
            quality=int(rng.choice([15, 25, 40, 60, 85, 95])),
            tilt=float(rng.choice([0.0, 0.03, 0.06])),
        )
        if found.zone == zone:
            return found


def planted(rng: np.random.Generator, made: Scene, split: str) -> tuple[str, str, str]:
    """Another name, price and number: one word or one digit is other, or all of it."""
    words = made.name.split()
    others = [word for word in WORDS[split] if word.casefold() not in made.name.casefold()]
    shape = str.upper if made.name.isupper() else str.title
    if rng.random() < 0.5:
        words[int(rng.integers(2))] = shape(str(rng.choice(others)))
    else:
        words = [shape(str(word)) for word in rng.choice(others, 2, replace=False)]
    return " ".join(words), _other_digits(rng, made.price), _other_digits(rng, made.number)


def _other_digits(rng: np.random.Generator, number: str) -> str:
    places = [place for place, letter in enumerate(number) if letter.isdigit()]
    changed = [int(rng.choice(places))] if rng.random() < 0.5 else places
    letters = list(number)
    for place in changed:
        least = 1 if place == 0 else 0
        letters[place] = str(rng.choice([digit for digit in range(least, 10) if str(digit) != letters[place]]))
    return "".join(letters)
