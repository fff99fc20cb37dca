"""Faces in pictures: what a detector is, and the one that comes with OpenCV 4, whose models lie in its wheel.

Haar cascades (Viola and Jones 2001; Lienhart and Maydt 2002) are weak each for itself. Recall is what counts here, so
several are asked, upright, turned and mirrored, with few neighbours needed, and their votes are added up. What they
take for a face wrongly costs a grey box.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tutti.errors import InputError, MissingExtra
from tutti.trust.pieces import Box

LEAST_FACE_PX = 24
"""Height of the smallest face that is looked for, from forehead to chin, in pixels."""
_TILE, _OVERLAP, _SMALL_FACE = 800, 160, 150
"""Side of the tiles in which small faces are looked for, what they share, and up to which height faces are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceBox:
    """A face in a picture."""

    box: Box
    """Left, top, right, bottom in pixels, of the head: hair, ears and chin included."""
    score: float
    """How sure the detector is, on its own scale."""


class FaceDetector(Protocol):
    """Finds faces. Implementations: `HaarFaces`, `CenterFace`. Any thread may use one."""

    @property
    def name(self) -> str:
        """What records call it, its version included."""
        ...

    def faces(self, pixels: NDArray[np.uint8], *, quick: bool = False) -> list[FaceBox]:
        """The faces of a picture of shape (H, W, 3) uint8, red, green, blue.

        Args:
            pixels: The picture.
            quick: Leave out what takes much time and finds little more; for frames of films.
        """
        ...


def opencv() -> Any:
    """OpenCV 4.

    Raises:
        MissingExtra: It is not installed.
        InputError: It is version 5, which has no cascades.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtra("Finding faces", "privacy") from None
    if not hasattr(cv2, "CascadeClassifier"):
        raise InputError(
            f"OpenCV {cv2.__version__} has no cascades for faces; install version 4: "
            "pip install 'opencv-python-headless>=4.10,<5'"
        )
    return cv2


class _Pass(NamedTuple):
    """One look with a cascade."""

    cascade: str
    mirrored: bool
    turn_degrees: float
    scale_step: float
    around: tuple[float, float, float, float]
    """By how much of its side what is found grows to the left, top, right and bottom, to be a head."""


_FRONTAL = (0.18, 0.3, 0.18, 0.3)
_PROFILE = (0.3, 0.3, 0.3, 0.3)
_PASSES = (
    _Pass("frontalface_alt2", False, 0, 1.1, _FRONTAL),
    _Pass("frontalface_default", False, 0, 1.15, _FRONTAL),
    _Pass("frontalface_alt2", False, 22, 1.15, _FRONTAL),
    _Pass("frontalface_alt2", False, -22, 1.15, _FRONTAL),
    _Pass("profileface", False, 0, 1.15, _PROFILE),
    _Pass("profileface", True, 0, 1.15, _PROFILE),
)
_QUICK = (0, 4, 5)
"""Those of them that a quick look takes."""


class HaarFaces:
    """A `FaceDetector` of OpenCV 4's Haar cascades, frontal and profile, offline.

    Args:
        least_votes: Neighbouring windows, of all looks together, that make a face.
        least_face_px: Height of the smallest face that is looked for, in pixels.

    Raises:
        MissingExtra: OpenCV is not installed.
        InputError: Its version has no cascades.
    """

    def __init__(self, least_votes: int = 3, least_face_px: int = LEAST_FACE_PX) -> None:
        self._cv = opencv()
        folder = Path(self._cv.data.haarcascades)
        self._cascades = {
            one.cascade: self._cv.CascadeClassifier(str(folder / f"haarcascade_{one.cascade}.xml")) for one in _PASSES
        }
        self._least_votes, self._least = least_votes, least_face_px
        self._lock = threading.Lock()  # a cascade keeps state while it looks

    @property
    def name(self) -> str:
        """Of OpenCV and its cascades."""
        return f"opencv {self._cv.__version__} haar"

    def faces(self, pixels: NDArray[np.uint8], *, quick: bool = False) -> list[FaceBox]:
        """The faces of a picture, (H, W, 3) uint8; a quick look takes three cascades in the place of six."""
        passes = [_PASSES[place] for place in _QUICK] if quick else _PASSES
        grey = self._cv.cvtColor(pixels, self._cv.COLOR_RGB2GRAY)
        votes: list[tuple[Box, int]] = []
        with self._lock:
            for left, top, right, bottom, scale, range_px in _looks(grey.shape, self._least):
                piece = grey[top:bottom, left:right]
                if scale != 1:
                    how = self._cv.INTER_CUBIC if scale > 1 else self._cv.INTER_AREA
                    piece = self._cv.resize(piece, None, fx=scale, fy=scale, interpolation=how)
                for one in passes:
                    for box, count in self._look(piece, one, range_px):
                        x0, y0, x1, y1 = (side / scale for side in box)
                        votes.append(((x0 + left, y0 + top, x1 + left, y1 + top), count))
        return _elected(votes, self._least_votes)

    def _look(self, grey: NDArray[np.uint8], one: _Pass, range_px: tuple[int, int]) -> list[tuple[Box, int]]:
        """Boxes of heads and the number of windows that saw each."""
        height, width = grey.shape
        seen, back = grey, None
        if one.mirrored:
            seen = np.ascontiguousarray(seen[:, ::-1])
        if one.turn_degrees:
            turn = self._cv.getRotationMatrix2D((width / 2, height / 2), one.turn_degrees, 1.0)
            seen = self._cv.warpAffine(seen, turn, (width, height), borderMode=self._cv.BORDER_REPLICATE)
            back = self._cv.invertAffineTransform(turn)
        low, high = range_px
        found, counts = self._cascades[one.cascade].detectMultiScale2(
            seen, scaleFactor=one.scale_step, minNeighbors=1, minSize=(low, low), maxSize=(high, high)
        )
        made = []
        for (x, y, w, h), count in zip(found, counts, strict=True):
            middle = np.array([x + w / 2, y + h / 2, 1.0])
            if back is not None:
                middle[:2] = back @ middle
            if one.mirrored:
                middle[0] = width - middle[0]
            left, top, right, bottom = one.around
            x0, y0 = float(middle[0] - w / 2), float(middle[1] - h / 2)
            made.append(((x0 - left * w, y0 - top * h, x0 + w + right * w, y0 + h + bottom * h), int(count)))
        return made


def _looks(shape: tuple[int, ...], least: int) -> list[tuple[int, int, int, int, float, tuple[int, int]]]:
    """Pieces of a picture to look at: left, top, right, bottom, scale, and the sides of faces there in scaled pixels.

    Small faces are looked for in tiles at twice their size, which cascades of 20 x 20 pixels need; large ones in the
    whole picture made small, which costs little.
    """
    height, width = shape[:2]
    made = []
    step = _TILE - _OVERLAP
    for top in range(0, max(1, height - _OVERLAP), step):
        for left in range(0, max(1, width - _OVERLAP), step):
            right, bottom = min(width, left + _TILE), min(height, top + _TILE)
            # What a cascade finds is about four fifths of a head's height.
            made.append((left, top, right, bottom, 2.0, (max(20, int(1.5 * least)), 96)))
    scale = min(1.0, 640 / max(height, width))
    made.append((0, 0, width, height, scale, (max(20, int(40 * scale)), max(height, width))))
    middle = 0.5
    while middle > 2 * scale:  # between the two, of large pictures
        made.append((0, 0, width, height, middle, (20, 96)))
        middle /= 4
    return made


def _elected(votes: Sequence[tuple[Box, int]], least: int) -> list[FaceBox]:
    """Boxes that lie on one another as one, where enough windows saw them."""
    groups: list[list[tuple[Box, int]]] = []
    for box, count in sorted(votes, key=lambda one: -one[1]):
        group = next((one for one in groups if _alike(one[0][0], box)), None)
        if group is None:
            groups.append([(box, count)])
        else:
            group.append((box, count))
    made = []
    for group in groups:
        total = sum(count for _, count in group)
        if total >= least:
            weights = np.array([count for _, count in group], float)
            sides = np.array([box for box, _ in group])
            left, top, right, bottom = (float(side) for side in weights @ sides / weights.sum())
            made.append(FaceBox(box=(left, top, right, bottom), score=float(total)))
    return made


def _alike(one: Box, other: Box) -> bool:
    """Whether two boxes are of one face: their intersection is two fifths of their union."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return False
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high > 0.4 * (sum(areas) - wide * high)
