"""Examples to try: drawn when they are chosen, since the package holds no pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SIDE = 448


class DrawnExample(NamedTuple):
    """A question with a picture."""

    label: str
    question: str
    draw: Callable[[ImageDraw], None]


def _shapes(draw: ImageDraw) -> None:
    draw.ellipse((60, 60, 220, 220), fill="#d02020")
    draw.rectangle((230, 230, 390, 390), fill="#2040c0")


def _words(draw: ImageDraw) -> None:
    from PIL import ImageFont

    draw.rectangle((24, 96, 424, 352), outline="#204060", width=8)
    draw.text((_SIDE // 2, 170), "OPEN", fill="#204060", font=ImageFont.load_default(84), anchor="mm")
    draw.text((_SIDE // 2, 280), "9 - 17", fill="#204060", font=ImageFont.load_default(64), anchor="mm")


DRAWN_EXAMPLES = (
    DrawnExample("Two shapes", "What shape is red?", _shapes),
    DrawnExample("A sign", "What is written here?", _words),
)


def drawn(example: DrawnExample, folder: Path) -> str:
    """Draw the picture of an example.

    Args:
        example: Which.
        folder: Of the page's files.

    Returns:
        The path of the picture.
    """
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (_SIDE, _SIDE), "white")
    example.draw(ImageDraw.Draw(picture))
    path = Path(tempfile.mkdtemp(dir=folder)) / f"{example.label.lower().replace(' ', '_')}.png"
    picture.save(path)
    return str(path)
