"""How many faces are found and covered, by size and turn, in photographs and in faces composed into scenes.

    python -m benchmarks.faces --packs DIR
    python -m benchmarks.faces --packs DIR --face-model centerface.onnx

The packs `faces_dev` (15 faces with boxes by eye) and `scene_text_dev` (scenes) lie in DIR. A face counts as covered if
what would be filled covers three quarters of the ellipse in its box. Intervals are clustered by the face: they come
from 2,000 draws of faces with replacement, since many compositions of one face are not many faces. Turns about the
vertical axis are made from pictures of faces that look ahead or to the side, on a cylinder; no profile is among them.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.training.packs import PackReader
from tutti.trust.privacy.centerface import CenterFace
from tutti.trust.privacy.faces import FaceDetector, HaarFaces

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
SIZES_PX = (24, 32, 48, 64, 96, 160)
YAWS = (-45, -30, -15, 0, 15, 30, 45)
ROLLS = (-20, 0, 20)
_CANVAS = (480, 640)
_MARGIN = 0.35
"""Of a face's box, what of hair and neck comes along."""
_PEOPLE = ("Arla-Natural-Mild-Low-Fat-Yoghurt_003", "Arla-Natural-Yoghurt_003")
"""Scenes with printed photographs of people on a carton: no scenes for counting false boxes."""


@dataclass(frozen=True)
class Face:
    """A face of the pack, cut out."""

    name: str
    pixels: Pixels
    """Of the box with a margin."""
    box: Box
    """Of the face in them."""


@dataclass(frozen=True)
class Composition:
    """A face in a scene, where it is known."""

    pixels: Pixels
    box: Box
    face: str
    size: int
    yaw: int
    roll: int


def pictures(folder: Path) -> Iterator[tuple[dict[str, object], Pixels]]:
    """Rows and pictures of a pack."""
    pack = PackReader(folder)
    for row in pack.rows:
        with pillow.open(io.BytesIO(pack.content(row["file"]))) as picture:
            yield row, np.asarray(picture.convert("RGB"))


def cut_out(packs: Path) -> list[Face]:
    """The faces of `faces_dev`."""
    made = []
    for row, pixels in pictures(packs / "faces_dev"):
        height, width = pixels.shape[:2]
        for place, (x0, y0, x1, y1) in enumerate(row["faces"]):  # type: ignore[arg-type, var-annotated]
            left, top, right, bottom = x0 * width, y0 * height, x1 * width, y1 * height
            around = _MARGIN * (bottom - top)
            x, y = max(0, int(left - around)), max(0, int(top - around))
            crop = pixels[y : int(min(height, bottom + around)), x : int(min(width, right + around))]
            made.append(Face(f"{row['file']} {place}", crop, (left - x, top - y, right - x, bottom - y)))
    return made


def scenes(packs: Path) -> list[Pixels]:
    """Photographs without people, of at least the canvas once enlarged."""
    found = [pixels for row, pixels in pictures(packs / "faces_dev") if not row["faces"]]
    for row, pixels in pictures(packs / "scene_text_dev"):
        name = str(row["file"])
        if min(pixels.shape[:2]) >= 300 and not any(one in name for one in _PEOPLE):
            found.append(pixels)
    return found


def turned(face: Face, yaw: int, roll: int) -> tuple[Pixels, Pixels, Box]:
    """A face turned about the vertical axis, as on an elliptic cylinder, and in the plane.

    Returns:
        Pixels, how opaque each is, and the box of the face in them.
    """
    height, width = face.pixels.shape[:2]
    left, top, right, bottom = face.box
    middle, radius = (left + right) / 2, 0.62 * (right - left)
    angle = np.radians(yaw)
    xs = np.arange(width, dtype=np.float64)
    # Where each column of the result comes from: x = r sin(a + yaw) on a cylinder seen from afar.
    seen = np.clip((xs - middle) / radius, -0.999, 0.999)
    source = middle + radius * np.sin(np.arcsin(seen) - angle) / 1.0
    source = np.where(np.abs(xs - middle) < radius * 0.999, source, xs)
    grid_x = np.repeat(source[None].astype(np.float32), height, axis=0)
    grid_y = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    warped = cv2.remap(face.pixels, grid_x, grid_y, cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    ellipse = np.zeros((height, width), np.float32)
    centre = (int(middle), int((top + bottom) / 2))
    axes = (max(1, int(0.72 * (right - left))), max(1, int(0.68 * (bottom - top))))
    cv2.ellipse(ellipse, centre, axes, 0, 0, 360, 1.0, -1)
    spin = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), roll, 1.0)
    warped = cv2.warpAffine(warped, spin, (width, height), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.GaussianBlur(cv2.warpAffine(ellipse, spin, (width, height)), (0, 0), 0.03 * (bottom - top))
    return warped, alpha, face.box


def compose(
    faces: list[Face], places: list[Pixels], seed: int, each: int = 1, yaws: Sequence[int] = YAWS
) -> Iterator[Composition]:
    """Every face at every size, with turns drawn so that each occurs equally often."""
    rng = np.random.default_rng(seed)
    turns = [(yaw, roll) for yaw in yaws for roll in ROLLS]
    for face in faces:
        for size in SIZES_PX:
            for index in rng.permutation(len(turns))[: 7 * each]:
                yaw, roll = turns[index]
                yield _composed(face, places[rng.integers(len(places))], size, yaw, roll, rng)


def _composed(face: Face, scene: Pixels, size: int, yaw: int, roll: int, rng: np.random.Generator) -> Composition:
    pixels, alpha, box = turned(face, yaw, roll)
    scale = size / (box[3] - box[1])
    wide, high = (max(2, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(pixels, (wide, high), interpolation=how).astype(np.float32)
    cover = cv2.resize(alpha, (wide, high), interpolation=cv2.INTER_AREA)[..., None]
    grow = max(_CANVAS[0] / scene.shape[0], _CANVAS[1] / scene.shape[1])
    canvas = cv2.resize(scene, None, fx=grow, fy=grow)[: _CANVAS[0], : _CANVAS[1]].astype(np.float32)
    canvas *= 0.9
    x, y = int(rng.integers(0, _CANVAS[1] - wide)), int(rng.integers(0, _CANVAS[0] - high))
    spot = canvas[y : y + high, x : x + wide]
    spot[:] = cover * small + (1 - cover) * spot
    done, coded = cv2.imencode(".jpg", canvas[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    shown = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    left, top, right, bottom = (side * scale for side in box)
    return Composition(shown, (x + left, y + top, x + right, y + bottom), face.name, size, yaw, roll)


def covered(face: Box, boxes: list[Box], shape: tuple[int, ...]) -> float:
    """Share of the ellipse in a face's box that lies in boxes."""
    left, top, right, bottom = face
    ellipse = np.zeros(shape[:2], np.uint8)
    centre = (int((left + right) / 2), int((top + bottom) / 2))
    cv2.ellipse(ellipse, centre, (max(1, int((right - left) / 2)), max(1, int((bottom - top) / 2))), 0, 0, 360, 1, -1)
    whole = int(ellipse.sum())
    for x0, y0, x1, y1 in boxes:
        ellipse[max(0, int(y0)) : max(0, int(np.ceil(y1))), max(0, int(x0)) : max(0, int(np.ceil(x1)))] = 0
    return 1 - int(ellipse.sum()) / max(1, whole)


def interval(hits: dict[str, list[bool]], seed: int = 0) -> tuple[float, float, float]:
    """Share of hits, and its 95 % interval over clusters."""
    rng = np.random.default_rng(seed)
    counts = np.array([[sum(found), len(found)] for found in hits.values()], float)
    draws = counts[rng.integers(len(counts), size=(2000, len(counts)))].sum(1)
    shares = draws[:, 0] / draws[:, 1]
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(counts[:, 0].sum() / counts[:, 1].sum()), float(low), float(high)


def measured(detector: FaceDetector, compositions: list[Composition], places: list[Pixels]) -> None:
    """Print recall by size and by turn, false boxes per scene, and seconds per picture."""
    by: dict[tuple[str, int], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    begun = time.perf_counter()
    for one in compositions:
        boxes = [face.box for face in detector.faces(one.pixels)]
        hit = covered(one.box, boxes, one.pixels.shape) >= 0.75
        for key in (("all", 0), ("px", one.size), ("yaw", abs(one.yaw))):
            by[key][one.face].append(hit)
    seconds = (time.perf_counter() - begun) / len(compositions)
    false = [len(detector.faces(cv2.resize(scene, _CANVAS[::-1]))) for scene in places]
    print(f"{detector.name}: {len(compositions)} compositions, {seconds:.2f} s each")
    for (what, value), hits in sorted(by.items()):
        share, low, high = interval(hits)
        print(f"  {what:4} {value:4}  {share:6.1%}  [{low:.1%}, {high:.1%}]")
    print(f"  false boxes per scene: {np.mean(false):.2f} ({len(places)} scenes)")


def main() -> None:
    """Compare the detectors that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--face-model", metavar="FILE", help="centerface.onnx")
    parser.add_argument("--each", type=int, default=1, help="compositions: 630 times so many")
    parser.add_argument("--yaws", type=int, nargs="+", default=YAWS, metavar="DEGREES", help="turns to the side")
    parser.add_argument("--no-haar", action="store_true")
    arguments = parser.parse_args()
    places = scenes(arguments.packs)
    compositions = list(compose(cut_out(arguments.packs), places, seed=1, each=arguments.each, yaws=arguments.yaws))
    if arguments.face_model:
        measured(CenterFace(arguments.face_model), compositions, places)
    if not arguments.no_haar:
        measured(HaarFaces(), compositions, places)


if __name__ == "__main__":
    main()
