"""Colour profiles: pixels of a picture brought to sRGB, so that it looks the same without its profile."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageCms

from tutti.content import Image
from tutti.media import sniff
from tutti.media.images import picture
from tutti.media.limits import Limits
from tutti.media.sources import array_of, opened

_MOST_BYTES = 4_000_000
"""Larger profiles are not used; those of cameras have a few thousand bytes, of printers up to a million."""


def to_srgb(part: Image, pixels: NDArray[np.uint8], limits: Limits) -> tuple[NDArray[np.uint8], bool]:
    """Decoded pixels of a picture in sRGB (IEC 61966-2-1).

    Args:
        part: The picture, whose profile is looked for.
        pixels: (H, W, 3) uint8, as `decode_image` gives them.
        limits: Budgets of bytes and pixels.

    Returns:
        (H, W, 3) uint8, and whether a profile was applied: one for red, green and blue that can be read. Without one,
        pixels stay as they are.

    Raises:
        InputError: The picture cannot be read.
        CapacityError: It is over a budget.
    """
    profile = _profile(part, limits)
    if profile is None:
        return pixels, False
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return pixels, False
        made = ImageCms.profileToProfile(
            pillow.fromarray(pixels), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return pixels, False  # damaged: viewers ignore it, too
    return (pixels if made is None else np.array(made, np.uint8)), made is not None


def _profile(part: Image, limits: Limits) -> bytes | None:
    if array_of(part) is not None:
        return None
    with opened(part, limits) as file:
        if sniff.sniff(file) is sniff.DICOM:
            return None
        with picture(file, part, limits) as (image, _):
            found = image.info.get("icc_profile")
    return found if isinstance(found, bytes) and 0 < len(found) <= _MOST_BYTES else None
