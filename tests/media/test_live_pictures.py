"""Pictures as they come: of a film at its clock, and of a camera, which is a fake."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.search.synthetic_media import COLOURS, film, tone
from tutti.content import Video
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media import Limits
from tutti.media.live_pictures import SHORT_SIDE, Camera, played_pictures


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Red for two seconds, then blue for one; ten frames a second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return Video(film(path, (("red", 2.0), ("blue", 1.0)), tone("low", 3.0)))


def test_a_film_gives_so_many_pictures_a_second(shown: Video) -> None:
    pictures = list(played_pictures(shown, Limits(), per_second=2.0))
    assert [at_s for at_s, _ in pictures] == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    for (_, picture), colour in zip(pictures, ["red"] * 4 + ["blue"] * 2, strict=True):
        assert picture.shape == (64, 64, 3)
        assert np.abs(picture.reshape(-1, 3).mean(axis=0) - COLOURS[colour]).max() < 25


def test_more_pictures_than_there_are_frames_are_all_frames(shown: Video) -> None:
    assert len(list(played_pictures(shown, Limits(), per_second=50))) == 30


def test_a_film_over_its_budget_is_refused(shown: Video) -> None:
    with pytest.raises(CapacityError, match="the limit is 1 s"):
        list(played_pictures(shown, Limits(max_seconds=1.0)))


class FakeCamera:
    """Gives a picture of 300 x 400 every hundredth of a second, until it is unplugged."""

    plugged = True

    def __init__(self, device: Any) -> None:
        self.device = device

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.device != 7

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        picture = np.zeros((300, 400, 3), np.uint8)
        picture[..., 0] = 200  # blue comes first in OpenCV
        return self.plugged, picture

    def release(self) -> None:
        self.device = None


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    logging = SimpleNamespace(setLogLevel=lambda level: None)
    fake = SimpleNamespace(VideoCapture=FakeCamera, utils=SimpleNamespace(logging=logging))
    monkeypatch.setitem(sys.modules, "cv2", fake)  # type: ignore[arg-type]


def _wait(camera: Camera) -> Any:
    for _ in range(500):
        if (found := camera.newest()) is not None:
            return found
        time.sleep(0.01)
    raise AssertionError("no picture came")


@pytest.mark.usefixtures("cameras")
def test_a_camera_gives_its_newest_picture_once() -> None:
    camera = Camera("0")
    at_s, picture = _wait(camera)
    assert picture.shape == (SHORT_SIDE, round(400 * SHORT_SIDE / 300), 3)
    assert picture[0, 0].tolist() == [0, 0, 200]
    assert at_s <= time.monotonic()
    camera.close()
    camera.newest()
    assert camera.newest() is None


@pytest.mark.usefixtures("cameras")
def test_a_camera_that_is_not_there_or_stops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="camera 7 cannot be opened"):
        Camera("7")
    monkeypatch.setattr("tutti.media.live_pictures._STOPS_S", 0.05)
    monkeypatch.setattr(FakeCamera, "plugged", False)
    camera = Camera()
    camera._thread.join(timeout=10)
    with pytest.raises(InputError, match="stopped giving pictures"):
        camera.newest()
    camera.close()


def test_the_real_library_tells_of_a_missing_camera_by_the_error_alone(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(InputError, match="camera 63 cannot be opened"):
        Camera("63")
    assert capfd.readouterr() == ("", "")


def test_without_opencv_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtra, match=r"tutti\[live\]"):
        Camera("0")


def test_a_picture_is_no_film() -> None:
    picture = Path(__file__).parents[2] / "examples" / "media" / "picture.png"
    with pytest.raises(InputError, match="not a film"):
        list(played_pictures(Video(picture), Limits()))
