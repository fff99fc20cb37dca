"""Pictures of any mode, transparent or not, to red, green and blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.errors import InputError

WHITE, BLACK, GREY = 255, 0, 128
_LEAST_ALPHA = 16
"""What is less opaque is counted as not visible, of 255."""
_LEAST_CONTRAST = 48
"""Luminance that differs from the ground's by less does not stand out, of 255."""
_MARGIN = 0.1
"""White is used unless another ground hides this share of the outline less."""


def rgb(image: pillow.Image, name: str, ground: int | None = None) -> NDArray[np.uint8]:
    """A loaded Pillow picture of any mode as (H, W, 3) uint8; 16-bit grey is scaled to 8 bits.

    Args:
        image: The picture.
        name: What to call it in errors.
        ground: Grey level that transparent pixels are laid on, 0 to 255; that of `ground_for` when not given.

    Raises:
        InputError: The mode has no fixed range (32-bit integers, floats).
    """
    if image.mode in ("I", "F"):
        raise InputError(f"{name} has 32-bit values of unknown range; expected 1, 8 or 16 bits a channel.")
    if image.has_transparency_data:
        image = _rgba(image)
        level = ground_for(image) if ground is None else ground
        image = pillow.alpha_composite(pillow.new("RGBA", image.size, (level, level, level, 255)), image)
    elif image.mode.startswith("I;16"):
        image = _eight_bits(np.asarray(image))
    return np.array(image.convert("RGB"), dtype=np.uint8)


def ground_for(image: pillow.Image) -> int:
    """The grey level that the outline of what is visible stands out from: white where it does, or black, or grey.

    The outline are the visible pixels beside pixels that are not visible. White also where there is none.

    Args:
        image: A loaded picture with transparency, of any mode.
    """
    image = _rgba(image)
    visible = np.asarray(image.getchannel("A")) >= _LEAST_ALPHA
    outline = np.zeros_like(visible)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        outline[one] |= visible[one] & ~visible[other]
        outline[other] |= visible[other] & ~visible[one]
    levels = np.asarray(image.convert("L"))[outline].astype(np.int16)
    if not len(levels):
        return WHITE
    hidden = {level: float((np.abs(levels - level) < _LEAST_CONTRAST).mean()) for level in (WHITE, BLACK, GREY)}
    least = min(hidden.values())
    return next(level for level, share in hidden.items() if share <= least + _MARGIN)


def scale_transparent_colour(image: pillow.Image, coding: object) -> None:
    """Bring the colour that a PNG declares transparent to the scale on which Pillow decodes its samples.

    Pillow scales samples of 2, 4 and (for colour) 16 bits to 8 bits and leaves that colour as it was.

    Args:
        image: A PNG of which only the header was read.
        coding: Pillow's raw mode of its samples.
    """
    colour = image.info.get("transparency")
    if coding in ("L;2", "L;4") and isinstance(colour, int):
        image.info["transparency"] = colour * (85 if coding == "L;2" else 17)
    elif coding == "RGB;16B" and isinstance(colour, tuple):
        image.info["transparency"] = tuple(level >> 8 for level in colour)


def _rgba(image: pillow.Image) -> pillow.Image:
    if image.mode == "RGBA":
        return image
    if image.mode.startswith("I;16"):
        grey = np.asarray(image)
        made = _eight_bits(grey)
        made.putalpha(pillow.fromarray(np.where(grey == image.info["transparency"], 0, 255).astype(np.uint8)))
        return made.convert("RGBA")
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _eight_bits(grey: NDArray[np.generic]) -> pillow.Image:
    return pillow.fromarray(((grey.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
