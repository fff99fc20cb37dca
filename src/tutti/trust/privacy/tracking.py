"""Faces through the frames of a film: between two looks of the detector, and before and after what it found.

A detector looks at every few frames only, and misses a face now and then. So each box is followed by optical flow
(Lucas and Kanade, pyramids as Bouguet 2000) forwards and backwards for a while, and two boxes of one face are joined.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tutti.trust.pieces import Box
from tutti.trust.privacy.faces import FaceBox, opencv

_POINTS = 5
"""Points along each side of a box that are followed."""
_LEAST_KEPT = 0.3
"""Share of them that has to be found again."""
_CUT = 40.0
"""Mean difference of grey levels from which two frames are of two scenes."""
_GROWTH = 0.01
"""By how much of its size a box grows each frame in which it was not seen but followed."""
_MARGIN = 0.2
"""Of its size, by which a box is grown to be covered."""
_SAME = 0.2
"""Share of the smaller box that two boxes have in common if they are of one face."""


@dataclass(slots=True)
class Track:
    """A face, and where it is in each frame."""

    boxes: dict[int, Box] = field(default_factory=dict)
    """Frame → box, in pixels of the frame."""
    seen: int = -1
    """The last frame in which the detector found it."""


class FaceTracker:
    """Follows faces through frames that are given one after another.

    Args:
        held: For how many frames a face is covered before and after it was found.
    """

    def __init__(self, held: int) -> None:
        self._held = held
        self._cv = opencv()
        self._past: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=held + 1)
        self._live: list[Track] = []
        self._scale = 1.0
        self.tracks: list[Track] = []
        """All faces so far."""

    def advance(self, index: int, grey: NDArray[np.uint8], scale: float = 1.0) -> None:
        """Go on to the next frame.

        Args:
            index: Its number, one more than the last one's.
            grey: (h, w) uint8: the frame, or a small copy of it.
            scale: Its size by that of the frame, in whose pixels boxes are.
        """
        self._scale = scale
        before = self._past[-1][1] if self._past else None
        if before is None or begins_scene(before, grey):
            self._past.clear()
            self._live = []
        else:
            self._live = [track for track in self._live if self._followed(track, index, before, grey)]
        self._past.append((index, grey))

    def found(self, index: int, faces: Sequence[FaceBox]) -> None:
        """Take what the detector found in the frame that was given last."""
        for face in faces:
            known = [track for track in self._live if _share(track.boxes[index], face.box) > _SAME]
            track = max(known, key=lambda one: _share(one.boxes[index], face.box)) if known else self._new(index, face)
            since = track.seen if track.seen < index else -1  # two boxes of a look may be of one face
            track.boxes[index], track.seen = face.box, index
            self._before(track, face.box, since)

    def _new(self, index: int, face: FaceBox) -> Track:
        track = Track()
        self._live.append(track)
        self.tracks.append(track)
        return track

    def _before(self, track: Track, box: Box, since: int) -> None:
        """Follow a face backwards to the frame in which it was seen last, or for as long as faces are held."""
        past = list(self._past)
        for (_, after), (place, small) in zip(past[::-1], past[-2::-1], strict=False):
            if place <= since:
                return
            box = self._held_on(after, small, box)
            track.boxes[place] = _union(track.boxes[place], box) if place in track.boxes else box

    def _followed(self, track: Track, index: int, before: NDArray[np.uint8], small: NDArray[np.uint8]) -> bool:
        if index - track.seen > self._held:
            return False
        track.boxes[index] = self._held_on(before, small, track.boxes[index - 1])
        return True

    def _held_on(self, before: NDArray[np.uint8], after: NDArray[np.uint8], box: Box) -> Box:
        """The box in the next frame, a little larger, forwards or backwards.

        Where nothing can be followed, the face is most likely where it was: turned away, or in the dark.
        """
        moved = self._moved(before, after, box)
        return _grown(box if moved is None else moved, _GROWTH)

    def _moved(self, before: NDArray[np.uint8], after: NDArray[np.uint8], box: Box) -> Box | None:
        """Where a box is in the next frame; None where it cannot be found."""
        left, top, right, bottom = (side * self._scale for side in box)
        share = (np.arange(_POINTS) + 0.5) / _POINTS
        grid = np.stack(np.meshgrid(left + share * (right - left), top + share * (bottom - top)), -1)
        points = grid.reshape(-1, 1, 2).astype(np.float32)
        moved, kept, _ = self._cv.calcOpticalFlowPyrLK(before, after, points, None, winSize=(11, 11), maxLevel=2)
        good = kept.reshape(-1) == 1
        if good.mean() < _LEAST_KEPT:
            return None
        dx, dy = np.median((moved - points).reshape(-1, 2)[good], axis=0) / self._scale
        if not np.isfinite((dx, dy)).all():
            return None
        return box[0] + float(dx), box[1] + float(dy), box[2] + float(dx), box[3] + float(dy)


def boxes_by_frame(tracks: Sequence[Track]) -> dict[int, list[Box]]:
    """Frame → boxes to cover: of each face, that of the frame, and those of the frames before and after it.

    A detector may see a part of a face only; what was followed to the frames beside is larger then. All are covered
    with a margin, since what is followed drifts, and what leaves at an edge is found beside its middle.
    """
    made: dict[int, list[Box]] = {}
    for track in tracks:
        for index in track.boxes:
            beside = [track.boxes[place] for place in (index - 1, index + 1) if place in track.boxes]
            made.setdefault(index, []).extend(_grown(box, _MARGIN) for box in (track.boxes[index], *beside))
    return made


def begins_scene(before: NDArray[np.uint8] | None, grey: NDArray[np.uint8]) -> bool:
    """Whether a frame, grey and (h, w), is the first one or of another scene than the one before it."""
    return before is None or before.shape != grey.shape or float(opencv().absdiff(before, grey).mean()) > _CUT


def _share(one: Box, other: Box) -> float:
    """What two boxes have in common, as a share of the smaller one."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    least = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return 0.0 if wide <= 0 or high <= 0 or least <= 0 else wide * high / least


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _grown(box: Box, share: float) -> Box:
    wide, high = share * (box[2] - box[0]) / 2, share * (box[3] - box[1]) / 2
    return box[0] - wide, box[1] - high, box[2] + wide, box[3] + high
