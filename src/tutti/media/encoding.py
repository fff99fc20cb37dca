"""Pictures as files that hold their pixels and nothing else: no place, no device, no time, no comment, no thumbnail."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

JPEG_QUALITY = 92


def encode_picture(pixels: NDArray[np.uint8], form: str, quality: int = JPEG_QUALITY) -> bytes:
    """Encode pixels, of which nothing else is known here, and so nothing else can be written.

    Args:
        pixels: (H, W, 3) uint8.
        form: "JPEG", "PNG" or "WEBP", as Pillow calls them.
        quality: Of JPEG and WebP, 0 to 100.
    """
    buffer = io.BytesIO()
    options = {} if form == "PNG" else {"quality": quality}
    pillow.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()
