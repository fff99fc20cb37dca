"""All the text that a model may take out of a picture: lines of every strength, codes, and what its metadata says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Image, TextLine
from tutti.interfaces import TextReader
from tutti.trust.legibility import levelled
from tutti.trust.pieces import Box

_SMALL_SIDE = 1100
"""Pictures are enlarged to that long side for the second reading, up to four times."""
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class FoundText:
    """A text, and where it stands."""

    text: str
    source: str
    """`writing`, `code`, `metadata` or `speech`."""
    boxes: tuple[Box, ...] = ()
    start_s: float | None = None
    end_s: float | None = None


def lines_of(pixels: NDArray[np.uint8], reader: TextReader) -> list[TextLine]:
    """Lines of a picture read twice: as it is, and enlarged with its faint parts made strong."""
    found = list(reader.read(Image(pixels)))
    scale = max(1.0, min(4.0, _SMALL_SIDE / max(pixels.shape[:2])))
    strong = levelled(pixels)
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    large = np.asarray(pillow.fromarray(strong).resize(size, pillow.Resampling.BICUBIC))
    for line in reader.read(Image(large)):
        left, top, right, bottom = (side / scale for side in line.box)
        moved = replace(line, box=(left, top, right, bottom))
        if not any(_overlap(moved.box, one.box) > _SAME for one in found):
            found.append(moved)
    return sorted(found, key=lambda line: (line.box[1], line.box[0]))


def blocks_of(lines: Sequence[TextLine]) -> list[FoundText]:
    """Lines that stand close below or beside one another, as one text: an instruction may run over several."""
    groups: list[list[TextLine]] = []
    for line in lines:
        near = [group for group in groups if any(_adjacent(line.box, one.box) for one in group)]
        groups = [group for group in groups if all(group is not one for one in near)]
        groups.append([*(member for group in near for member in group), line])
    return [
        FoundText(" ".join(line.text for line in group), "writing", tuple(line.box for line in group))
        for group in groups
    ]


def codes_of(pixels: NDArray[np.uint8]) -> list[FoundText]:
    """The texts of QR codes; none where OpenCV is not installed."""
    try:
        import cv2
    except ImportError:
        return []
    detector = cv2.QRCodeDetector()
    try:
        found, texts, corners, _ = detector.detectAndDecodeMulti(np.ascontiguousarray(pixels[..., ::-1]))
    except cv2.error:
        return []
    if not found:
        return []
    return [
        FoundText(text, "code", (_bounds(np.asarray(quad, float)),))
        for text, quad in zip(texts, corners, strict=False)
        if text
    ]


def metadata_of(image: Image) -> list[FoundText]:
    """The texts in a picture's metadata: EXIF, XMP, comments and PNG's text."""
    content = _bytes_of(image)
    if content is None:
        return []
    try:
        with pillow.open(io.BytesIO(content)) as opened:
            values: list[object] = list(opened.info.values())
            exif = opened.getexif()
            values += [*exif.values(), *exif.get_ifd(0x8769).values()]
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
        return []
    texts = [text for value in values if (text := _words(value))]
    return [FoundText(text, "metadata") for text in dict.fromkeys(texts)]


def _bytes_of(image: Image) -> bytes | None:
    from pathlib import Path

    from tutti.content.parts import ReadFile, data_url_bytes

    source = image.source
    if isinstance(source, (bytes, ReadFile)):
        return source if isinstance(source, bytes) else source.content
    if isinstance(source, np.ndarray):
        return None
    text = str(source)
    if text.startswith("data:"):
        return data_url_bytes(text)
    path = Path(text)
    return path.read_bytes() if path.is_file() else None


def _words(value: object) -> str:
    """A value as text, if it is one of some length; UTF-16 and the codes before user comments are taken off."""
    if isinstance(value, bytes):
        bare = value[8:] if value[:8] in (b"ASCII\0\0\0", b"UNICODE\0") else value
        wide = len(bare) > 3 and bare.count(0) > len(bare) // 3
        value = bare.decode("utf-16-le" if wide else "utf-8", errors="ignore")
    text = " ".join(str(value).replace("\0", " ").split()) if isinstance(value, str) else ""
    return text if len(text) > 8 and sum(letter.isprintable() for letter in text) > 0.9 * len(text) else ""


def _bounds(quad: NDArray[np.float64]) -> Box:
    (left, top), (right, bottom) = quad.reshape(-1, 2).min(0), quad.reshape(-1, 2).max(0)
    return float(left), float(top), float(right), float(bottom)


def _adjacent(one: Box, other: Box) -> bool:
    """Whether boxes nearly touch, by the height of the lower one; for upright lines, by their width."""
    letter = max(min(one[3] - one[1], one[2] - one[0]), min(other[3] - other[1], other[2] - other[0]))
    across = max(one[0], other[0]) - min(one[2], other[2])
    down = max(one[1], other[1]) - min(one[3], other[3])
    return across < 1.2 * letter and down < 1.2 * letter


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1]))
    return max(0.0, width) * max(0.0, height) / max(smaller, 1e-9)
