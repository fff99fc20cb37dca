"""Faces of a film: looked for in every few frames by a thread of its own, and followed through those between.

The detector takes most of the time; so frames are decoded ahead while it looks, and followed once it has.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.trust.privacy.faces import FaceBox, FaceDetector
from tutti.trust.privacy.film_frames import Shown
from tutti.trust.privacy.tracking import FaceTracker, Track, begins_scene

_LOOK_EVERY_S, _HELD_S = 0.2, 2.0
"""Seconds between two looks of the detector, and for how long a face is covered before and after it was found."""
_MOST_HELD = 240
"""Frames for which a face is held at most."""
_SIDE = 320
"""Longest side of the grey frames in which faces are followed, in pixels."""
_LOOKS_AHEAD, _FRAMES_AHEAD = 2, 64
"""Looks that have begun or wait at most, and frames that wait for them."""


class _Waiting(NamedTuple):
    place: int
    grey: NDArray[np.uint8]
    scale: float
    look: Future[list[FaceBox]] | None


class FilmFaces:
    """Finds and follows the faces of a film whose frames are given one after another.

    Args:
        detector: Looks for faces; it is asked from another thread, one picture at a time.
        frames_per_s: Of the film, about.
    """

    def __init__(self, detector: FaceDetector, frames_per_s: float) -> None:
        self._detector = detector
        self._tracker = FaceTracker(max(1, min(_MOST_HELD, round(frames_per_s * _HELD_S))))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tutti-faces")
        self._waiting: deque[_Waiting] = deque()
        self._looks = 0
        self._last: Shown | None = None
        self._looked_s = -1e9

    def add(self, index: int, shown: Shown) -> None:
        """Take the next frame. Errors of the detector are raised here or by `tracks`."""
        grey, scale = shown.grey(_SIDE)
        begins = begins_scene(self._waiting[-1].grey if self._waiting else None, grey)
        if begins:
            self._look_at_last(quick=False)  # for a face that came in since the last look
        self._last = shown
        self._waiting.append(_Waiting(index, grey, scale, None))
        if begins or shown.time_s - self._looked_s > _LOOK_EVERY_S - 1e-6:
            self._look_at_last(quick=not begins)
        while len(self._waiting) > 1 and self._may_follow():
            self._follow()

    def _look_at_last(self, quick: bool) -> None:
        """Look at the frame that was given last, if that was not done; it has not been followed yet.

        At the ends of a scene no other look comes before or after, so that one is worth its time.
        """
        if self._last is None or self._waiting[-1].look is not None:
            return
        look = self._pool.submit(self._detector.faces, self._last.pixels, quick=quick)
        self._waiting[-1] = self._waiting[-1]._replace(look=look)
        self._looked_s = self._last.time_s
        self._looks += 1

    def tracks(self) -> list[Track]:
        """All faces, once every frame was given."""
        self._look_at_last(quick=False)
        while self._waiting:
            self._follow()
        return self._tracker.tracks

    def close(self) -> None:
        """Give up what was not looked at yet."""
        self._pool.shutdown(cancel_futures=True)

    def _may_follow(self) -> bool:
        look = self._waiting[0].look
        crowded = self._looks > _LOOKS_AHEAD or len(self._waiting) > _FRAMES_AHEAD
        return look is None or look.done() or crowded

    def _follow(self) -> None:
        one = self._waiting.popleft()
        self._tracker.advance(one.place, one.grey, one.scale)
        if one.look is not None:
            self._looks -= 1
            self._tracker.found(one.place, one.look.result())
