"""The dedicated reader of text in pictures: rapidocr's detector and recognizer, whose models lie in its package.

rapidocr enlarges thin pictures without a limit and makes large ones small until their text is lost. So it is given
pieces of bounded size only: thin ones padded, large ones cut with an overlap.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Image, TextLine
from tutti.errors import CapacityError, InputError, MissingExtra, TuttiError
from tutti.media import Limits, decode_image
from tutti.settings import read_settings
from tutti.trust.pieces import Box, gathered, moved, pieces_of, scale_for

_LEAST_SIDE = 8
"""Pixels; a picture thinner than that holds no letter that can be read."""
_READ_SIDE = 2000
"""Longest side of what is read at once, in pixels: the detector was made for that much."""
_MOST_SIDES = 4
"""What is read at once is at most so many times as long as it is wide: the detector enlarges the short side to 736."""
_LEAST_READ = 32
_FOUND_SIDES = 320, 640
"""Pixels: the short side to which the detector enlarges a picture where text is only to be found, and the longest."""
_LEAST_CONFIDENCE = 0.5
"""rapidocr's own threshold."""
_LEAST_ALONE = 0.8
"""The same where no line was found, and the whole picture is read as one."""
_ONE_WORD = 640, 240
"""Pixels that a picture of nothing but a word is wide and high at most; it is wider than high."""


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
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self._limits = limits or Limits.from_settings(read_settings())
        self._engine: Any = RapidOCR(params={"Global.log_level": "error"})
        self._finder: Any = RapidOCR(
            params={"Global.log_level": "error", "Det.limit_side_len": _FOUND_SIDES[0], "Det.limit_type": "min"}
        )
        self._lock = threading.Lock()

    def finds(self, image: Image) -> bool:
        """Whether there is text in a picture: what the detector finds in a small copy, in a fraction of `read`'s time.

        Errors as for `read`.
        """
        pixels = decode_image(image, self._limits)
        if min(pixels.shape[:2]) < _LEAST_SIDE:
            return False
        if _one_word(pixels):
            return bool(self.read(image))
        with self._lock, _failing(image.name):
            scale = min(1.0, _FOUND_SIDES[1] / max(pixels.shape[:2]))
            small = _padded(pixels if scale == 1 else _resized(pixels, scale))
            found = self._finder(small[..., ::-1].copy(), use_det=True, use_cls=False, use_rec=False)
            return bool(found.boxes is not None and len(found.boxes) > 0)

    def read(self, image: Image) -> Sequence[TextLine]:
        """The lines in reading order: from top to bottom, and from left to right where they stand side by side.

        Raises:
            InputError: The picture cannot be read, or the reader fails on it.
            CapacityError: It is over a budget.
        """
        return self._read(image, _LEAST_CONFIDENCE)

    def examine(self, image: Image) -> Sequence[TextLine]:
        """As `read`, with the lines that were found and could hardly be read, whatever their confidence."""
        return self._read(image, 0.0)

    def _read(self, image: Image, least: float) -> Sequence[TextLine]:
        pixels = decode_image(image, self._limits)
        if min(pixels.shape[:2]) < _LEAST_SIDE:
            return []
        with self._lock, _failing(image.name):
            scale = scale_for(pixels.shape[1], pixels.shape[0])
            lines = self._lines(pixels if scale == 1 else _resized(pixels, scale), least)
        return _in_order([_scaled(line, 1 / scale) for line in lines])

    def _lines(self, pixels: NDArray[np.uint8], least: float) -> list[TextLine]:
        height, width = pixels.shape[:2]
        boxes = pieces_of(width, height)
        whole = self._of_piece(pixels, least)
        if not whole and _one_word(pixels):
            # The detector looks for lines with something around them; a picture of nothing but a word has none.
            lone = self._of_line(pixels, (0, 0, width, height))
            return [line for line in lone if line.confidence >= _LEAST_ALONE]
        if len(boxes) == 1:
            return whole
        found = []
        for left, top, right, bottom in boxes:
            lines = self._of_piece(pixels[top:bottom, left:right], least)
            found.append([moved(line, left, top) for line in lines])
        kept, crossing = gathered(whole, found)
        return kept + [line for box in crossing for line in self._of_line(pixels, box)]

    def _of_piece(self, pixels: NDArray[np.uint8], least: float) -> list[TextLine]:
        """The lines of a picture that is made small enough and padded."""
        scale = min(1.0, _READ_SIDE / max(pixels.shape[:2]))
        small = _padded(pixels if scale == 1 else _resized(pixels, scale))
        # It expects blue, green, red; and what it was asked last time holds until it is asked otherwise.
        found = self._engine(small[..., ::-1].copy(), use_det=True, use_cls=True, use_rec=True, text_score=least)
        if found.boxes is None or found.txts is None:
            return []
        return [
            _scaled(TextLine(text=text, box=_bounds(box), confidence=float(score)), 1 / scale)
            for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]

    def _of_line(self, pixels: NDArray[np.uint8], box: Box) -> list[TextLine]:
        """What one line says, of which the place is known."""
        left, top, right, bottom = (max(0, round(side)) for side in box)
        crop = pixels[top:bottom, left:right, ::-1].copy()
        found = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        if not found.txts or not found.txts[0].strip() or found.scores[0] < _LEAST_CONFIDENCE:
            return []
        return [TextLine(text=found.txts[0], box=box, confidence=float(found.scores[0]))]


class ShippedReader:
    """A `TextReader` that loads `RapidReader` when it is first asked. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: RapidReader | None = None

    def finds(self, image: Image) -> bool:
        """As `RapidReader.finds`."""
        return self._reader().finds(image)

    def read(self, image: Image) -> Sequence[TextLine]:
        """As `RapidReader.read`."""
        return self._reader().read(image)

    def _reader(self) -> RapidReader:
        with self._lock:
            if self._loaded is None:
                self._loaded = RapidReader()
            return self._loaded


def shipped_reader() -> ShippedReader | None:
    """What reads text in pictures where the extra `ocr` is installed; None where it is not. Nothing is loaded yet."""
    wanted = ("rapidocr", "onnxruntime", "cv2")
    return ShippedReader() if all(find_spec(name) is not None for name in wanted) else None


@contextmanager
def _failing(name: str) -> Iterator[None]:
    """Turn whatever the reader raises into one sentence."""
    try:
        yield
    except TuttiError:
        raise
    except Exception as error:  # rapidocr, OpenCV and onnxruntime each raise their own
        kind = type(error).__name__
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise CapacityError(
                f"Reading the text of {name} needs more memory than there is: make it smaller."
            ) from error
        raise InputError(
            f"The text of {name} cannot be read: the reader of text failed ({kind}); export it anew."
        ) from error


def _one_word(pixels: NDArray[np.uint8]) -> bool:
    height, width = map(int, pixels.shape[:2])
    return 2 * _LEAST_SIDE <= height <= _ONE_WORD[1] and 1.2 * height < width <= min(_ONE_WORD[0], 5 * height)


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return np.asarray(pillow.fromarray(pixels).resize(size, pillow.Resampling.BOX))


def _padded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A thin picture with more of its edge's colour to the right or below."""
    least = max(_LEAST_READ, -(-max(pixels.shape[:2]) // _MOST_SIDES))
    below, right = (max(0, least - side) for side in pixels.shape[:2])
    if not below and not right:
        return pixels
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    made = np.empty((pixels.shape[0] + below, pixels.shape[1] + right, 3), np.uint8)
    made[:] = np.median(edge, axis=0).astype(np.uint8)
    made[: pixels.shape[0], : pixels.shape[1]] = pixels
    return made


def _scaled(line: TextLine, scale: float) -> TextLine:
    left, top, right, bottom = (side * scale for side in line.box)
    return replace(line, box=(left, top, right, bottom))


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
