"""Words in pictures that were mirrored or rotated so that a reader of text passes over them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tutti.content import Image
from tutti.interfaces import TextFinder, TextReader


def turned_texts(pixels: NDArray[np.uint8], reader: TextReader) -> Iterator[tuple[str, str]]:
    """What is read in the picture mirrored and rotated, each as how it was turned and the text.

    A picture in which a finder finds no text costs no reading. Shapes: (H, W, 3) uint8.
    """
    if isinstance(reader, TextFinder) and not reader.finds(Image(pixels)):
        return
    turns = {
        "mirrored": pixels[:, ::-1],
        "turned to the right": np.rot90(pixels, 1),
        "turned to the left": np.rot90(pixels, 3),
        "turned upside down": np.rot90(pixels, 2),
        "mirrored upside down": pixels[::-1],
    }
    for how, turned in turns.items():
        lines = reader.read(Image(np.ascontiguousarray(turned)))
        if lines:
            yield how, "\n".join(line.text for line in lines)
