"""Pictures as they come: from a camera, or from a film at its own clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Video
from tutti.errors import InputError, MissingExtra
from tutti.media.containers import container
from tutti.media.frame_sampling import TimedFrame
from tutti.media.key_frames import film_format, shrunk
from tutti.media.limits import Limits
from tutti.media.sources import opened
from tutti.media.video_stream import pictures_of, size_of

SHORT_SIDE = 256
"""Short side to which pictures are shrunk, in pixels."""
_STOPS_S = 5.0
"""A camera that gives no picture for so long has stopped."""


def played_pictures(part: Video, limits: Limits, per_second: float = 2.0) -> Iterator[TimedFrame]:
    """The pictures of a film at most so many times a second, in order; memory does not grow with its length.

    Args:
        part: A video file in a container.
        limits: Budgets; `Limits.streaming` lets it be long.
        per_second: The first frame of each such part of a second is given.

    Yields:
        (seconds from the first frame, (H, W, 3) uint8 of `SHORT_SIDE`).

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: It lasts longer, or its frames are larger, than allowed.
    """
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        stream.thread_type = "AUTO"
        zero_s: float | None = None
        due_s = 0.0
        for frame in film.decode(stream):
            if frame.time is None:
                continue
            zero_s = frame.time if zero_s is None else zero_s
            at_s = frame.time - zero_s
            limits.check_seconds(part.name, at_s)
            if at_s + 1e-6 < due_s:
                continue
            due_s = (int((at_s + 1e-6) * per_second) + 1) / per_second
            yield at_s, shrunk(frame, size_of(frame, stream, part.name, limits), SHORT_SIDE)


class Camera:
    """The newest picture of a camera, through OpenCV; those that nobody asked for in time are dropped.

    Args:
        device: Number of the camera, or the address of a stream; None is the first camera.

    Raises:
        MissingExtra: OpenCV is not installed.
        InputError: The camera cannot be opened.
    """

    def __init__(self, device: str | None = None) -> None:
        cv2 = _opencv()
        chosen = int(device or 0) if device is None or device.isdecimal() else device
        self._camera = cv2.VideoCapture(chosen)
        if not self._camera.isOpened():
            self._camera.release()
            raise InputError(
                f"The camera {chosen} cannot be opened: it is missing, in use, or this user may not read it; "
                "expected its number, as 0, for --camera, or a film for --from."
            )
        self._newest: TimedFrame | None = None
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def newest(self) -> TimedFrame | None:
        """When it was taken by `time.monotonic`, and the picture as (H, W, 3) uint8; None if there is no new one.

        Raises:
            InputError: The camera has stopped.
        """
        with self._lock:
            found, self._newest = self._newest, None
        if found is None and not self._thread.is_alive() and not self._closed.is_set():
            raise InputError("The camera has stopped giving pictures; look to its cable, and start again.")
        return found

    def close(self) -> None:
        """Let the camera go."""
        self._closed.set()
        self._thread.join(timeout=_STOPS_S)
        self._camera.release()

    def _take(self) -> None:
        """On a thread of its own, since reading waits for the next picture."""
        last_s = time.monotonic()
        while not self._closed.is_set():
            there, picture = self._camera.read()
            now_s = time.monotonic()
            if not there:
                if now_s - last_s > _STOPS_S:
                    return
                time.sleep(0.05)
                continue
            last_s = now_s
            with self._lock:
                self._newest = (now_s, _small(picture[:, :, ::-1]))


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(1.0, SHORT_SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(pillow.fromarray(np.ascontiguousarray(picture)).resize(size, pillow.Resampling.BOX), np.uint8)


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise MissingExtra("Looking through a camera", "live") from None
    quiet: Any = cv2
    quiet.utils.logging.setLogLevel(
        0
    )  # a camera that is missing is told by an error, not by a warning on standard error
    return cv2
