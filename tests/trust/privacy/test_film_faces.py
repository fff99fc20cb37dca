"""Looks ahead of what is followed: the same faces however long a look takes, and errors where they happen."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.trust.privacy.doubles import FACE, RedFaces
from tutti.content import Video
from tutti.errors import InputError
from tutti.media import Limits
from tutti.trust.privacy.faces import FaceBox
from tutti.trust.privacy.films import find_in_film


def walking(frames: int = 60) -> Video:
    ground = np.kron(np.random.default_rng(0).integers(40, 160, (15, 20, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
    shown = np.stack([ground] * frames)
    for index in range(frames):
        shown[index, 40:70, 10 + index : 34 + index] = FACE
    shown[frames // 2 :] = 255 - shown[frames // 2 :]  # another scene, in which nothing is red
    return Video(shown, frames_per_s=25)


class Slow(RedFaces):
    """Takes its time, and notes from which threads it is asked, and whether twice at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.busy, self.most, self.threads = seconds, 0, 0, set[str]()

    def faces(self, pixels: np.ndarray, *, quick: bool = False) -> list[FaceBox]:
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds)
        self.busy -= 1
        return super().faces(pixels, quick=quick)


def test_a_slow_look_finds_and_follows_what_a_fast_one_does() -> None:
    slow, fast = Slow(0.04), RedFaces()
    one = find_in_film(walking(), Limits(), slow, None)
    other = find_in_film(walking(), Limits(), fast, None)
    assert one.boxes == other.boxes and one.spans == other.spans and set(one.boxes) == set(range(30))
    assert slow.looks == fast.looks == 14, "two at the cut, one at the end, and one every 0.2 s"
    assert slow.most == 1 and all(name.startswith("tutti-faces") for name in slow.threads)


def test_an_error_of_the_detector_ends_the_search_and_its_thread() -> None:
    class Broken(RedFaces):
        def faces(self, pixels: np.ndarray, *, quick: bool = False) -> list[FaceBox]:
            if self.looks == 2:
                raise InputError("The detector broke.")
            return super().faces(pixels, quick=quick)

    with pytest.raises(InputError, match=r"^The detector broke\.$"):
        find_in_film(walking(), Limits(), Broken(), None)
    assert not [one for one in threading.enumerate() if one.name.startswith("tutti-faces")]
