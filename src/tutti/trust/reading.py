"""The dedicated reader of text in pictures: rapidocr's detector and recognizer, whose models lie in its package."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tutti.content import Image, TextLine
from tutti.errors import MissingExtra
from tutti.media import Limits, decode_image
from tutti.settings import read_settings


class RapidReader:
    """A `TextReader` over rapidocr (PP-OCR; Apache-2.0), on the CPU and offline. Any thread may use it.

    Args:
        limits: Budgets for decoding; those of the environment when not given.

    Raises:
        MissingExtra: rapidocr or the runtime of its models is not installed.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        try:
            import onnxruntime  # noqa: F401 - asked for here, since rapidocr itself would ask in the middle of a picture
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingExtra("Reading text in pictures", "ocr") from None
        logging.getLogger("RapidOCR").setLevel(logging.WARNING)
        self._limits = limits or Limits.from_settings(read_settings())
        self._engine: Any = RapidOCR(params={"Global.log_level": "warning"})
        self._lock = threading.Lock()

    def read(self, image: Image) -> Sequence[TextLine]:
        """The lines in reading order: from top to bottom, and from left to right where they stand side by side.

        Raises:
            InputError: The picture cannot be read.
            CapacityError: It is over a budget.
        """
        pixels = decode_image(image, self._limits)
        with self._lock:
            found = self._engine(np.ascontiguousarray(pixels[..., ::-1]))  # it expects blue, green, red
        if found.boxes is None or found.txts is None:
            return []
        lines = [
            TextLine(text=text, box=_bounds(box), confidence=float(score))
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]
        return _in_order(lines)


def _bounds(box: Any) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of four corners, (4, 2) in pixels."""
    corners = np.asarray(box, float)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return float(left), float(top), float(right), float(bottom)


def _in_order(lines: Sequence[TextLine]) -> list[TextLine]:
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda one: one.box[1]):
        _, top, _, bottom = line.box
        if rows and (top + bottom) / 2 < rows[-1][0].box[3]:  # its middle lies within the row's first line
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda one: one.box[0])]
