"""How a thing looks in a picture: its colours as regions of L*a*b*, pattern and finish, and what remains uncertain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.search.looks.ground import ground_of, inside
from tutti.search.looks.light import Estimate, corrected, light_of
from tutti.search.looks.planes import Region, gamma, linear
from tutti.search.looks.surface import surface_of
from tutti.search.query.colours import Lab, Palette, difference, gathered, to_lab

_SIDE = 160
"""Pictures are looked at in so many pixels along their longer side."""
_NEAR = 10.0
"""ΔE within which pixels belong to a region's colour."""


class ProductLook(NamedTuple):
    """How a thing looks."""

    lab: NDArray[np.float32]
    """(3,): the colour of most of it."""
    regions: Palette
    """Its colours, the largest first; shares are of the thing."""
    pattern: str | None
    finish: str | None
    told: bool
    """Whether it was told from its ground; otherwise this is the middle of the picture."""
    light: Estimate
    remains: float
    """ΔE below which nine of ten colours lie after the light was corrected; 0 for pictures that are taken as is."""


def look_of_product(pixels: NDArray[np.uint8]) -> ProductLook:
    """A product in a catalogue's picture, whose light is taken to be neutral. Shapes: (H, W, 3) uint8."""
    small = _small(pixels)
    lab = to_lab(small)
    ground = ground_of(lab)
    return _look(lab, ground.thing, ground.told, "as photographed", 0.0)


def look_of_photo(pixels: NDArray[np.uint8], on_sheet: bool | None = None) -> ProductLook:
    """A thing in somebody's photograph, after the light was corrected.

    Args:
        pixels: (H, W, 3) uint8.
        on_sheet: Whether a white sheet is known to be in the picture, or not to be; otherwise it is looked for.
    """
    small = _small(pixels)
    ground = ground_of(to_lab(small))
    rgb = linear(small)
    light = light_of(rgb, ground.thing, on_sheet)
    return _look(to_lab(gamma(corrected(rgb, light))), ground.thing, ground.told, light.estimate, light.remains)


def _look(lab: Lab, thing: Region, told: bool, light: Estimate, remains: float) -> ProductLook:
    own = lab[inside(thing)]
    regions = gathered(own, np.ones(len(own)), most=4)
    first = own[difference(own, regions.lab[0]) < _NEAR]
    colour = np.median(first if len(first) else own, axis=0).astype(np.float32)
    surface = surface_of(lab, thing)
    return ProductLook(
        lab=colour,
        regions=regions,
        pattern=surface.pattern if told else None,
        finish=surface.finish if told else None,
        told=told,
        light=light,
        remains=remains,
    )


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = pillow.fromarray(pixels)
    picture.thumbnail((_SIDE, _SIDE), pillow.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(picture)
